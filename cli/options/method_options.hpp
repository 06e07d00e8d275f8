// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <zeroth/error.hpp>
#include <zeroth/options.hpp>
#include <zeroth/storage/rounding.hpp>
#include <zeroth/update/window_momentum.hpp>

namespace zeroth::cli {

/// Which weights a step perturbs and updates: the smallest of each matrix (the paper), all, or a random share.
enum class Method : std::uint8_t { s_mezo, mezo, r_mezo };

/// Distribution of the noise.
enum class SamplerName : std::uint8_t { gaussian, rademacher, uniform };

/// How losses are combined into the projected gradient.
enum class EstimatorName : std::uint8_t { central, one_sided, fzoo };

/// How projected gradients change the weights.
enum class UpdateName : std::uint8_t { sgd, sign_sgd, conservative_sgd, momentum, window_momentum, adam, adamm };

[[nodiscard]] constexpr std::string_view to_string(Method method) noexcept {
  switch (method) {
    case Method::s_mezo:
      return "s-mezo";
    case Method::mezo:
      return "mezo";
    case Method::r_mezo:
      return "r-mezo";
  }
  return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(SamplerName sampler) noexcept {
  switch (sampler) {
    case SamplerName::gaussian:
      return "gaussian";
    case SamplerName::rademacher:
      return "rademacher";
    case SamplerName::uniform:
      return "uniform";
  }
  return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(EstimatorName estimator) noexcept {
  switch (estimator) {
    case EstimatorName::central:
      return "central";
    case EstimatorName::one_sided:
      return "one-sided";
    case EstimatorName::fzoo:
      return "fzoo";
  }
  return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(UpdateName update) noexcept {
  switch (update) {
    case UpdateName::sgd:
      return "sgd";
    case UpdateName::sign_sgd:
      return "sign-sgd";
    case UpdateName::conservative_sgd:
      return "conservative-sgd";
    case UpdateName::momentum:
      return "momentum";
    case UpdateName::window_momentum:
      return "window-momentum";
    case UpdateName::adam:
      return "adam";
    case UpdateName::adamm:
      return "adamm";
  }
  return "unknown";
}

/// Whether an update has the option --beta2, and --adam-epsilon.
[[nodiscard]] constexpr bool uses_beta_2(UpdateName update) noexcept {
  return update == UpdateName::adam || update == UpdateName::adamm;
}

/// Whether an update has the option --beta1.
[[nodiscard]] constexpr bool uses_beta_1(UpdateName update) noexcept {
  return update == UpdateName::momentum || update == UpdateName::window_momentum || uses_beta_2(update);
}

/// Defaults that depend on the method.
struct MethodDefaults {
  double learning_rate;
  std::uint64_t steps;
};

/// The one place where the defaults of learning rate and steps are set. They suit a model of 10^8 weights; the paper
/// uses 1e-7 to 1e-6 and up to 20000 steps for 7 10^9.
[[nodiscard]] constexpr MethodDefaults defaults_of(Method method) noexcept {
  switch (method) {
    case Method::s_mezo:
      return {.learning_rate = 1.2e-4, .steps = 400};
    case Method::mezo:
      return {.learning_rate = 6e-5, .steps = 400};
    case Method::r_mezo:
      return {.learning_rate = 1.2e-4, .steps = 400};
  }
  return {};
}

/// How a step is taken.
struct MethodOptions {
  Method method = Method::s_mezo;
  double sparsity = 0.75;              ///< share of a matrix's weights that the mask leaves out; not used by mezo
  std::optional<SamplerName> sampler;  ///< default: rademacher for fzoo, otherwise gaussian
  EstimatorName estimator = EstimatorName::central;
  std::optional<double> epsilon;         ///< default: 1e-3; 1e-4 for scales, which several weights share
  std::optional<std::uint32_t> samples;  ///< default: 8 for fzoo, otherwise 1
  std::uint32_t samples_per_probe = 1;
  std::optional<double> clip;
  UpdateName update = UpdateName::sgd;
  double beta_1 = 0.9;                             ///< of momentum, window-momentum, adam and adamm
  std::uint32_t window = WindowMomentum{}.window;  ///< of window-momentum
  double beta_2 = 0.999;                           ///< of adam and adamm
  double adam_epsilon = 1e-8;                      ///< of adam and adamm
  Rounding rounding = Options{}.rounding;          ///< of weights that are stored in 16 bits
  double weight_decay = 0;
};

/// The learning rate if the command line gives none. FZOO divides by about epsilon times the norm of the gradient, so
/// its rates are of another order of magnitude; its factor here is a guess, and so are the rates of all updates but
/// sgd.
[[nodiscard]] constexpr double default_learning_rate(MethodOptions const& options) noexcept {
  double const rate = defaults_of(options.method).learning_rate * (options.estimator == EstimatorName::fzoo ? 0.01 : 1);
  switch (options.update) {
    case UpdateName::sgd:
    case UpdateName::sign_sgd:
    case UpdateName::conservative_sgd:
      return rate;
    case UpdateName::momentum:
    case UpdateName::window_momentum:
      return rate * (1 - options.beta_1);  // in the long run a step counts 1 / (1 - beta) times
    case UpdateName::adam:
    case UpdateName::adamm:
      return rate;
  }
  return rate;
}

/// The options with the defaults that depend on others filled in.
[[nodiscard]] inline MethodOptions resolved(MethodOptions options) {
  bool const fzoo = options.estimator == EstimatorName::fzoo;
  if (!options.sampler) options.sampler = fzoo ? SamplerName::rademacher : SamplerName::gaussian;
  if (!options.samples) options.samples = fzoo ? 8 : 1;
  return options;
}

/// The error for an update that needs a fixed mask, with a method whose mask depends on the weights.
[[nodiscard]] InvalidArgument update_refusal(MethodOptions const& options);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/estimator/estimator.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/options.hpp>
#include <zeroth/step/points.hpp>
#include <zeroth/step_report.hpp>
#include <zeroth/update/update.hpp>

// Computes the scalars of a step from its losses: the half of a step that involves neither weights nor noise.

namespace zeroth::ZEROTH_ISA::detail {

[[nodiscard]] inline bool all_finite(std::span<double const> losses) noexcept {
  return std::all_of(losses.begin(), losses.end(), [](double loss) { return is_finite(loss); });
}

/// The perturbation scale as the passes apply it.
[[nodiscard]] inline float epsilon_of(Options const& options) noexcept {
  DefaultFloatEnvironment const environment;
  return rounded_single(options.epsilon);
}

[[nodiscard]] inline double learning_rate_of(std::uint64_t step, Options const& options) {
  DefaultFloatEnvironment const environment;
  return rounded_product(options.learning_rate, options.schedule(step));
}

/// Makes a decided step a skipped one.
inline void skip(StepReport& report, SkipReason reason) {
  report.skip_reason = reason;
  report.coefficients.clear();
  report.decay = 0;
  report.step_size = 0;
}

/// Fills in what follows from the losses: clipped projected gradients, coefficients, decay and step size.
template <class U, Estimator E>
void decide(StepReport& report, Options const& options, U const& update, E const& estimator) {
  DefaultFloatEnvironment const environment;
  for (double loss : report.losses)
    report.loss = with_share(report.loss, loss, static_cast<double>(report.losses.size()));
  if (!all_finite(report.losses)) report.skip_reason = SkipReason::non_finite_loss;
  if (report.skipped()) return;

  double const base = estimator.uses_base ? report.losses[0] : 0;
  std::span<double const> const losses = std::span(report.losses).subspan(base_points(estimator, options));
  double const scale = scale_of(estimator, losses);
  std::size_t const signs = losses.size() / options.samples;
  auto const distance = static_cast<double>(epsilon_of(options));
  for (std::uint32_t s = 0; s < options.samples; ++s) {
    double g = rounded_product(scale, estimator.projected_gradient(base, losses.subspan(s * signs, signs), distance));
    if (options.clip && std::abs(g) > *options.clip) {
      g = std::copysign(*options.clip, g);
      report.clipped = true;
    }
    report.projected_gradients.push_back(g);
    report.projected_gradient = with_share(report.projected_gradient, g, options.samples);
  }

  report.coefficients.resize(options.samples);
  direction_coefficients(update, report.projected_gradients, report.learning_rate, report.coefficients);
  report.decay = rounded_single(update.decay(report.learning_rate));
  report.step_size = rounded_single(report.learning_rate);
  bool fits = is_finite(report.decay) && is_finite(report.step_size);
  for (float c : report.coefficients) fits = fits && is_finite(c);
  if (!fits) skip(report, SkipReason::non_finite_coefficient);
}

}  // namespace zeroth::ZEROTH_ISA::detail

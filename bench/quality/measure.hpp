// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <zeroth/zeroth.hpp>

#include "function.hpp"

namespace zeroth_bench {

/// A mean over independent repetitions, and its standard error.
struct Mean {
  double value = 0;
  double error = 0;
};

/// The quality of estimates of a gradient g. m is the mask; g^ is what a step with learning rate 1 would subtract.
struct Quality {
  std::uint64_t active = 0;  ///< weights that the mask selects: the d^ of the paper
  double share = 0;          ///< |m g|^2 / |g|^2
  Mean cosine;               ///< of the angle between g^ and g
  Mean error;                ///< E |g^ - m g|^2 / |m g|^2: variance and squared bias
};

namespace detail {

inline std::vector<float> weights_of(zeroth::ParameterSet const& parameters) {
  std::vector<float> all;
  for (zeroth::Parameter const& p : parameters) {
    auto const* const data = static_cast<float const*>(p.data);
    all.insert(all.end(), data, data + p.size());
  }
  return all;
}

inline void set_weights(zeroth::ParameterSet const& parameters, std::vector<float> const& all) {
  std::size_t at = 0;
  for (zeroth::Parameter const& p : parameters) {
    std::copy_n(all.data() + at, p.size(), static_cast<float*>(p.data));
    at += static_cast<std::size_t>(p.size());
  }
}

/// m g for the mask at the current weights.
template <class Optimizer>
std::vector<double> masked(Optimizer const& optimizer, std::vector<double> g) {
  std::size_t at = 0;
  for (std::size_t t = 0; t < optimizer.parameters().size(); ++t) {
    zeroth::Bitmap const bits = optimizer.active_bits(t);
    zeroth::BitmapRule const rule = bits.rule();
    for (std::uint64_t i = 0; i < optimizer.parameters()[t].size(); ++i, ++at)
      if (!rule(0, i)) g[at] = 0;
  }
  return g;
}

inline double dot(std::vector<double> const& a, std::vector<double> const& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline Mean mean_of(std::vector<double> const& values) {
  auto const n = static_cast<double>(values.size());
  Mean mean;
  for (double value : values) mean.value += value / n;
  double squares = 0;
  for (double value : values) squares += (value - mean.value) * (value - mean.value);
  mean.error = values.size() > 1 ? std::sqrt(squares / (n - 1) / n) : 0;
  return mean;
}

}  // namespace detail

/// Measures an estimator at the current weights of `function`, over `repeats` independent estimates: the optimizer's
/// own steps, undone each time.
template <zeroth::Sampler S, zeroth::MaskPolicy M, zeroth::Estimator E = zeroth::CentralDifference>
[[nodiscard]] Quality measure_quality(Function& function, S const& sampler, M const& mask, E const& estimator,
                                      zeroth::Options options, std::size_t repeats) {
  // A step so large that rounding to the weights' precision hardly matters.
  options.learning_rate = 0x1p20;
  zeroth::ParameterSet const& parameters = function.parameters();
  zeroth::ZerothOrderOptimizer optimizer(parameters, sampler, mask, zeroth::CpuBackend{}, zeroth::Sgd{}, estimator,
                                         options);
  std::vector<float> const start = detail::weights_of(parameters);
  std::vector<double> const g = function.gradient();
  std::vector<double> const active = detail::masked(optimizer, g);
  double const g_squared = detail::dot(g, g);
  double const active_squared = detail::dot(active, active);

  Quality quality;
  quality.share = active_squared / g_squared;
  std::vector<double> cosines;
  std::vector<double> errors;
  std::vector<double> estimate(g.size());
  for (std::size_t r = 0; r < repeats; ++r) {
    zeroth::StepReport const report = optimizer.step(
        [&](auto const& probe, std::span<double> losses) { function.losses(zeroth::AnyProbe(probe), losses); });
    quality.active = report.active_weights;
    std::vector<float> const moved = detail::weights_of(parameters);
    for (std::size_t i = 0; i < g.size(); ++i)
      estimate[i] = (double{start[i]} - double{moved[i]}) / options.learning_rate;
    detail::set_weights(parameters, start);
    double const length = std::sqrt(detail::dot(estimate, estimate));
    double const cosine = length == 0 ? 0 : detail::dot(estimate, g) / (length * std::sqrt(g_squared));
    cosines.push_back(cosine);
    for (std::size_t i = 0; i < g.size(); ++i) estimate[i] -= active[i];
    errors.push_back(detail::dot(estimate, estimate) / active_squared);
  }
  quality.cosine = detail::mean_of(cosines);
  quality.error = detail::mean_of(errors);
  return quality;
}

/// Steps until |m g|^2 is at most `tolerance` times its initial value; 0 if that takes more than `limit` steps or the
/// weights diverge.
template <zeroth::Sampler S, zeroth::MaskPolicy M, zeroth::Estimator E = zeroth::CentralDifference>
[[nodiscard]] std::uint64_t steps_to(Function& function, S const& sampler, M const& mask, E const& estimator,
                                     zeroth::Options const& options, double tolerance, std::uint64_t limit) {
  zeroth::ZerothOrderOptimizer optimizer(function.parameters(), sampler, mask, zeroth::CpuBackend{}, zeroth::Sgd{},
                                         estimator, options);
  auto squared = [&] {
    std::vector<double> const g = detail::masked(optimizer, function.gradient());
    return detail::dot(g, g);
  };
  double const first = squared();
  for (std::uint64_t step = 1; step <= limit; ++step) {
    zeroth::StepReport const report = optimizer.step(
        [&](auto const& probe, std::span<double> losses) { function.losses(zeroth::AnyProbe(probe), losses); });
    double const now = squared();
    if (report.skipped() || !(now < 1e6 * first)) return 0;
    if (now <= tolerance * first) return step;
  }
  return 0;
}

}  // namespace zeroth_bench

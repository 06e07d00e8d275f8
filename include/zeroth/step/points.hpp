// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/options.hpp>
#include <zeroth/probe.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// 1 if a step evaluates theta itself, else 0.
template <Estimator E>
[[nodiscard]] std::size_t base_points(E const& estimator, Options const& options) noexcept {
  return estimator.uses_base || options.acceptance == Acceptance::lowest_of_three ? 1 : 0;
}

/// The points of a step: theta itself, if its loss is needed, then by sample and sign.
/// @throws InvalidArgument naming what the estimator does not allow
template <Estimator E>
[[nodiscard]] std::vector<Point> points_of(E const& estimator, Options const& options) {
  std::string const name(estimator.name());
  std::span<std::int32_t const> const signs = estimator.signs;
  if (!are_unit_signs(signs))
    throw InvalidArgument("estimator '" + name + "': its signs must be +1 or -1, at least one");
  std::uint32_t const least = least_samples_of(estimator);
  if (options.samples < least)
    throw InvalidArgument("samples must be at least " + std::to_string(least) + " for estimator '" + name + "', got " +
                          std::to_string(options.samples));
  std::vector<Point> points(base_points(estimator, options));
  for (std::uint32_t sample = 0; sample < options.samples; ++sample)
    for (std::int32_t sign : signs) points.push_back({sample, sign});
  return points;
}

/// How many points the probes of a step take: those of Options::samples_per_probe samples; the first also takes theta
/// itself.
struct ProbeSizes {
  std::size_t first = 0;
  std::size_t others = 0;
};

template <Estimator E>
[[nodiscard]] ProbeSizes probe_sizes(E const& estimator, Options const& options) noexcept {
  std::size_t const samples = std::min(options.samples_per_probe, options.samples);
  std::size_t const others = samples * std::span<std::int32_t const>(estimator.signs).size();
  return {base_points(estimator, options) + others, others};
}

/// The loss of a point that the objective did not write: not finite, so the step is skipped.
inline constexpr double unwritten_loss = std::numeric_limits<double>::quiet_NaN();

/// Adds a point's loss on one micro-batch to its mean over all of them.
inline void add_micro_batch(double& mean, double loss, Options const& options) noexcept {
  DefaultFloatEnvironment const environment;
  mean = with_share(mean, loss, options.micro_batches);
}

}  // namespace zeroth::ZEROTH_ISA::detail

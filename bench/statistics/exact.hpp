// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/executor.hpp>
#include <zeroth/random/normal.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/uniform.hpp>

#include "goodness_of_fit.hpp"

namespace zeroth_bench {

/// The cells over which a sampler's values are counted: `count` of them; `of(z)` ascends with z, `end(i)` is the end of
/// cell i, and `smooth_cdf(x)` is the continuous distribution that the sampler approximates.
template <class S>
struct Cells;

template <>
struct Cells<zeroth::Gaussian> {
  static constexpr double limit = 5;
  static constexpr double per_unit = 32768;
  static constexpr std::size_t count = static_cast<std::size_t>(2 * limit * per_unit);
  static std::size_t of(float z) { return static_cast<std::size_t>((double{z} + limit) * per_unit); }
  static double end(std::size_t cell) { return static_cast<double>(cell + 1) / per_unit - limit; }
  static double smooth_cdf(double x) { return zeroth_test::normal_cdf(x); }
};

template <>
struct Cells<zeroth::Uniform> {
  static constexpr std::size_t count = 65536;
  static std::size_t of(float z) {
    return static_cast<std::size_t>((double{z} / double{zeroth::Uniform::unit} + 65536) / 2);
  }
  static double end(std::size_t cell) {
    return (2 * static_cast<double>(cell) + 2 - 65536) * double{zeroth::Uniform::unit};
  }
  static double smooth_cdf(double x) { return std::clamp(0.5 + x / (2 * std::sqrt(3.0)), 0.0, 1.0); }
};

template <>
struct Cells<zeroth::Rademacher> {
  static constexpr std::size_t count = 2;
  static std::size_t of(float z) { return z > 0 ? 1 : 0; }
  static double end(std::size_t cell) { return static_cast<double>(cell); }
  static double smooth_cdf(double x) { return x < -1 ? 0 : x < 1 ? 0.5 : 1; }
};

/// A sampler's distribution over uniform random bits, computed from every value that it can take.
struct Exact {
  double variance = 0;
  double kurtosis = 0;
  double largest = 0;                 ///< |z| never exceeds it
  std::vector<double> probabilities;  ///< of each cell
  std::vector<double> cdf;            ///< at each cell's end

  /// P(x < |z|).
  template <class S>
  [[nodiscard]] double tail(double x) const {
    double sum = 0;
    for (std::size_t i = 0; i < probabilities.size(); ++i)
      if (Cells<S>::end(i) > x + 1e-9 || Cells<S>::end(i) <= -x + 1e-9) sum += probabilities[i];
    return sum;
  }
};

namespace detail {

/// Counts and moments of equally likely values of a symmetric distribution.
struct Tally {
  double second = 0;
  double fourth = 0;
  float largest = 0;
  std::vector<std::uint64_t> counts;

  template <class S>
  void meet(float z) {
    double const square = double{z} * double{z};
    second += square;
    fourth += square * square;
    largest = std::max(largest, std::abs(z));
    ++counts[Cells<S>::of(z)];
  }
};

inline Exact exact_of(std::span<Tally const> tallies, double values) {
  Exact exact;
  double fourth = 0;
  std::vector<std::uint64_t> counts(tallies[0].counts.size(), 0);
  for (Tally const& tally : tallies) {
    exact.variance += tally.second / values;
    fourth += tally.fourth / values;
    exact.largest = std::max(exact.largest, double{tally.largest});
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += tally.counts[i];
  }
  exact.kurtosis = fourth / (exact.variance * exact.variance);
  std::uint64_t below = 0;
  for (std::uint64_t count : counts) {
    exact.probabilities.push_back(static_cast<double>(count) / values);
    exact.cdf.push_back(static_cast<double>(below += count) / values);
  }
  return exact;
}

}  // namespace detail

/// Every value of a sampler. All samplers are symmetric, so the mean is 0.
///
/// The values of a Gaussian pair come from 32 bits, of which two are the signs. The second value is the first with the
/// angle mirrored, so the 2^30 first values are enumerated, with both signs.
template <class S>
[[nodiscard]] Exact exact_distribution(zeroth::AnyExecutor executor);

template <>
inline Exact exact_distribution<zeroth::Gaussian>(zeroth::AnyExecutor executor) {
  constexpr std::uint32_t tasks = 16;
  std::vector<detail::Tally> tallies(tasks);
  executor.parallel_for(tasks, [&](std::size_t task) {
    detail::Tally tally;
    tally.counts.resize(Cells<zeroth::Gaussian>::count);
    auto const share = static_cast<std::uint32_t>(65536 / tasks);
    auto const first = static_cast<std::uint32_t>(task) * share;
    for (std::uint32_t radius = first; radius < first + share; ++radius) {
      for (std::uint32_t angle = 0; angle < 16384; ++angle) {
        float const z = zeroth::normal_pair(radius << 16 | angle).first;
        tally.meet<zeroth::Gaussian>(z);
        tally.meet<zeroth::Gaussian>(-z);
      }
    }
    tallies[task] = std::move(tally);
  });
  return detail::exact_of(tallies, 0x1p31);
}

template <>
inline Exact exact_distribution<zeroth::Uniform>(zeroth::AnyExecutor /*executor*/) {
  detail::Tally tally;
  tally.counts.resize(65536);
  for (std::uint32_t bits = 0; bits < 65536; ++bits) tally.meet<zeroth::Uniform>(zeroth::Uniform::value(bits));
  return detail::exact_of({&tally, 1}, 65536);
}

template <>
inline Exact exact_distribution<zeroth::Rademacher>(zeroth::AnyExecutor /*executor*/) {
  detail::Tally tally;
  tally.counts.resize(2);
  for (float z : {-1.0F, 1.0F}) tally.meet<zeroth::Rademacher>(z);
  return detail::exact_of({&tally, 1}, 2);
}

}  // namespace zeroth_bench

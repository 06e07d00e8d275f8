// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/uniform.hpp>

namespace zeroth_bench {

// Theory for g^ = 1/n sum_s (z_s . g) m z_s, where z has independent elements with mean 0, variance 1 and that
// kurtosis, and d^ is the number of weights in m:
//
//     E g^ = m g      E |g^|^2 = |m g|^2 (1 + (d^ + kurtosis - 2) / n)

inline double kurtosis_of(zeroth::Gaussian const& /*sampler*/) {
  return 3;
}
inline double kurtosis_of(zeroth::Uniform const& /*sampler*/) {
  return 1.8;
}
inline double kurtosis_of(zeroth::Rademacher const& /*sampler*/) {
  return 1;
}

/// E |g^ - m g|^2 / |m g|^2.
inline double error_of(double kurtosis, double active, double directions) {
  return (active + kurtosis - 2) / directions;
}

/// The mean cosine of the angle between g^ and g. Within the active weights it is the root of a Beta(n / 2, (d^ - 1) /
/// 2) variable for Gaussian directions, exactly; for others in the limit of many weights. Noise reverses some of the
/// directions; a mask leaves out the rest of g.
/// directions the wrong way round, a mask leaves the rest of g out.
///
/// @param share |m g|^2 / |g|^2
/// @param noise variance of a projected gradient's part other than z . g, over |g|^2
inline double cosine_of(double share, double active, double directions, double noise = 0) {
  double const n = directions;
  double const clean = std::exp(std::lgamma((n + 1) / 2) - std::lgamma(n / 2) + std::lgamma((n + active - 1) / 2) -
                                std::lgamma((n + active) / 2));
  double const right = 1 / (1 + noise);  // share of the projected gradients' variance that is signal
  return std::sqrt(share * right * (n + active - 1) / (right * n + 1 - right + active - 1)) * clean;
}

/// Gaussian descent on sum lambda_i x_i^2 / 2, exactly: E x_i^2 after a step of rate eta over n directions. Returns the
/// steps until sum lambda_i^2 E x_i^2 has fallen to `tolerance` times its initial value; 0 if that takes more than
/// `limit`.
inline std::uint64_t expected_steps(std::span<double const> spectrum, std::vector<double> squares, double rate,
                                    double directions, double tolerance, std::uint64_t limit) {
  double first = 0;
  for (std::uint64_t step = 0; step <= limit; ++step) {
    double gradient = 0;
    for (std::size_t i = 0; i < squares.size(); ++i) gradient += spectrum[i] * spectrum[i] * squares[i];
    if (step == 0) first = gradient;
    if (gradient <= tolerance * first) return step;
    if (!(gradient < 1e6 * first)) return 0;
    for (std::size_t i = 0; i < squares.size(); ++i) {
      double const g = spectrum[i] * spectrum[i] * squares[i];
      squares[i] += -2 * rate * spectrum[i] * squares[i] + rate * rate * (gradient + (directions + 1) * g) / directions;
    }
  }
  return 0;
}

/// The paper's O(d^ L / sigma^2) with the constant of the theorem behind it (Nesterov and Spokoiny, "Random
/// gradient-free minimization of convex functions", 2017, section 7): with the rate 1 / (4 (d^ + 4) L), the mean over
/// the steps of |m grad L|^2 is at most sigma^2 after 8 (d^ + 4) L (f - f*) / sigma^2 of them.
inline double bound(double active, double smoothness, double above_minimum, double sigma_squared) {
  return 8 * (active + 4) * smoothness * above_minimum / sigma_squared;
}

}  // namespace zeroth_bench

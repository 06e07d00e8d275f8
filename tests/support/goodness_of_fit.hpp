// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

namespace zeroth_test {

// Computations for tests of a distribution: a statistic from counts, and the probability that a sample of the
// distribution has a larger one.

/// P(Z <= x) of a standard normal Z.
inline double normal_cdf(double x) {
  return std::erfc(-x / std::numbers::sqrt2) / 2;
}

/// P(|Z| > |x|) of a standard normal Z.
inline double two_sided(double x) {
  return std::erfc(std::abs(x) / std::numbers::sqrt2);
}

/// P(sqrt(n) D > x) of the Kolmogorov-Smirnov distance D of many values (Kolmogorov 1933).
inline double kolmogorov_survival(double x) {
  if (x < 0.3) return 1;  // 1 - 9e-6: the series below needs too many terms there
  double sum = 0;
  for (int k = 1; k <= 20; ++k) sum += (k % 2 == 1 ? 2 : -2) * std::exp(-2.0 * k * k * x * x);
  return std::clamp(sum, 0.0, 1.0);
}

/// P(A^2 > x) of the Anderson-Darling statistic of many values of a fully known distribution.
///
/// Source: Anderson and Darling, "Asymptotic theory of certain goodness of fit criteria based on stochastic processes",
/// Annals of Mathematical Statistics 23 (1952), equation 4.35. The integral uses the trapezoidal rule, which is
/// practically exact for a smooth function that decays like a Gaussian.
inline double anderson_darling_survival(double x) {
  if (x < 0.05) return 1;
  using std::numbers::pi;
  double sum = 0;
  double binomial = 1;  // of -1/2 over j
  for (int j = 0; j < 40; ++j) {
    double const a = (4 * j + 1) * (4 * j + 1) * pi * pi / (8 * x);
    double const reach = std::sqrt(2 * 40 / a);  // the Gaussian is e^-80 there
    constexpr int steps = 400;
    double integral = 0;
    for (int i = 0; i <= steps; ++i) {
      double const w = reach * i / steps;
      double const weight = i == 0 || i == steps ? 0.5 : 1;
      integral += weight * std::exp(x / (8 * (w * w + 1)) - a * w * w) * reach / steps;
    }
    sum += binomial * (4 * j + 1) * std::exp(-a) * integral;
    binomial *= -(2.0 * j + 1) / (2.0 * j + 2);
  }
  return std::clamp(1 - std::sqrt(2 * pi) / x * sum, 0.0, 1.0);
}

/// P(X > x) of a chi-square variable X with that many degrees of freedom: the upper regularised incomplete gamma
/// function of (freedom / 2, x / 2), by its series below the mean and by a continued fraction (Lentz) above.
inline double chi_square_survival(double x, double freedom) {
  double const a = freedom / 2;
  double const t = x / 2;
  if (!(t > 0)) return 1;
  double const scale = std::exp(a * std::log(t) - t - std::lgamma(a));
  if (t < a + 1) {
    double term = 1 / a;
    double sum = term;
    for (double n = 1; term > sum * 1e-16; ++n) sum += term *= t / (a + n);
    return 1 - sum * scale;
  }
  double b = t + 1 - a;
  double c = 1e300;
  double d = 1 / b;
  double h = d;
  for (double n = 1; n < 1e7; ++n) {
    double const factor = n * (a - n);
    b += 2;
    d = 1 / (factor * d + b);
    c = b + factor / c;
    h *= c * d;
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  return h * scale;
}

/// Pearson's statistic, sum (count - expected)^2 / expected, over cells whose expectation is not 0.
inline double chi_square(std::span<std::uint64_t const> counts, std::span<double const> probabilities) {
  double n = 0;
  for (std::uint64_t count : counts) n += static_cast<double>(count);
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    double const expected = n * probabilities[i];
    double const difference = static_cast<double>(counts[i]) - expected;
    if (expected > 0) sum += difference * difference / expected;
  }
  return sum;
}

/// How far the distribution of a sample is from a known one, both given over cells in ascending order.
struct Fit {
  double kolmogorov_smirnov = 0;  ///< sqrt(n) times the largest difference of the two at a cell's end
  double anderson_darling = 0;    ///< n times the integral of (difference)^2 / (F (1 - F)) dF
};

/// @param cdf F at the upper end of each cell; it ends with 1
inline Fit fit(std::span<std::uint64_t const> counts, std::span<double const> cdf) {
  std::uint64_t total = 0;
  for (std::uint64_t count : counts) total += count;
  auto const n = static_cast<double>(total);
  Fit result;
  std::uint64_t below = 0;
  double last = 0;
  for (std::size_t i = 0; i + 1 < counts.size(); ++i) {
    below += counts[i];
    double const difference = static_cast<double>(below) / n - cdf[i];
    result.kolmogorov_smirnov = std::max(result.kolmogorov_smirnov, std::sqrt(n) * std::abs(difference));
    if (cdf[i] > 0 && cdf[i] < 1)
      result.anderson_darling += n * difference * difference * (cdf[i] - last) / (cdf[i] * (1 - cdf[i]));
    last = cdf[i];
  }
  return result;
}

/// The same for a sample itself, compared with a continuous distribution.
/// @param u F of each value; sorted here
inline Fit fit(std::vector<double> u) {
  std::sort(u.begin(), u.end());
  auto const n = static_cast<double>(u.size());
  Fit result;
  double sum = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    auto const rank = static_cast<double>(i);
    double const distance = std::max((rank + 1) / n - u[i], u[i] - rank / n);
    result.kolmogorov_smirnov = std::max(result.kolmogorov_smirnov, std::sqrt(n) * distance);
    sum += (2 * rank + 1) * (std::log(u[i]) + std::log1p(-u[u.size() - 1 - i]));
  }
  result.anderson_darling = -n - sum / n;
  return result;
}

}  // namespace zeroth_test

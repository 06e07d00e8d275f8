// SPDX-License-Identifier: MIT
// A sample of what bench_statistics measures on 10^9 values; seeds are fixed, so a test passes always or never.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <zeroth/random/normal.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/sampler/uniform.hpp>

#include "catch.hpp"
#include "goodness_of_fit.hpp"

namespace {

using zeroth::Gaussian;
using zeroth::NoiseField;
using zeroth::Rademacher;
using zeroth::RandomBlock;
using zeroth::Uniform;

constexpr std::size_t draws = 1U << 20;
constexpr std::uint32_t stream = 77;

/// Results less likely than this are not accepted as chance: about 150 statistics are tested here.
constexpr double least_p = 1e-4;
/// The same limit in standard deviations.
constexpr double most_deviations = 3.9;

template <class S>
std::vector<double> sample(NoiseField<S> const& noise, std::uint32_t of_stream = stream, std::uint32_t sample = 0) {
  constexpr unsigned yield = zeroth::values_per_block<S>;
  constexpr unsigned blocks = zeroth::tile_size / yield;
  std::vector<double> z(draws);
  for (std::size_t tile = 0; tile < draws / zeroth::tile_size; ++tile)
    for (unsigned b = 0; b < blocks; ++b) {
      auto const values = noise.sampler(noise.source(of_stream, sample).block(tile * blocks + b));
      for (unsigned v = 0; v < yield; ++v) z[tile * zeroth::tile_size + v * blocks + b] = double{values[v]};
    }
  return z;
}

/// The continuous distribution. With 10^6 values the steps of 16 bits do not matter: they are 1.5e-5 wide or less, and
/// the distance of two distributions is known to 1e-3.
double cdf_of(Gaussian const& /*sampler*/, double z) {
  return zeroth_test::normal_cdf(z);
}
double cdf_of(Uniform const& /*sampler*/, double z) {
  return 0.5 + z / (2 * std::sqrt(3.0));
}

template <class S>
zeroth_test::Fit fit_of(std::vector<double> const& z) {
  std::vector<double> u;
  for (double value : z) u.push_back(cdf_of(S{}, value));
  return zeroth_test::fit(std::move(u));
}

double mean_of(std::vector<double> const& a) {
  double sum = 0;
  for (double value : a) sum += value;
  return sum / static_cast<double>(a.size());
}

double mean_product(std::vector<double> const& a, std::vector<double> const& b, std::size_t distance = 0) {
  double sum = 0;
  for (std::size_t i = 0; i + distance < a.size(); ++i) sum += a[i] * b[i + distance];
  return sum / static_cast<double>(a.size() - distance);
}

/// z^2 - 1, scaled to variance 1.
std::vector<double> scaled_squares(std::vector<double> z, double kurtosis) {
  for (double& value : z) value = (value * value - 1) / std::sqrt(kurtosis - 1);
  return z;
}

/// Counts of |z| beyond 2, 2.25, ..., 4, separately for each sign, and of the rest.
double tails_p(std::vector<double> const& z) {
  constexpr std::size_t a_side = 9;
  std::vector<std::uint64_t> counts(2 * a_side + 1, 0);
  std::vector<double> probabilities(counts.size(), 0);
  for (double value : z) {
    double const size = std::abs(value);
    std::size_t const cell = size < 2 ? 2 * a_side : std::min(a_side - 1, static_cast<std::size_t>((size - 2) * 4));
    ++counts[size < 2 || value < 0 ? cell : a_side + cell];
  }
  for (std::size_t i = 0; i < a_side; ++i) {
    double const end = 2 + static_cast<double>(i) / 4;
    double const beyond = i + 1 == a_side ? 0 : zeroth_test::normal_cdf(-end - 0.25);
    probabilities[i] = probabilities[a_side + i] = zeroth_test::normal_cdf(-end) - beyond;
  }
  probabilities[2 * a_side] = 1 - 2 * zeroth_test::normal_cdf(-2);
  double const statistic = zeroth_test::chi_square(counts, probabilities);
  return zeroth_test::chi_square_survival(statistic, static_cast<double>(counts.size() - 1));
}

/// Signs of 8 neighbours, compared with all 256 patterns being equally likely.
double patterns_p(std::vector<double> const& z) {
  std::vector<std::uint64_t> counts(256, 0);
  for (std::size_t i = 0; i < z.size(); i += 8) {
    std::size_t pattern = 0;
    for (std::size_t k = 0; k < 8; ++k) pattern = 2 * pattern + (z[i + k] < 0 ? 1 : 0);
    ++counts[pattern];
  }
  double const statistic = zeroth_test::chi_square(counts, std::vector<double>(256, 1.0 / 256));
  return zeroth_test::chi_square_survival(statistic, 255);
}

TEST_CASE("p-values are those of the tables") {
  // Kolmogorov's 10, 5 and 1%.
  CHECK(zeroth_test::kolmogorov_survival(1.2238) == Approx(0.10).epsilon(1e-3));
  CHECK(zeroth_test::kolmogorov_survival(1.3581) == Approx(0.05).epsilon(1e-3));
  CHECK(zeroth_test::kolmogorov_survival(1.6276) == Approx(0.01).epsilon(1e-3));
  // Anderson and Darling's 10, 5, 2.5 and 1%, given to three decimals.
  CHECK(zeroth_test::anderson_darling_survival(1.933) == Approx(0.10).epsilon(2e-3));
  CHECK(zeroth_test::anderson_darling_survival(2.492) == Approx(0.05).epsilon(2e-3));
  CHECK(zeroth_test::anderson_darling_survival(3.070) == Approx(0.025).epsilon(1e-2));
  CHECK(zeroth_test::anderson_darling_survival(3.857) == Approx(0.01).epsilon(3e-2));
  CHECK(zeroth_test::chi_square_survival(3.841458820694124, 1) == Approx(0.05).epsilon(1e-12));
  CHECK(zeroth_test::chi_square_survival(5.991464547107979, 2) == Approx(0.05).epsilon(1e-12));
  CHECK(zeroth_test::chi_square_survival(18.307038053275146, 10) == Approx(0.05).epsilon(1e-12));
  // For many degrees of freedom the median is freedom - 2/3.
  CHECK(zeroth_test::chi_square_survival(65535 - 2.0 / 3, 65535) == Approx(0.5).epsilon(1e-5));
  CHECK(zeroth_test::two_sided(1.959963984540054) == Approx(0.05).epsilon(1e-12));
}

TEST_CASE("a fit over cells is the fit of the values as the cells get small") {
  std::vector<double> u;
  std::uint32_t bits = 1;
  for (int i = 0; i < 4000; ++i) u.push_back(((bits = bits * 1664525U + 1013904223U) + 0.5) * 0x1p-32);
  constexpr std::size_t cells = 1U << 16;
  std::vector<std::uint64_t> counts(cells, 0);
  std::vector<double> cdf(cells);
  for (double value : u) ++counts[static_cast<std::size_t>(value * cells)];
  for (std::size_t i = 0; i < cells; ++i) cdf[i] = static_cast<double>(i + 1) / cells;
  zeroth_test::Fit const fine = zeroth_test::fit(counts, cdf);
  zeroth_test::Fit const exact = zeroth_test::fit(u);
  // A cell holds 0.06 values, so the distances differ by less than about two of sqrt(4000) = 63.
  CHECK(fine.kolmogorov_smirnov == Approx(exact.kolmogorov_smirnov).margin(2 / 63.0));
  CHECK(fine.anderson_darling == Approx(exact.anderson_darling).epsilon(0.01));
}

TEMPLATE_TEST_CASE("a sample of a million is distributed as its sampler says", "", Gaussian, Uniform) {
  double const kurtosis = std::is_same_v<TestType, Gaussian> ? 2.9998 : 1.8;
  for (std::uint64_t seed : {1U, 2U, 3U}) {
    std::vector<double> const z = sample(NoiseField<TestType>{{}, seed, 5});
    zeroth_test::Fit const fit = fit_of<TestType>(z);
    INFO("seed " << seed << ": sqrt(n) D = " << fit.kolmogorov_smirnov << ", A^2 = " << fit.anderson_darling);
    CHECK(zeroth_test::kolmogorov_survival(fit.kolmogorov_smirnov) > least_p);
    CHECK(zeroth_test::anderson_darling_survival(fit.anderson_darling) > least_p);
    CHECK(patterns_p(z) > least_p);
    std::vector<double> const squares = scaled_squares(z, kurtosis);
    double const deviation = 1 / std::sqrt(static_cast<double>(draws));
    CHECK(std::abs(mean_of(z)) < most_deviations * deviation);
    CHECK(std::abs(mean_of(squares)) < most_deviations * deviation);
    // The variance of a fourth power is 96 for the normal distribution, and less for the uniform one.
    double const fourth = mean_product(squares, squares) * (kurtosis - 1) + 2 * mean_product(z, z) - 1;
    CHECK(std::abs(fourth - kurtosis) < most_deviations * deviation * std::sqrt(96.0));
  }
}

TEST_CASE("a sample of a million has the tails of the normal distribution") {
  for (std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) CHECK(tails_p(sample(NoiseField<Gaussian>{{}, seed, 5})) > least_p);
}

TEST_CASE("the signs of a Rademacher sample are those of a fair coin") {
  for (std::uint64_t seed : {1U, 2U, 3U}) {
    std::vector<double> const z = sample(NoiseField<Rademacher>{{}, seed, 5});
    CHECK(std::all_of(z.begin(), z.end(), [](double value) { return std::abs(value) == 1; }));
    CHECK(std::abs(mean_of(z)) < most_deviations / std::sqrt(static_cast<double>(draws)));
    CHECK(patterns_p(z) > least_p);
  }
}

TEMPLATE_TEST_CASE("values and their squares are uncorrelated with every neighbour", "", Gaussian, Uniform,
                   Rademacher) {
  double const kurtosis = std::is_same_v<TestType, Gaussian> ? 2.9998 : 1.8;
  bool const has_squares = !std::is_same_v<TestType, Rademacher>;
  double const bound = most_deviations / std::sqrt(static_cast<double>(draws));
  NoiseField<TestType> const noise{{}, 1, 5};
  std::vector<double> const z = sample(noise);
  std::vector<double> const squares = scaled_squares(z, kurtosis);
  for (std::size_t distance : {1U, 2U, 4U, 8U, 15U, 16U, 17U, 32U, 64U, 127U, 128U}) {
    INFO(distance << " elements apart");
    CHECK(std::abs(mean_product(z, z, distance)) < bound);
    if (has_squares) CHECK(std::abs(mean_product(squares, squares, distance)) < bound);
  }
  std::vector<std::vector<double>> const neighbours = {sample(NoiseField<TestType>{{}, 1, 6}), sample(noise, stream, 1),
                                                       sample(noise, stream + 1),
                                                       sample(NoiseField<TestType>{{}, 2, 5})};
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    INFO("neighbour " << i << " of step, sample, stream and seed");
    CHECK(std::abs(mean_product(z, neighbours[i])) < bound);
    if (has_squares) CHECK(std::abs(mean_product(squares, scaled_squares(neighbours[i], kurtosis))) < bound);
  }
}

/// Samplers that are each wrong in one way.
struct OffCentre : Gaussian {
  std::array<float, 8> operator()(RandomBlock const& block) const {
    std::array<float, 8> z = Gaussian::operator()(block);
    for (float& value : z) value += 0.006F;  // six standard errors of the mean
    return z;
  }
  bool operator==(OffCentre const&) const = default;
};
struct SevenBits : Gaussian {
  std::array<float, 8> operator()(RandomBlock block) const {
    for (std::uint32_t& word : block) word &= 0xfe00ffffU;  // of the radius
    return Gaussian::operator()(block);
  }
  bool operator==(SevenBits const&) const = default;
};
struct NoTail : Gaussian {
  std::array<float, 8> operator()(RandomBlock const& block) const {
    std::array<float, 8> z = Gaussian::operator()(block);
    for (float& value : z) value = std::clamp(value, -3.75F, 3.75F);
    return z;
  }
  bool operator==(NoTail const&) const = default;
};
/// Rademacher's bits with every 16th forced to the one before.
struct Sticky : Rademacher {
  std::array<float, 128> operator()(RandomBlock const& block) const {
    std::array<float, 128> z = Rademacher::operator()(block);
    for (std::size_t i = 15; i < z.size(); i += 16) z[i] = z[i - 1];
    return z;
  }
  bool operator==(Sticky const&) const = default;
};

TEST_CASE("the tests of a sample see a wrong mean, coarse steps, a cut tail and dependent signs") {
  zeroth_test::Fit const off = fit_of<Gaussian>(sample(NoiseField<OffCentre>{{}, 1, 5}));
  CHECK(zeroth_test::kolmogorov_survival(off.kolmogorov_smirnov) < least_p);
  CHECK(zeroth_test::anderson_darling_survival(off.anderson_darling) < least_p);
  zeroth_test::Fit const coarse = fit_of<Gaussian>(sample(NoiseField<SevenBits>{{}, 1, 5}));
  CHECK(zeroth_test::kolmogorov_survival(coarse.kolmogorov_smirnov) < least_p);
  CHECK(zeroth_test::anderson_darling_survival(coarse.anderson_darling) < least_p);
  CHECK(tails_p(sample(NoiseField<NoTail>{{}, 1, 5})) < least_p);
  CHECK(patterns_p(sample(NoiseField<Sticky>{{}, 1, 5})) < least_p);
}

}  // namespace

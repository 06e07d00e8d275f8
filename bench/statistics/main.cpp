// SPDX-License-Identifier: MIT
// Statistics of the samplers' values: bench_statistics [--values N] [--seeds S,S,...] [--threads N].
//
// For each sampler and seed: N values (default 10^9) of one perturbation, and as many of its neighbours in step,
// sample, stream and seed. Each statistic comes with its p-value: the probability that values drawn independently from
// the sampler's exact distribution show a larger one. Prints, last, one line of JSON with every figure.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <zeroth/executor/openmp.hpp>

#include "exact.hpp"
#include "sample.hpp"

namespace {

using nlohmann::json;
using zeroth_bench::Cells;
using zeroth_bench::Coordinates;
using zeroth_bench::Exact;
using zeroth_bench::Sums;

json test(std::string what, double statistic, double p) {
  return {{"what", std::move(what)}, {"statistic", statistic}, {"p", p}};
}

/// A sum that has mean 0 and that standard deviation for independent values.
json score(std::string what, double sum, double deviation) {
  return test(std::move(what), sum / deviation, zeroth_test::two_sided(sum / deviation));
}

json chi_square_test(std::string what, std::vector<std::uint64_t> const& counts, std::vector<double> const& p) {
  double const statistic = zeroth_test::chi_square(counts, p);
  return test(std::move(what), statistic,
              zeroth_test::chi_square_survival(statistic, static_cast<double>(counts.size() - 1)));
}

/// Counts of the cells |z| in (2, 2.25], ..., (3.75, 4] and beyond, separately for each sign, and of the rest.
struct Tails {
  static constexpr double from = 2;
  static constexpr double to = 4;
  static constexpr double width = 0.25;
  static constexpr std::size_t a_side = static_cast<std::size_t>((to - from) / width) + 1;

  static std::size_t of(double x) {
    if (std::abs(x) < from) return 2 * a_side;
    auto const cell = std::min(a_side - 1, static_cast<std::size_t>((std::abs(x) - from) / width));
    return x < 0 ? cell : a_side + cell;
  }

  std::vector<std::uint64_t> counts = std::vector<std::uint64_t>(2 * a_side + 1, 0);
  std::vector<double> exact = std::vector<double>(2 * a_side + 1, 0);
  std::vector<double> smooth = std::vector<double>(2 * a_side + 1, 0);
};

template <class S>
Tails tails_of(Sums const& sums, Exact const& exact) {
  Tails tails;
  double below = 0;
  for (std::size_t i = 0; i < Cells<S>::count; ++i) {
    double const begin = i == 0 ? -std::numeric_limits<double>::infinity() : Cells<S>::end(i - 1);
    double const end = i + 1 == Cells<S>::count ? std::numeric_limits<double>::infinity() : Cells<S>::end(i);
    double const cdf = Cells<S>::smooth_cdf(end);
    std::size_t const tail = Tails::of(std::clamp((begin + end) / 2, -10.0, 10.0));
    tails.counts[tail] += sums.cells[i];
    tails.exact[tail] += exact.probabilities[i];
    tails.smooth[tail] += cdf - below;
    below = cdf;
  }
  return tails;
}

/// Tests that apply to only one of the distributions.
template <class S>
void add_own_tests(json& tests, Sums const& sums, Exact const& exact) {
  if constexpr (std::same_as<S, zeroth::Gaussian>) {
    Tails const tails = tails_of<S>(sums, exact);
    tests.push_back(chi_square_test("tails to 4 sigma", tails.counts, tails.exact));
    tests.push_back(chi_square_test("tails to 4 sigma, against the normal distribution", tails.counts, tails.smooth));
    std::vector<double> normal;
    for (std::size_t i = 0; i < Cells<S>::count; ++i) normal.push_back(Cells<S>::smooth_cdf(Cells<S>::end(i)));
    normal.back() = 1;
    zeroth_test::Fit const fit = zeroth_test::fit(sums.cells, normal);
    tests.push_back(test("Kolmogorov-Smirnov, against the normal distribution", fit.kolmogorov_smirnov,
                         zeroth_test::kolmogorov_survival(fit.kolmogorov_smirnov)));
    tests.push_back(test("Anderson-Darling, against the normal distribution", fit.anderson_darling,
                         zeroth_test::anderson_darling_survival(fit.anderson_darling)));
  }
  if constexpr (std::same_as<S, zeroth::Uniform>)
    tests.push_back(chi_square_test("each of the 65536 values", sums.cells, exact.probabilities));
}

template <class S>
json measure(std::uint64_t seed, std::uint64_t wanted, Exact const& exact, zeroth::AnyExecutor executor) {
  Coordinates const at{seed};
  Sums const sums = zeroth_bench::sums_of<S>(at, wanted, exact, executor);
  std::uint64_t values = 0;
  for (std::uint64_t count : sums.cells) values += count;
  auto const n = static_cast<double>(values);
  double const root = std::sqrt(n);

  // Moments about the mean from those about 0 and the exact variance.
  double const mean = sums.first / n;
  double const second = sums.second / n + exact.variance;
  double const variance = second - mean * mean;
  double const third = sums.third / n + exact.variance * mean;
  double const fourth = sums.fourth / n + 2 * exact.variance * second - exact.variance * exact.variance;
  double const central_fourth = fourth - 4 * mean * third + 6 * mean * mean * second - 3 * std::pow(mean, 4);
  json result = {{"seed", seed}, {"values", values}, {"mean", mean}, {"variance", variance}};
  result["kurtosis"] = central_fourth / (variance * variance);

  json tests = json::array();
  tests.push_back(score("mean", sums.first, root * std::sqrt(exact.variance)));
  double const square_deviation = exact.variance * std::sqrt(exact.kurtosis - 1);  // of z^2
  bool const has_squares = exact.kurtosis > 1;                                     // Rademacher's are all 1
  if (has_squares) {
    tests.push_back(score("variance", sums.second, root * square_deviation));
    zeroth_test::Fit const fit = zeroth_test::fit(sums.cells, exact.cdf);
    tests.push_back(
        test("Kolmogorov-Smirnov", fit.kolmogorov_smirnov, zeroth_test::kolmogorov_survival(fit.kolmogorov_smirnov)));
    tests.push_back(
        test("Anderson-Darling", fit.anderson_darling, zeroth_test::anderson_darling_survival(fit.anderson_darling)));
  }
  add_own_tests<S>(tests, sums, exact);
  tests.push_back(
      chi_square_test("signs of 16 neighbours", sums.patterns, std::vector<double>(sums.patterns.size(), 1.0 / 65536)));
  if (has_squares) {
    std::vector<double> classes(zeroth_bench::pair_cells, 0);
    double last = 0;
    for (std::size_t i = 0; i < exact.cdf.size(); ++i) {
      classes[static_cast<std::size_t>((last + exact.cdf[i]) / 2 * zeroth_bench::pair_cells)] += exact.probabilities[i];
      last = exact.cdf[i];
    }
    std::vector<double> cells;
    for (double a : classes)
      for (double b : classes) cells.push_back(a * b);
    for (std::size_t d = 0; d < zeroth_bench::pair_distances.size(); ++d)
      tests.push_back(
          chi_square_test("pairs " + std::to_string(zeroth_bench::pair_distances[d]) + " apart", sums.pairs[d], cells));
  }
  double const product_deviation = root * exact.variance;
  double const squares_deviation = root * square_deviation * square_deviation;
  for (std::size_t d = 0; d < zeroth_bench::distances.size(); ++d) {
    std::string const apart = "elements " + std::to_string(zeroth_bench::distances[d]) + " apart";
    tests.push_back(score("correlation, " + apart, sums.products[d], product_deviation));
    if (has_squares) tests.push_back(score("correlation of squares, " + apart, sums.squares[d], squares_deviation));
  }
  Coordinates next_step = at;
  Coordinates next_sample = at;
  Coordinates next_stream = at;
  Coordinates next_seed = at;
  ++next_step.step;
  ++next_sample.sample;
  ++next_stream.stream;
  ++next_seed.seed;
  for (auto const& [what, other] : {std::pair{"neighbouring steps", next_step},
                                    {"neighbouring samples", next_sample},
                                    {"neighbouring streams", next_stream},
                                    {"neighbouring seeds", next_seed}}) {
    auto const [products, squares] = zeroth_bench::products_of<S>(at, other, values, exact.variance, executor);
    tests.push_back(score(std::string("correlation, ") + what, products, product_deviation));
    if (has_squares) tests.push_back(score(std::string("correlation of squares, ") + what, squares, squares_deviation));
  }
  result["tests"] = std::move(tests);
  return result;
}

/// Compares the exact distribution with the one it is named after.
template <class S>
json describe(Exact const& exact) {
  json result = {{"variance", exact.variance}, {"kurtosis", exact.kurtosis}, {"largest", exact.largest}};
  if constexpr (std::same_as<S, zeroth::Gaussian>) {
    double distance = 0;
    double squared = 0;  // increase of Anderson-Darling per value
    double last = 0;
    for (std::size_t i = 0; i + 1 < Cells<S>::count; ++i) {
      double const cdf = Cells<S>::smooth_cdf(Cells<S>::end(i));
      double const difference = exact.cdf[i] - cdf;
      distance = std::max(distance, std::abs(difference));
      squared += difference * difference / (cdf * (1 - cdf)) * (cdf - last);
      last = cdf;
    }
    result["distance_from_normal"] = distance;
    result["anderson_darling_a_value"] = squared;
    for (double x : {2.0, 2.5, 3.0, 3.5, 4.0, 4.25, 4.5, 4.75})
      result["tails"].push_back(
          {{"beyond", x}, {"exact", exact.tail<S>(x)}, {"normal", 2 * zeroth_test::normal_cdf(-x)}});
  }
  return result;
}

template <class S>
json measure_all(std::vector<std::uint64_t> const& seeds, std::uint64_t values, zeroth::AnyExecutor executor) {
  Exact const exact = zeroth_bench::exact_distribution<S>(executor);
  json result = {{"sampler", S{}.name()}, {"exact", describe<S>(exact)}};
  std::printf("%s: exactly variance %.9f, kurtosis %.6f, |z| <= %.4f\n", std::string(S{}.name()).c_str(),
              exact.variance, exact.kurtosis, exact.largest);
  for (std::uint64_t seed : seeds) {
    json run = measure<S>(seed, values, exact, executor);
    std::printf("  seed %llu: mean %+.2e, variance - 1 %+.2e, kurtosis %.5f\n", static_cast<unsigned long long>(seed),
                run["mean"].get<double>(), run["variance"].get<double>() - 1, run["kurtosis"].get<double>());
    for (json const& t : run["tests"])
      std::printf("    %-54s %12.4g   p = %.4f\n", t["what"].get<std::string>().c_str(), t["statistic"].get<double>(),
                  t["p"].get<double>());
    std::fflush(stdout);
    result["runs"].push_back(std::move(run));
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Statistics of the samplers' values");
  double values = 1e9;
  std::vector<std::uint64_t> seeds = {1};
  unsigned threads = 0;
  app.add_option("--values", values, "values of each perturbation")->check(CLI::Range(1e5, 1e12));
  app.add_option("--seeds", seeds, "seeds, one run each")->delimiter(',');
  app.add_option("--threads", threads, "0: as many as there are cores");
  CLI11_PARSE(app, argc, argv);
  zeroth::OpenMpExecutor const executor(threads);
  auto const count = static_cast<std::uint64_t>(values);
  json result = {{"part", "statistics"}};
  result["samplers"].push_back(measure_all<zeroth::Gaussian>(seeds, count, executor));
  result["samplers"].push_back(measure_all<zeroth::Uniform>(seeds, count, executor));
  result["samplers"].push_back(measure_all<zeroth::Rademacher>(seeds, count, executor));
  std::printf("%s\n", result.dump().c_str());
}

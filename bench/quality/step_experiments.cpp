// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "experiment.hpp"
#include "function.hpp"
#include "measure.hpp"
#include "theory.hpp"

namespace zeroth_bench {

namespace {

using nlohmann::json;
using zeroth::CentralDifference;
using zeroth::Dense;
using zeroth::Gaussian;

/// sum lambda_i x_i^2 / 2 with lambda_i = i^-power, L = 1, starting 0.01 from the minimum in each element. The order of
/// the elements is independent of the weights' sizes, which are drawn at random.
struct Problem {
  double power = 0;
  std::size_t dimension = 0;

  [[nodiscard]] std::vector<double> spectrum() const {
    std::vector<double> lambda(dimension);
    for (std::size_t i = 0; i < dimension; ++i) lambda[i] = std::pow(static_cast<double>(i + 1), -power);
    return lambda;
  }
  [[nodiscard]] std::vector<double> away() const {
    std::vector<double> x = normal_values(dimension, 11);
    for (double& value : x) value *= 0.01;
    return x;
  }
  [[nodiscard]] std::unique_ptr<Function> function() const {
    std::vector<double> const centre = normal_values(dimension, 12);
    std::vector<double> const x = away();
    std::vector<float> weights;
    for (std::size_t i = 0; i < dimension; ++i) weights.push_back(static_cast<float>(centre[i] + x[i]));
    return std::make_unique<Quadratic>(std::move(weights), centre, spectrum());
  }
};

/// Steps to a tolerance at the best rate on a grid of factors of two: mean over seeds, and the rate.
struct Best {
  Mean steps;
  double rate = 0;
};

/// @param rate middle of the grid
template <class M>
Best best_steps(std::function<std::unique_ptr<Function>()> const& make, M const& mask, std::uint32_t directions,
                double rate, double tolerance, Extent const& extent) {
  Best best;
  for (double factor : extent(std::vector<double>{1, 0.25, 0.5, 2}, std::vector<double>{1})) {
    std::vector<double> steps;
    for (std::uint64_t seed = 1; seed <= extent(std::uint64_t{3}, std::uint64_t{1}); ++seed) {
      std::unique_ptr<Function> const function = make();
      // Stop runs at rates that cannot be the best.
      std::uint64_t const limit = best.rate == 0 ? 20'000'000 : static_cast<std::uint64_t>(3 * best.steps.value) + 10;
      std::uint64_t const taken =
          steps_to(*function, Gaussian{}, mask, CentralDifference{},
                   {.learning_rate = factor * rate, .samples = directions, .seed = seed}, tolerance, limit);
      if (taken == 0) break;
      steps.push_back(static_cast<double>(taken));
    }
    if (steps.size() < extent(std::size_t{3}, std::size_t{1})) continue;
    Mean const mean = detail::mean_of(steps);
    if (best.rate == 0 || mean.value < best.steps.value) best = {mean, factor * rate};
  }
  return best;
}

/// The rate that lowers a quadratic's expectation fastest if all curvatures are equal, and roughly so otherwise.
double usual_rate(std::vector<double> const& spectrum, double density, double directions) {
  double trace = 0;
  for (double lambda : spectrum) trace += density * lambda;
  return directions / (trace + directions + 1);
}

void quadratic_point(Experiment& experiment, Problem const& problem, std::uint32_t directions, double tolerance,
                     double x, double scale, Extent const& extent) {
  std::vector<double> const spectrum = problem.spectrum();
  Best const best = best_steps([&] { return problem.function(); }, Dense{}, directions,
                               usual_rate(spectrum, 1, directions), tolerance, extent);
  std::vector<double> squares = problem.away();
  for (double& value : squares) value *= value;
  std::uint64_t const theory = expected_steps(spectrum, squares, best.rate, directions, tolerance, 20'000'000);
  experiment.point(x, scale * best.steps.value, scale * best.steps.error, scale * static_cast<double>(theory));
}

/// The bound for the same start and tolerance.
double bound_of(Problem const& problem, double tolerance) {
  std::vector<double> const spectrum = problem.spectrum();
  std::vector<double> const x = problem.away();
  double above = 0;
  double gradient = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    above += spectrum[i] * x[i] * x[i] / 2;
    gradient += spectrum[i] * spectrum[i] * x[i] * x[i];
  }
  return bound(static_cast<double>(x.size()), 1, above, tolerance * gradient);
}

std::string spectrum_name(double power) {
  return power == 0 ? "all curvatures 1" : power == 1 ? "curvatures 1 / i" : "curvatures 1 / i^2";
}

json against_dimension(Extent const& extent) {
  constexpr double tolerance = 0.01;
  Experiment experiment("steps-dimension", "Steps until |gradient|^2 is a hundredth: dimension", "weights d", "steps");
  std::size_t const largest = extent(std::size_t{4096}, std::size_t{64});
  for (double power : {0.0, 1.0, 2.0}) {
    experiment.series(spectrum_name(power));
    for (std::size_t d = 16; d <= largest; d *= 4)
      quadratic_point(experiment, {power, d}, 1, tolerance, static_cast<double>(d), 1, extent);
  }
  experiment.series("Rosenbrock");
  for (std::size_t d = 16; d <= largest / 4; d *= 4) {
    auto make = [d] {
      std::vector<float> start;
      for (double z : normal_values(d, 9)) start.push_back(static_cast<float>(0.3 * z));
      return std::make_unique<Rosenbrock>(std::move(start), 10);
    };
    Best const best =
        best_steps(make, Dense{}, 1, 1 / (20 * static_cast<double>(d + 2)), extent(tolerance, 0.5), extent);
    experiment.point(static_cast<double>(d), best.steps.value, best.steps.error, 0);
  }
  experiment.series("bound 8 (d + 4) L (f - f*) / sigma^2, all curvatures 1");
  for (std::size_t d = 16; d <= largest; d *= 4)
    experiment.point(static_cast<double>(d), 0, 0, bound_of({0, d}, tolerance));
  experiment.series("bound, curvatures 1 / i");
  for (std::size_t d = 16; d <= largest; d *= 4)
    experiment.point(static_cast<double>(d), 0, 0, bound_of({1, d}, tolerance));
  return std::move(experiment).json();
}

json against_sparsity(Extent const& extent) {
  constexpr double tolerance = 0.01;
  std::size_t const d = extent(std::size_t{4096}, std::size_t{64});
  Experiment experiment("steps-sparsity",
                        "Steps until |gradient on the active weights|^2 is a hundredth: sparsity, 4096 weights",
                        "active weights", "steps");
  std::vector<double> const densities = extent(std::vector<double>{1, 0.5, 0.25, 0.1, 0.05, 0.02}, {1, 0.25});
  for (double power : {0.0, 1.0}) {
    experiment.series(spectrum_name(power));
    Problem const problem{power, d};
    for (double density : densities) {
      Best const best = best_steps([&] { return problem.function(); }, zeroth::SmallestMagnitude{1 - density}, 1,
                                   usual_rate(problem.spectrum(), density, 1), tolerance, extent);
      experiment.point(std::ceil(density * static_cast<double>(d)), best.steps.value, best.steps.error, 0);
    }
  }
  experiment.series("bound 8 (d^ + 4) L (f - f*) / sigma^2, all curvatures 1");
  for (double density : densities) {
    // f - f* and |gradient|^2 shrink equally with the share of active weights.
    double const active = std::ceil(density * static_cast<double>(d));
    experiment.point(active, 0, 0, bound(active, 1, 0.5, tolerance));
  }
  return std::move(experiment).json();
}

json against_tolerance(Extent const& extent) {
  std::size_t const d = extent(std::size_t{1024}, std::size_t{64});
  Experiment experiment("steps-tolerance", "Steps until |gradient|^2 is sigma^2: tolerance, 1024 weights",
                        "|gradient at the start|^2 / sigma^2", "steps");
  std::vector<double> const ratios = extent(std::vector<double>{3, 10, 30, 100, 300, 1000}, {3});
  for (double power : {0.0, 1.0, 2.0}) {
    experiment.series(spectrum_name(power));
    for (double ratio : ratios) quadratic_point(experiment, {power, d}, 1, 1 / ratio, ratio, 1, extent);
  }
  experiment.series("bound 8 (d + 4) L (f - f*) / sigma^2, all curvatures 1");
  for (double ratio : ratios) experiment.point(ratio, 0, 0, bound_of({0, d}, 1 / ratio));
  return std::move(experiment).json();
}

json against_directions(Extent const& extent) {
  constexpr double tolerance = 0.01;
  std::size_t const d = extent(std::size_t{1024}, std::size_t{64});
  Experiment experiment("steps-directions",
                        "Losses evaluated until |gradient|^2 is a hundredth: directions averaged, 1024 weights",
                        "directions n", "evaluations, 2 n steps");
  for (double power : {0.0, 1.0}) {
    experiment.series(spectrum_name(power));
    for (std::uint32_t n = 1; n <= extent(1024U, 4U); n *= 4)
      quadratic_point(experiment, {power, d}, n, tolerance, n, 2 * n, extent);
  }
  return std::move(experiment).json();
}

}  // namespace

json step_experiments(Extent const& extent) {
  return {against_dimension(extent), against_sparsity(extent), against_tolerance(extent), against_directions(extent)};
}

}  // namespace zeroth_bench

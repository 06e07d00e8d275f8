// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
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
using zeroth::OneSided;
using zeroth::Options;
using zeroth::Rademacher;
using zeroth::SmallestMagnitude;
using zeroth::Uniform;

/// A quadratic of unit curvature with that gradient at its start.
Quadratic with_gradient(std::vector<double> const& g) {
  std::vector<double> const z = normal_values(g.size(), 7);
  std::vector<float> weights;
  std::vector<double> centre;
  for (std::size_t i = 0; i < g.size(); ++i) {
    weights.push_back(static_cast<float>(z[i]));
    centre.push_back(double{weights[i]} - g[i]);
  }
  return {std::move(weights), std::move(centre), std::vector<double>(g.size(), 1)};
}

/// Enough estimates for a standard error of a few percent: one that uses many directions varies less.
std::size_t repeats(Extent const& extent, std::size_t directions) {
  return extent(std::max<std::size_t>(40, 1000 / directions), std::size_t{4});
}

template <class S>
void against_dimension(Experiment& experiment, Extent const& extent, std::uint32_t directions) {
  experiment.series(std::string(S{}.name()) + ", " + std::to_string(directions) +
                    (directions == 1 ? " direction" : " directions"));
  for (std::size_t d = 16; d <= extent(std::size_t{65536}, std::size_t{64}); d *= 4) {
    Quadratic function = with_gradient(normal_values(d, 8));
    Quality const q = measure_quality(function, S{}, Dense{}, CentralDifference{}, {.samples = directions},
                                      repeats(extent, directions));
    experiment.point(static_cast<double>(d), q.cosine.value, q.cosine.error,
                     cosine_of(q.share, static_cast<double>(q.active), directions));
  }
}

json dimension(Extent const& extent) {
  Experiment experiment("dimension", "Angle to the gradient: dimension", "weights d", "mean cosine");
  for (std::uint32_t directions : {1U, 16U, 256U}) against_dimension<Gaussian>(experiment, extent, directions);
  for (std::uint32_t directions : {1U, 16U, 256U}) against_dimension<Rademacher>(experiment, extent, directions);
  against_dimension<Uniform>(experiment, extent, 16);
  return std::move(experiment).json();
}

template <class S, class E>
void against_directions(Experiment& experiment, Extent const& extent, std::string const& name) {
  std::size_t const d = extent(std::size_t{4096}, std::size_t{256});
  experiment.series(name);
  for (std::uint32_t n = 1; n <= extent(4096U, 16U); n *= 4) {
    Quadratic function = with_gradient(normal_values(d, 8));
    Quality const q = measure_quality(function, S{}, Dense{}, E{}, {.samples = n}, repeats(extent, n));
    experiment.point(n, q.error.value, q.error.error, error_of(kurtosis_of(S{}), static_cast<double>(q.active), n));
  }
}

json directions(Extent const& extent) {
  Experiment experiment("directions", "Variance: directions averaged, 4096 weights", "directions n",
                        "E |estimate - gradient|^2 / |gradient|^2");
  against_directions<Gaussian, CentralDifference>(experiment, extent, "gaussian");
  against_directions<Rademacher, CentralDifference>(experiment, extent, "rademacher");
  against_directions<Gaussian, OneSided>(experiment, extent, "gaussian, one-sided");
  return std::move(experiment).json();
}

/// How the gradient is distributed: |g_i| grows with |theta_i|^power.
template <class M>
void against_sparsity(Experiment& experiment, Extent const& extent, std::string const& name, double power) {
  std::size_t const d = extent(std::size_t{16384}, std::size_t{256});
  std::vector<double> const theta = normal_values(d, 7);
  std::vector<double> g = normal_values(d, 8);
  for (std::size_t i = 0; i < d; ++i) g[i] *= std::pow(std::abs(theta[i]) + 0.01, power);
  experiment.series(name);
  for (double density : {1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01}) {
    Quadratic function = with_gradient(g);
    M mask{};
    mask.sparsity = 1 - density;
    Quality const q = measure_quality(function, Gaussian{}, mask, CentralDifference{}, {}, repeats(extent, 1));
    experiment.point(density, q.cosine.value, q.cosine.error, cosine_of(q.share, static_cast<double>(q.active), 1));
  }
}

json sparsity(Extent const& extent) {
  Experiment experiment("sparsity", "Angle to the whole gradient: sparsity, 16384 weights",
                        "share of active weights, 1 - sparsity", "mean cosine");
  against_sparsity<SmallestMagnitude>(experiment, extent, "smallest, gradient grows with 1 / |weight|", -1);
  against_sparsity<SmallestMagnitude>(experiment, extent, "smallest, gradient grows with 1 / sqrt |weight|", -0.5);
  against_sparsity<SmallestMagnitude>(experiment, extent, "smallest, gradient does not depend on the weight", 0);
  against_sparsity<SmallestMagnitude>(experiment, extent, "smallest, gradient grows with |weight|", 1);
  against_sparsity<zeroth::RandomMask>(experiment, extent, "random, gradient does not depend on the weight", 0);
  return std::move(experiment).json();
}

template <class E>
void against_epsilon(Experiment& experiment, Extent const& extent, std::string const& name, double noise,
                     bool has_theory) {
  std::size_t const d = 256;
  constexpr std::uint32_t n = 64;
  experiment.series(name);
  for (int exponent = -6; exponent <= 1; exponent += extent(1, 3)) {
    double const epsilon = std::pow(10.0, exponent / 1.5 - 1);
    std::vector<float> start;
    for (double z : normal_values(d, 9)) start.push_back(static_cast<float>(0.3 * z));
    Rosenbrock function(start, 10, noise);
    double const g = detail::dot(function.gradient(), function.gradient());
    Quality const q =
        measure_quality(function, Gaussian{}, Dense{}, E{}, {.epsilon = epsilon, .samples = n}, repeats(extent, n));
    double const noise_share = noise * noise / (2 * epsilon * epsilon * g);
    experiment.point(epsilon, q.cosine.value, q.cosine.error,
                     has_theory ? cosine_of(1, static_cast<double>(d), n, noise_share) : 0);
  }
}

json epsilon(Extent const& extent) {
  Experiment experiment("epsilon",
                        "Angle to the gradient: epsilon and noise of the loss, Rosenbrock, 256 weights, n = 64",
                        "epsilon", "mean cosine");
  against_epsilon<CentralDifference>(experiment, extent, "no noise", 0, true);
  against_epsilon<CentralDifference>(experiment, extent, "noise 1e-3", 1e-3, true);
  against_epsilon<CentralDifference>(experiment, extent, "noise 1e-2", 1e-2, true);
  against_epsilon<CentralDifference>(experiment, extent, "noise 1e-1", 1e-1, true);
  against_epsilon<OneSided>(experiment, extent, "no noise, one-sided", 0, false);
  return std::move(experiment).json();
}

json batches(Extent const& extent) {
  Experiment experiment("batches", "Angle to the gradient: batch of a logistic regression, 256 weights",
                        "examples in a batch", "mean cosine");
  std::size_t const d = 256;
  for (std::uint32_t n : {1U, 64U}) {
    experiment.series(std::to_string(n) + (n == 1 ? " direction" : " directions"));
    for (std::size_t batch = 1; batch <= extent(std::size_t{256}, std::size_t{4}); batch *= 4) {
      Logistic function(d, extent(std::size_t{1024}, std::size_t{64}), batch);
      double const g = detail::dot(function.gradient(), function.gradient());
      Quality const q = measure_quality(function, Gaussian{}, Dense{}, CentralDifference{}, {.samples = n},
                                        extent(std::size_t{n == 1 ? 1000U : 200U}, std::size_t{4}));
      // A batch's contribution to the gradient is practically always orthogonal to it.
      double const share = 1 / (1 + function.batch_variance() / g);
      experiment.point(static_cast<double>(batch), q.cosine.value, q.cosine.error,
                       cosine_of(share, static_cast<double>(d), n));
    }
  }
  return std::move(experiment).json();
}

}  // namespace

json cosine_experiments(Extent const& extent) {
  return {dimension(extent), directions(extent), sparsity(extent), epsilon(extent), batches(extent)};
}

}  // namespace zeroth_bench

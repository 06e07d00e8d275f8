// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "decoder_function.hpp"
#include "experiment.hpp"
#include "measure.hpp"
#include "theory.hpp"

namespace zeroth_bench {

namespace {

using nlohmann::json;
using zeroth::CentralDifference;
using zeroth::Dense;
using zeroth::Gaussian;
using zeroth::OneSided;
using zeroth::Rademacher;

std::size_t repeats(Extent const& extent, std::size_t directions) {
  return extent(std::max<std::size_t>(20, 1000 / directions), std::size_t{3});
}

/// How accurate the f64 gradient is, and how far the f32 loss is from the f64 one.
json check(DecoderFunction& function) {
  std::vector<double> const g = function.gradient();
  std::vector<double> doubled = function.gradient(2 * DecoderFunction::difference_width);
  for (std::size_t i = 0; i < g.size(); ++i) doubled[i] -= g[i];
  double const length = std::sqrt(detail::dot(g, g));
  // The error of central differences grows with the square of the width: doubling it adds three times the error.
  double const error = std::sqrt(detail::dot(doubled, doubled)) / 3 / length;
  double const loss = function.reference_loss();
  std::printf("\nThe small decoder: %zu weights, loss %.6f, %.1e off in f32; |gradient| %.4f, known to %.1e of it\n",
              g.size(), loss, std::abs(function.loss() - loss), length, error);
  return {{"weights", g.size()},
          {"loss", loss},
          {"loss_difference_f32", std::abs(function.loss() - loss)},
          {"gradient_length", length},
          {"gradient_relative_error", error}};
}

template <class E>
void against_epsilon(Experiment& experiment, DecoderFunction& function, std::string const& name, Extent const& extent) {
  constexpr std::uint32_t n = 64;
  experiment.series(name);
  for (int exponent = -14; exponent <= 0; exponent += extent(2, 7)) {
    double const epsilon = std::pow(10.0, exponent / 2.0);
    Quality const q =
        measure_quality(function, Gaussian{}, Dense{}, E{}, {.epsilon = epsilon, .samples = n}, repeats(extent, n));
    experiment.point(epsilon, q.cosine.value, q.cosine.error, cosine_of(1, static_cast<double>(q.active), n));
  }
}

template <class S, class E>
void against_directions(Experiment& experiment, DecoderFunction& function, std::string const& name,
                        Extent const& extent) {
  experiment.series(name);
  for (std::uint32_t n = 1; n <= extent(1024U, 4U); n *= 4) {
    Quality const q = measure_quality(function, S{}, Dense{}, E{}, {.samples = n}, repeats(extent, n));
    experiment.point(n, q.cosine.value, q.cosine.error, cosine_of(1, static_cast<double>(q.active), n));
  }
}

template <class M>
void against_sparsity(Experiment& experiment, DecoderFunction& function, std::string const& name, bool shares,
                      Extent const& extent) {
  experiment.series(name);
  for (double density : extent(std::vector<double>{1, 0.5, 0.25, 0.1, 0.05, 0.02}, {1, 0.25})) {
    M mask{};
    mask.sparsity = 1 - density;
    mask.vectors = zeroth::Coverage::none;
    Quality const q = measure_quality(function, Gaussian{}, mask, CentralDifference{}, {.samples = 16},
                                      shares ? 1 : repeats(extent, 16));
    auto const active = static_cast<double>(q.active);
    if (shares)
      experiment.point(active, q.share, 0, active / static_cast<double>(function.parameters().weights()));
    else
      experiment.point(active, q.cosine.value, q.cosine.error, cosine_of(q.share, active, 16));
  }
}

template <class Run>
json experiment(std::string name, std::string title, std::string x, std::string y, Run&& run) {
  Experiment result(std::move(name), std::move(title), std::move(x), std::move(y));
  run(result);
  return std::move(result).json();
}

}  // namespace

json decoder_experiments(Extent const& extent) {
  DecoderFunction function(extent(32U, 16U), 2, extent.executor);
  json result = {{"check", check(function)}, {"experiments", json::array()}};
  auto add = [&](json value) { result["experiments"].push_back(std::move(value)); };
  add(experiment("decoder-epsilon", "The small transformer: epsilon, 64 directions", "epsilon", "mean cosine",
                 [&](Experiment& e) {
                   against_epsilon<CentralDifference>(e, function, "central", extent);
                   against_epsilon<OneSided>(e, function, "one-sided", extent);
                 }));
  add(experiment("decoder-directions", "The small transformer: directions averaged, epsilon 1e-3", "directions n",
                 "mean cosine", [&](Experiment& e) {
                   against_directions<Gaussian, CentralDifference>(e, function, "gaussian", extent);
                   against_directions<Rademacher, CentralDifference>(e, function, "rademacher", extent);
                   against_directions<Gaussian, OneSided>(e, function, "gaussian, one-sided", extent);
                 }));
  auto masks = [&](Experiment& e, bool shares) {
    against_sparsity<zeroth::SmallestMagnitude>(e, function, "smallest magnitude", shares, extent);
    against_sparsity<zeroth::LargestMagnitude>(e, function, "largest magnitude", shares, extent);
    against_sparsity<zeroth::RandomMask>(e, function, "random", shares, extent);
  };
  add(experiment("decoder-sparsity", "The small transformer: sparsity, 16 directions, epsilon 1e-3", "active weights",
                 "mean cosine", [&](Experiment& e) { masks(e, false); }));
  add(experiment("decoder-share", "The small transformer: where its squared gradient lies", "active weights",
                 "share of |gradient|^2", [&](Experiment& e) { masks(e, true); }));
  return result;
}

}  // namespace zeroth_bench

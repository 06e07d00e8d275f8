// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/parameters.hpp>

namespace zeroth_test {

/// A quadratic that is cheap to evaluate and whose minimum differs for neighbouring weights.
inline double loss(std::span<float const> theta) {
  double sum = 0;
  for (std::size_t i = 0; i < theta.size(); ++i) {
    double const t = double{theta[i]} - 0.01 * static_cast<double>(i % 7);
    sum += t * t + 0.1 * t;
  }
  return sum;
}

/// All current weights of a set, one tensor after the other.
inline std::vector<float> weights_of(zeroth::ParameterSet const& parameters) {
  std::vector<float> all;
  for (zeroth::Parameter const& p : parameters) {
    auto const* const data = static_cast<float const*>(p.data);
    all.insert(all.end(), data, data + p.size());
  }
  return all;
}

/// All weights of each lane of a probe, one tensor after the other.
template <class Probe>
std::vector<std::vector<float>> lanes_of(Probe const& probe, zeroth::ParameterSet const& parameters) {
  std::vector<std::vector<float>> lanes(probe.points().size(), std::vector<float>(parameters.weights()));
  std::size_t at = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    std::vector<float*> panels;
    for (std::vector<float>& lane : lanes) panels.push_back(lane.data() + at);
    probe.expand(i, 0, parameters[i].size(), panels);
    at += parameters[i].size();
  }
  return lanes;
}

/// A loss of all weights, `double(std::span<float const>)`, as an objective that takes them from a probe.
template <class Loss>
auto fused(zeroth::ParameterSet const& parameters, Loss loss) {
  return [&parameters, loss = std::move(loss)](auto const& probe, std::span<double> losses) {
    std::vector<std::vector<float>> const lanes = lanes_of(probe, parameters);
    for (std::size_t k = 0; k < lanes.size(); ++k) losses[k] = loss(std::span<float const>(lanes[k]));
  };
}

/// The same loss as an objective that reads the weights where they lie.
template <class Loss>
auto in_place(zeroth::ParameterSet const& parameters, Loss loss) {
  return [&parameters, loss = std::move(loss)]() -> double {
    std::vector<float> const all = weights_of(parameters);
    return loss(std::span<float const>(all));
  };
}

}  // namespace zeroth_test

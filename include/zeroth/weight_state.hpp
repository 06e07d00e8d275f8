// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <zeroth/parameters.hpp>

namespace zeroth {

/// The values that an update keeps for each weight: `floats` f32 for the weights of each tensor that was updated, zeros
/// at first.
class WeightState {
 public:
  WeightState(ParameterSet const& parameters, std::size_t floats) : floats_(floats), state_(parameters.size()) {}

  /// `floats` planes of a value for each weight of the tensor.
  [[nodiscard]] float* tensor(std::size_t index, Parameter const& tensor) {
    std::size_t const size = floats_ * static_cast<std::size_t>(tensor.size());
    if (state_[index].size() != size) state_[index].resize(size, 0);
    return state_[index].data();
  }

  /// Bytes held.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (std::vector<float> const& values : state_) total += values.size() * sizeof(float);
    return total;
  }

 private:
  std::size_t floats_;
  std::vector<std::vector<float>> state_;  // one a tensor
};

}  // namespace zeroth

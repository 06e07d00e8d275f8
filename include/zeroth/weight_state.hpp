// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <zeroth/backend/memory.hpp>
#include <zeroth/parameters.hpp>

namespace zeroth {

/// The values that an update keeps for each weight: `floats` f32 for the weights of each tensor that was updated, zeros
/// at first, where the backend's passes reach them.
class WeightState {
 public:
  WeightState(ParameterSet const& parameters, std::size_t floats) : floats_(floats), state_(parameters.size()) {}

  /// `floats` planes of a value for each weight of the tensor.
  template <class Backend>
  [[nodiscard]] float* tensor(std::size_t index, Parameter const& tensor, Backend const& backend) {
    if (state_[index] == nullptr) {
      std::size_t const bytes = floats_ * static_cast<std::size_t>(tensor.size()) * sizeof(float);
      state_[index] = allocate_for(backend, bytes);
      bytes_ += bytes;
    }
    return reinterpret_cast<float*>(state_[index].get());
  }

  /// Bytes held.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t floats_;
  std::vector<std::shared_ptr<std::byte>> state_;  // one a tensor
  std::uint64_t bytes_ = 0;
};

}  // namespace zeroth

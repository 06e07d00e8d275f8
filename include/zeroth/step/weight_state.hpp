// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA {

/// The values that an update keeps for each weight: `floats` f32 for the weights of each tensor that was updated, zeros
/// at first, where the backend's passes reach them.
class WeightState {
 public:
  WeightState(ParameterSet const& parameters, std::size_t floats) : floats_(floats), state_(parameters.size()) {}

  /// `floats` planes of a value for each weight of the tensor.
  /// @throws InvalidArgument naming the tensor, if they take more bytes than the address space has
  template <class Backend>
  [[nodiscard]] float* tensor(std::size_t index, Parameter const& tensor, Backend const& backend) {
    if (state_[index] == nullptr) {
      if (tensor.size() > std::numeric_limits<std::size_t>::max() / (floats_ * sizeof(float)))
        throw InvalidArgument("parameter '" + tensor.name + "': its update keeps " +
                              std::to_string(floats_ * sizeof(float)) + " bytes per weight, which for " +
                              std::to_string(tensor.size()) + " weights is more than the address space has");
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

}  // namespace zeroth::ZEROTH_ISA

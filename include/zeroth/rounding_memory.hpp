// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth {

/// What a way of rounding keeps beside 16-bit weights from one update to the next: bytes_beside(rounding) for each
/// weight of the tensors that were updated, nothing for those of f32.
class RoundingMemory {
 public:
  RoundingMemory(ParameterSet const& parameters, Rounding rounding) : rounding_(rounding), beside_(parameters.size()) {}

  /// The pass as an update of that tensor: with the rounding, and the tensor's memory beside.
  [[nodiscard]] ElementwisePass update(ElementwisePass pass, std::size_t index, Parameter const& tensor) {
    if (tensor.dtype == DataType::f32) return pass;
    pass.rounding = rounding_;
    std::size_t const bytes = static_cast<std::size_t>(tensor.size()) * bytes_beside(rounding_);
    if (beside_[index].size() != bytes) beside_[index].resize(bytes);
    pass.beside = bytes == 0 ? nullptr : beside_[index].data();
    return pass;
  }

  /// Bytes held.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (std::vector<std::byte> const& memory : beside_) total += memory.size();
    return total;
  }

 private:
  Rounding rounding_;
  std::vector<std::vector<std::byte>> beside_;  // one a tensor
};

}  // namespace zeroth

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth/parameters.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The index of a tensor that a decoder does not have.
inline constexpr std::size_t no_tensor = static_cast<std::size_t>(-1);

/// Places of some elements of a matrix, row by row, in ascending order.
struct SparsePlaces {
  std::vector<std::uint64_t> row_begins;  ///< where each row's places begin in `columns`, and where the last ends
  std::vector<std::uint32_t> columns;

  [[nodiscard]] std::uint64_t size() const noexcept { return columns.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return row_begins.size() * sizeof(std::uint64_t) + columns.size() * sizeof(std::uint32_t);
  }
};

/// What of a tensor is tuned, and so perturbed by a probe.
enum class Tuned : std::uint8_t {
  nothing,
  values,       ///< all of its values, which are numbers
  some_values,  ///< those at `places`
  scales,       ///< the scales of its blocks
};

/// A tensor as forward passes read it: numbers, or values in the encoding of the file that they lie in; and what of
/// them is tuned.
struct WeightTensor {
  std::string name{};
  Role role = Role::matrix;
  Shape shape{};
  TensorType type = TensorType::f32;
  void* data = nullptr;  ///< row-major; rows are whole blocks; not owned
  Tuned tuned = Tuned::nothing;
  std::size_t parameter = no_tensor;     ///< index of what is tuned in the ParameterSet of a probe
  float const* theta = nullptr;          ///< f32, not owned: what is tuned of it, unless that is all values
  SparsePlaces const* places = nullptr;  ///< not owned

  [[nodiscard]] std::uint64_t size() const noexcept { return shape.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return find_tensor_type(type)->bytes_of(size()); }

  /// The type of its numbers; of those that a quantised tensor decodes to.
  [[nodiscard]] DataType dtype() const noexcept { return data_type_of(type); }

  /// Whether its rows, as they are without a probe, can be read in place as floats.
  [[nodiscard]] bool has_floats() const noexcept {
    return type == TensorType::f32 && tuned <= Tuned::values &&
           reinterpret_cast<std::uintptr_t>(data) % alignof(float) == 0;
  }

  /// Blocks of a row.
  [[nodiscard]] std::uint64_t row_blocks() const noexcept {
    return shape.columns / find_tensor_type(type)->block_values;
  }
};

/// The tensors of a set of parameters.
[[nodiscard]] inline std::vector<WeightTensor> weight_tensors(ParameterSet const& parameters) {
  std::vector<WeightTensor> tensors;
  for (Parameter const& p : parameters)
    tensors.push_back({p.name, p.role, p.shape, tensor_type_of(p.dtype), p.data, Tuned::values, tensors.size()});
  return tensors;
}

/// Decodes values [first, first + values.size()) of a tensor in host memory, without what is tuned beside it.
/// @param scales of all of its blocks, in place of their own; null: their own
inline void decode_values(WeightTensor const& tensor, std::uint64_t first, std::span<float> values,
                          float const* scales = nullptr) {
  TensorTypeTraits const traits = *find_tensor_type(tensor.type);
  std::size_t const block = traits.block_values;
  auto const decode = [&](std::uint64_t from, std::span<float> blocks) {
    auto const* const stored = static_cast<std::byte const*>(tensor.data) + traits.bytes_of(from);
    if (scales == nullptr)
      dequantize(tensor.type, {stored, static_cast<std::size_t>(traits.bytes_of(blocks.size()))}, blocks);
    else
      detail::block_decoder(tensor.type, best_instruction_set())(stored, scales + from / block, blocks.data(),
                                                                 blocks.size() / block);
  };
  while (!values.empty()) {
    std::size_t const skipped = static_cast<std::size_t>(first % block);
    std::size_t count = values.size() / block * block;
    if (skipped == 0 && count != 0) {
      decode(first, values.first(count));
    } else {
      // The end of one block or the beginning of another.
      float whole[256];
      decode(first - skipped, std::span(whole).first(block));
      count = std::min(block - skipped, values.size());
      std::copy_n(whole + skipped, count, values.data());
    }
    first += count;
    values = values.subspan(count);
  }
}

/// Values [first, first + values.size()) of a tensor in host memory, with what is tuned beside it.
inline void read_values(WeightTensor const& tensor, std::uint64_t first, std::span<float> values) {
  decode_values(tensor, first, values, tensor.tuned == Tuned::scales ? tensor.theta : nullptr);
  if (tensor.tuned != Tuned::some_values || values.empty()) return;
  std::uint64_t const end = first + values.size();
  for (std::uint64_t row = first / tensor.shape.columns; row * tensor.shape.columns < end; ++row) {
    auto const r = static_cast<std::size_t>(row);
    for (auto i = static_cast<std::size_t>(tensor.places->row_begins[r]); i < tensor.places->row_begins[r + 1]; ++i) {
      std::uint64_t const element = row * tensor.shape.columns + tensor.places->columns[i];
      if (element >= first && element < end) values[static_cast<std::size_t>(element - first)] = tensor.theta[i];
    }
  }
}

}  // namespace zeroth::ZEROTH_ISA::model

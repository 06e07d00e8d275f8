// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/decoder/scratch.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// What is tuned of a tensor, elements [first, first + count) of its parameter, for every lane: in place without a
/// probe, otherwise expanded into the scratch.
inline std::span<float const* const> read_tuned(WeightView const& weights, WeightTensor const& t, std::uint64_t first,
                                                std::uint64_t count, std::size_t lanes, ScratchPool::Piece& scratch) {
  scratch.tuned_of.resize(lanes);
  if (weights.probe == nullptr) {
    // Read only.
    std::fill(scratch.tuned_of.begin(), scratch.tuned_of.end(), const_cast<float*>(t.theta) + first);
  } else {
    float* const base = scratch.tuned.reserve(lanes * static_cast<std::size_t>(count));
    for (std::size_t l = 0; l < lanes; ++l) scratch.tuned_of[l] = base + l * static_cast<std::size_t>(count);
    weights.probe->expand(t.parameter, first, count, scratch.tuned_of);
  }
  return scratch.tuned_of;
}

}  // namespace detail

/// Writes rows [first, first + rows) of a tensor in host memory as each lane sees them, one row after the other. Rows
/// of quantised tensors are decoded, once for all lanes if values are what is tuned of them.
/// @param lanes where the rows of each lane go; one for all lanes if they share them
inline void read_rows(WeightView const& weights, std::size_t tensor, std::uint64_t first, std::size_t rows,
                      std::span<float* const> lanes, ScratchPool::Piece& scratch) {
  WeightTensor const& t = weights[tensor];
  auto const columns = static_cast<std::size_t>(t.shape.columns);
  std::size_t const size = rows * columns;
  if (t.tuned == Tuned::values && weights.probe != nullptr)
    return weights.probe->expand(t.parameter, first * columns, size, lanes);
  if (t.tuned == Tuned::scales) {
    auto const blocks = static_cast<std::size_t>(t.row_blocks());
    auto const scales = detail::read_tuned(weights, t, first * blocks, rows * blocks, lanes.size(), scratch);
    auto const* const stored =
        static_cast<std::byte const*>(t.data) + find_tensor_type(t.type)->bytes_of(first * columns);
    auto const decode = detail::block_decoder(t.type, best_instruction_set());
    for (std::size_t l = 0; l < lanes.size(); ++l) decode(stored, scales[l], lanes[l], rows * blocks);
    return;
  }
  decode_values(t, first * columns, {lanes[0], size});
  for (float* const lane : lanes.subspan(1)) std::copy_n(lanes[0], size, lane);
  if (t.tuned != Tuned::some_values) return;
  std::uint64_t const* const begins = t.places->row_begins.data() + first;
  auto const values = detail::read_tuned(weights, t, begins[0], begins[rows] - begins[0], lanes.size(), scratch);
  for (std::size_t l = 0; l < lanes.size(); ++l) {
    for (std::size_t r = 0; r < rows; ++r)
      for (std::uint64_t i = begins[r]; i < begins[r + 1]; ++i)
        lanes[l][r * columns + t.places->columns[static_cast<std::size_t>(i)]] = values[l][i - begins[0]];
  }
}

}  // namespace zeroth::ZEROTH_ISA::model

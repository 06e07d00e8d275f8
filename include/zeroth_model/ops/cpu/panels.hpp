// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/decoder/weight_rows.hpp>
#include <zeroth_model/ops/cpu/activations.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model::cpu {

/// Rows of a matrix that one task expands and multiplies: enough to share the noise's set-up and the reading of the
/// activations, and few enough for a lane to stay in the second-level cache together with a tile of activations, and
/// for tasks to divide well among threads. Each lane's rows are used for all of its tokens before the next lane's, so
/// the other lanes may wait in a more distant cache.
inline constexpr std::size_t panel_bytes = 512 * 1024;  ///< of one lane; half of a common 1 MiB
inline constexpr std::size_t panel_rows_most = 48;      ///< a multiple of 12, the height of the largest register tile
inline constexpr std::size_t panel_rows_least = 12;     ///< one such tile

/// Rows per panel, from the width of the matrix.
[[nodiscard]] constexpr std::size_t panel_rows(std::size_t columns) noexcept {
  std::size_t const fitting = panel_bytes / (columns * sizeof(float));
  return std::clamp(fitting / panel_rows_least * panel_rows_least, panel_rows_least, panel_rows_most);
}

/// Rows of one tensor as every lane sees them.
struct Panel {
  std::span<float const* const> lanes;
  std::size_t stride;  ///< floats from one row to the next
};

/// Rows [first, first + rows) of a tensor for all lanes: in place if they share floats, otherwise in `scratch`, once
/// for the lanes that share them; see read_rows().
///
/// `reserved` floats of the scratch come before the panels, for the caller's own use.
[[nodiscard]] inline Panel read_panel(WeightView const& weights, std::size_t tensor, std::size_t first,
                                      std::size_t rows, ScratchPool::Piece& scratch, std::size_t reserved = 0) {
  WeightTensor const& t = weights[tensor];
  auto const columns = static_cast<std::size_t>(t.shape.columns);
  std::size_t const lanes = weights.lanes();
  // Rows whose length is a multiple of 4 KiB all fall into the same set of the first-level cache, and the register tile
  // reads twelve of them at once.
  bool const spread = columns % 1024 == 0 && rows > 1;
  std::size_t const stride = columns + (spread ? block_tokens : 0);
  bool const shared = weights.shares(tensor);
  if (shared && t.has_floats() && !spread) {
    scratch.pointers.assign(lanes, static_cast<float*>(t.data) + first * columns);
    scratch.values.reserve(reserved);
    return {scratch.pointers, stride};
  }
  std::size_t const size = (rows * stride + block_tokens - 1) / block_tokens * block_tokens;
  std::size_t const distinct = shared ? 1 : lanes;
  float* const base = scratch.values.reserve(reserved + distinct * size) + reserved;
  scratch.pointers.resize(lanes);
  std::span<float* const> const pointers(scratch.pointers.data(), distinct);
  std::size_t const height = spread ? 1 : rows;  // rows that are read at once
  for (std::size_t r = 0; r < rows; r += height) {
    for (std::size_t l = 0; l < distinct; ++l) scratch.pointers[l] = base + l * size + r * stride;
    read_rows(weights, tensor, first + r, height, pointers, scratch);
  }
  for (std::size_t l = 0; l < lanes; ++l) scratch.pointers[l] = base + (shared ? 0 : l * size);
  return {scratch.pointers, stride};
}

/// Elements [first, first + count) of a vector for all lanes, in one row each; otherwise like read_panel().
[[nodiscard]] inline Panel read_elements(WeightView const& weights, std::size_t tensor, std::size_t first,
                                         std::size_t count, ScratchPool::Piece& scratch) {
  WeightTensor const& t = weights[tensor];
  std::size_t const lanes = weights.lanes();
  if (!weights.shares(tensor)) {
    float* const base = scratch.values.reserve(lanes * count);
    scratch.pointers.resize(lanes);
    for (std::size_t l = 0; l < lanes; ++l) scratch.pointers[l] = base + l * count;
    weights.probe->expand(t.parameter, first, count, scratch.pointers);
  } else if (t.has_floats()) {
    scratch.pointers.assign(lanes, static_cast<float*>(t.data) + first);
  } else {
    float* const values = scratch.values.reserve(count);
    scratch.pointers.assign(lanes, values);
    decode_values(t, first, {values, count});
  }
  return {scratch.pointers, count};
}

}  // namespace zeroth::ZEROTH_ISA::model::cpu

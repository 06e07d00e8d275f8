// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/cpu/activations.hpp>

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

/// Rows [first, first + rows) of a tensor for all lanes: without a probe theta itself if it is f32, otherwise expanded
/// or widened into `scratch`.
///
/// `reserved` floats of the scratch come before the panels, for the caller's own use.
[[nodiscard]] inline Panel read_panel(WeightView const& weights, std::size_t parameter, std::size_t first,
                                      std::size_t rows, ScratchPool::Piece& scratch, std::size_t reserved = 0) {
  Parameter const& p = weights.parameters[parameter];
  auto const columns = static_cast<std::size_t>(p.shape.columns);
  std::size_t const lanes = weights.lanes();
  // Rows whose length is a multiple of 4 KiB all fall into the same set of the first-level cache, and the register tile
  // reads twelve of them at once.
  bool const spread = columns % 1024 == 0 && rows > 1;
  std::size_t const stride = columns + (spread ? block_tokens : 0);
  std::size_t const size = (rows * stride + block_tokens - 1) / block_tokens * block_tokens;
  scratch.pointers.resize(lanes);
  if (weights.probe == nullptr) {
    auto* const theta = static_cast<std::byte*>(p.data) + first * columns * size_of(p.dtype);
    if (p.dtype == DataType::f32 && !spread) {
      std::fill(scratch.pointers.begin(), scratch.pointers.end(), reinterpret_cast<float*>(theta));
      scratch.values.reserve(reserved);
      return {scratch.pointers, stride};
    }
    float* const panel = scratch.values.reserve(reserved + size) + reserved;
    std::fill(scratch.pointers.begin(), scratch.pointers.end(), panel);
    std::size_t const pieces = spread ? rows : 1;
    std::size_t const length = spread ? columns : rows * columns;
    for (std::size_t i = 0; i < pieces; ++i)
      widen_values(p.dtype, theta + i * length * size_of(p.dtype), {panel + i * stride, length});
    return {scratch.pointers, stride};
  }
  float* const base = scratch.values.reserve(reserved + lanes * size) + reserved;
  for (std::size_t l = 0; l < lanes; ++l) scratch.pointers[l] = base + l * size;
  if (!spread) {
    weights.probe->expand(parameter, first * columns, rows * columns, scratch.pointers);
    return {scratch.pointers, stride};
  }
  for (std::size_t r = 0; r < rows; ++r) {
    weights.probe->expand(parameter, (first + r) * columns, columns, scratch.pointers);
    for (float*& panel : scratch.pointers) panel += stride;
  }
  for (std::size_t l = 0; l < lanes; ++l) scratch.pointers[l] = base + l * size;
  return {scratch.pointers, stride};
}

/// Elements [first, first + count) of a vector for all lanes, in one row each; otherwise like read_panel().
[[nodiscard]] inline Panel read_values(WeightView const& weights, std::size_t parameter, std::size_t first,
                                       std::size_t count, ScratchPool::Piece& scratch) {
  Parameter const& p = weights.parameters[parameter];
  scratch.pointers.resize(weights.lanes());
  if (weights.probe == nullptr && p.dtype == DataType::f32) {
    std::fill(scratch.pointers.begin(), scratch.pointers.end(), static_cast<float*>(p.data) + first);
  } else if (weights.probe == nullptr) {
    float* const values = scratch.values.reserve(count);
    std::fill(scratch.pointers.begin(), scratch.pointers.end(), values);
    widen_values(p.dtype, static_cast<std::byte const*>(p.data) + first * size_of(p.dtype), {values, count});
  } else {
    float* const base = scratch.values.reserve(weights.lanes() * count);
    for (std::size_t l = 0; l < weights.lanes(); ++l) scratch.pointers[l] = base + l * count;
    weights.probe->expand(parameter, first, count, scratch.pointers);
  }
  return {scratch.pointers, count};
}

}  // namespace zeroth::ZEROTH_ISA::model::cpu

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth_model/ops/cuda/values.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// Copies rows of a table to rows of a matrix, from any type to any: row r of a lane is row rows[r] of that lane's
/// table, or row first + r. Grid: one thread per element of the target.
struct CopyRowsKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;

  LaneWeights from;
  std::uint64_t row_stride;   ///< elements from one row of the table to the next; 0: one row for all
  std::uint64_t const* rows;  ///< null: from `first` on
  std::uint64_t first;
  LaneRows to;
  std::uint64_t to_lane_stride;  ///< elements
  std::uint64_t to_row_stride;
  bool adds;  ///< to the target instead of replacing it

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    std::uint64_t const i = at.global();
    if (i >= to.size()) return;
    std::uint64_t const feature = i % to.features;
    std::uint64_t const row = i / to.features % to.rows;
    std::uint64_t const lane = i / to.features / to.rows;
    float value = from(lane, (rows == nullptr ? first + row : rows[row]) * row_stride + feature);
    std::uint64_t const target = lane * to_lane_stride + row * to_row_stride + feature;
    if (adds) value += to.get(target);
    to.set(target, value);
  }
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

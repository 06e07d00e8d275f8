// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include <zeroth/executor.hpp>
#include <zeroth_model/ops/eigen/lane_matrix.hpp>
#include <zeroth_model/ops/eigen/panel.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// RowMajorOps' products with weights on Eigen, in f32. RowMajorOps requires of a Gemm:
///
/// 1. `panel_rows(rows, columns)`: how many rows of a weight matrix one task takes, as a function of shapes only.
/// 2. `begin(executor, in)`: until the next begin(), `in` is the left operand of every product; a chance to convert it
///    once for all panels.
/// 3. `panel(weights, parameter, first, rows, scratch)`: those rows of a matrix for all lanes, valid while the scratch
///    is. It leaves the scratch's values to the caller.
/// 4. `multiply(in, lane, first, count, panel, scratch, out)`: out [count x panel's rows] = rows [first, first + count)
///    of in times the panel's transpose.
/// 5. `add(in, lane, factor, panel, scratch, out)`: out [in's rows x panel's rows] += factor * in times the panel's
///    transpose. It may write to the scratch's values.
/// 6. `dot(in, lane, row, panel)`: that row of in times the first row of the panel.
/// 7. All except begin() run on several threads at once, each call on a single thread, and give the same bits every
///    time.
class EigenGemm {
 public:
  [[nodiscard]] static std::size_t panel_rows(std::size_t rows, std::size_t columns) noexcept {
    return eigen_panel_rows(rows, columns);
  }

  static void begin(AnyExecutor, LaneMatrix const&) noexcept {}

  [[nodiscard]] static WeightPanel panel(WeightView const& weights, std::size_t parameter, std::size_t first,
                                         std::size_t rows, ScratchPool::Piece& scratch) {
    return {weights, parameter, first, rows, scratch};
  }

  template <class Out>
  static void multiply(LaneMatrix const& in, std::size_t lane, std::size_t first, std::size_t count,
                       WeightPanel const& panel, ScratchPool::Piece&, Out out) {
    out.noalias() = in.block(lane, first, count) * panel.lane(lane).transpose();
  }

  template <class Out>
  static void add(LaneMatrix const& in, std::size_t lane, float factor, WeightPanel const& panel, ScratchPool::Piece&,
                  Out out) {
    out.noalias() += factor * (in.lane(lane) * panel.lane(lane).transpose());
  }

  [[nodiscard]] static float dot(LaneMatrix const& in, std::size_t lane, std::size_t row, WeightPanel const& panel) {
    return in.block(lane, row, 1).row(0).dot(panel.lane(lane).row(0));
  }
};

}  // namespace zeroth::ZEROTH_ISA::model

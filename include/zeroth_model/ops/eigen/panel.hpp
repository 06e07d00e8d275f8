// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/decoder/weight_rows.hpp>
#include <zeroth_model/ops/eigen/lane_matrix.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Rows [first, first + rows) of a weight matrix as every lane sees them, each [rows x columns]: in place if all lanes
/// share floats, otherwise in scratch, once for the lanes that share them; see read_rows(). Valid while the scratch is.
class WeightPanel {
 public:
  WeightPanel(WeightView const& weights, std::size_t tensor, std::size_t first, std::size_t rows,
              ScratchPool::Piece& scratch)
      : rows_(rows), columns_(static_cast<std::size_t>(weights[tensor].shape.columns)) {
    if (!place(weights, tensor, first * columns_, rows * columns_, scratch))
      read_rows(weights, tensor, first, rows, lanes_.first(distinct_), scratch);
  }

  /// Elements [first, first + count) of a weight vector, as one row.
  [[nodiscard]] static WeightPanel elements(WeightView const& weights, std::size_t tensor, std::size_t first,
                                            std::size_t count, ScratchPool::Piece& scratch) {
    WeightPanel panel(1, count);
    if (panel.place(weights, tensor, first, count, scratch)) return panel;
    if (weights.shares(tensor))
      decode_values(weights[tensor], first, {panel.lanes_[0], count});
    else
      weights.probe->expand(weights[tensor].parameter, first, count, panel.lanes_);
    return panel;
  }

  [[nodiscard]] ConstMatrixMap lane(std::size_t lane) const noexcept {
    return {lanes_[lane], static_cast<Eigen::Index>(rows_), static_cast<Eigen::Index>(columns_)};
  }

 private:
  WeightPanel(std::size_t rows, std::size_t columns) : rows_(rows), columns_(columns) {}

  /// Gives each lane its values, or those that are shared. Returns whether they are there already.
  bool place(WeightView const& weights, std::size_t tensor, std::size_t first, std::size_t count,
             ScratchPool::Piece& scratch) {
    WeightTensor const& t = weights[tensor];
    std::size_t const lanes = weights.lanes();
    bool const shared = weights.shares(tensor);
    bool const there = shared && t.has_floats();
    distinct_ = shared ? 1 : lanes;
    std::size_t const size = (count + line - 1) / line * line;
    float* const base = there ? static_cast<float*>(t.data) + first : scratch.panels.reserve(distinct_ * size);
    scratch.pointers.resize(lanes);
    for (std::size_t lane = 0; lane < lanes; ++lane) scratch.pointers[lane] = base + (shared ? 0 : lane * size);
    lanes_ = scratch.pointers;
    return there;
  }

  static constexpr std::size_t line = 16;  // floats per cache line

  std::span<float* const> lanes_;
  std::size_t distinct_ = 0;
  std::size_t rows_;
  std::size_t columns_;
};

/// Rows that one task expands and multiplies. More rows share the packing of the activations; fewer let all lanes of
/// the panel stay in the second-level cache and divide better among threads. It depends only on shapes, and so do
/// results.
[[nodiscard]] constexpr std::size_t eigen_panel_rows(std::size_t rows, std::size_t columns) noexcept {
  constexpr std::size_t panel_floats = 64 * 1024;  // 256 KiB per lane; two lanes fill half of a common 1 MiB
  std::size_t const fitting = std::max<std::size_t>(panel_floats / columns / 16 * 16, 16);
  std::size_t const panels = (rows + fitting - 1) / fitting;
  std::size_t const even = (panels + 1) / 2 * 2;  // pairs of equal panels
  return std::max<std::size_t>(((rows + even - 1) / even + 15) / 16 * 16, 16);
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/eigen/lane_matrix.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Rows [first, first + rows) of a weight matrix as every lane sees them, each [rows x columns].
///
/// Without a probe that is theta itself, read in place if it is f32 and otherwise widened into scratch; with a probe,
/// the rows are expanded into scratch, once for all lanes. Valid while the scratch is.
class WeightPanel {
 public:
  WeightPanel(WeightView const& weights, std::size_t parameter, std::size_t first, std::size_t rows,
              ScratchPool::Piece& scratch)
      : WeightPanel(weights, parameter, scratch, rows,
                    static_cast<std::size_t>(weights.parameters[parameter].shape.columns), first) {}

  /// Elements [first, first + count) of a weight vector, as one row.
  [[nodiscard]] static WeightPanel elements(WeightView const& weights, std::size_t parameter, std::size_t first,
                                            std::size_t count, ScratchPool::Piece& scratch) {
    WeightPanel panel(weights, parameter, scratch, count, 1, first);
    std::swap(panel.rows_, panel.columns_);
    return panel;
  }

  [[nodiscard]] ConstMatrixMap lane(std::size_t lane) const noexcept {
    return {lanes_[lane], static_cast<Eigen::Index>(rows_), static_cast<Eigen::Index>(columns_)};
  }

 private:
  WeightPanel(WeightView const& weights, std::size_t parameter, ScratchPool::Piece& scratch, std::size_t rows,
              std::size_t columns, std::size_t first)
      : rows_(rows), columns_(columns) {
    std::size_t const lanes = weights.lanes();
    scratch.pointers.resize(lanes);
    Parameter const& p = weights.parameters[parameter];
    if (weights.probe == nullptr && p.dtype == DataType::f32) {
      std::fill(scratch.pointers.begin(), scratch.pointers.end(), static_cast<float*>(p.data) + first * columns_);
    } else if (weights.probe == nullptr) {
      float* const panel = scratch.panels.reserve(rows * columns_);
      std::fill(scratch.pointers.begin(), scratch.pointers.end(), panel);
      widen_values(p.dtype, static_cast<std::byte const*>(p.data) + first * columns_ * size_of(p.dtype),
                   {panel, rows * columns_});
    } else {
      std::size_t const size = (rows * columns_ + line - 1) / line * line;
      float* const base = scratch.panels.reserve(lanes * size);
      for (std::size_t lane = 0; lane < lanes; ++lane) scratch.pointers[lane] = base + lane * size;
      weights.probe->expand(parameter, first * columns_, rows * columns_, scratch.pointers);
    }
    lanes_ = scratch.pointers;
  }

  static constexpr std::size_t line = 16;  // floats per cache line

  std::span<float* const> lanes_;
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

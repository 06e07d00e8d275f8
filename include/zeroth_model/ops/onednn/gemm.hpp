// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/storage/widen.hpp>
#include <zeroth_model/ops/eigen/lane_matrix.hpp>
#include <zeroth_model/ops/eigen/panel.hpp>
#include <zeroth_model/ops/onednn/matmul.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// RowMajorOps' products with weights by oneDNN; see EigenGemm for what each function does.
///
/// In bf16, activations and weights, which are perturbed in f32, are rounded to the nearest bf16 numbers before each
/// product; sums are f32. Calls into oneDNN may allocate.
class OneDnnGemm {
 public:
  /// Rows of a weight matrix for all lanes, f32 or bf16.
  struct Panel {
    std::span<float* const> lanes;  ///< these also point to bf16 numbers
    std::size_t rows;
    std::size_t columns;
  };

  /// @param compute f32 or bf16
  explicit OneDnnGemm(DataType compute = DataType::f32) : compute_(compute), matmuls_(compute) {}

  [[nodiscard]] std::size_t panel_rows(std::size_t rows, std::size_t columns) const noexcept {
    return eigen_panel_rows(rows, compute_ == DataType::bf16 ? (columns + 1) / 2 : columns);
  }

  void begin(AnyExecutor executor, LaneMatrix const& in) {
    if (compute_ == DataType::f32) return;
    std::size_t const rows = in.lanes() * in.rows();
    std::size_t const columns = in.features();
    auto* const narrowed = reinterpret_cast<std::byte*>(narrowed_.reserve((rows * columns + 1) / 2));
    executor.parallel_for((rows + group - 1) / group, [&](std::size_t task) {
      std::size_t const first = task * group;
      std::size_t const count = std::min(group, rows - first);
      narrow_values(compute_, {in.row(0, 0) + first * columns, count * columns},
                    narrowed + first * columns * size_of(compute_));
    });
  }

  [[nodiscard]] Panel panel(WeightView const& weights, std::size_t parameter, std::size_t first, std::size_t rows,
                            ScratchPool::Piece& scratch) const {
    WeightTensor const& p = weights[parameter];
    auto const columns = static_cast<std::size_t>(p.shape.columns);
    if (compute_ == DataType::f32) {
      WeightPanel const expanded(weights, parameter, first, rows, scratch);
      return {scratch.pointers, rows, columns};
    }
    std::size_t const distinct = weights.shares(parameter) ? 1 : weights.lanes();
    std::size_t const size = (rows * columns / 2 + line) / line * line;  // floats that hold one lane's bf16 numbers
    float* const base = scratch.narrowed.reserve(distinct * size);
    // Few rows at a time, so that the f32 numbers stay in the first-level cache.
    std::size_t const step = std::max<std::size_t>(panel_floats / (columns * distinct), 1);
    for (std::size_t row = 0; row < rows; row += step) {
      std::size_t const count = std::min(step, rows - row);
      WeightPanel const expanded(weights, parameter, first + row, count, scratch);
      for (std::size_t lane = 0; lane < distinct; ++lane)
        narrow_values(compute_, {expanded.lane(lane).data(), count * columns},
                      reinterpret_cast<std::byte*>(base + lane * size) + row * columns * size_of(compute_));
    }
    for (std::size_t lane = 0; lane < scratch.pointers.size(); ++lane)
      scratch.pointers[lane] = base + std::min(lane, distinct - 1) * size;
    return {scratch.pointers, rows, columns};
  }

  template <class Out>
  void multiply(LaneMatrix const& in, std::size_t lane, std::size_t first, std::size_t count, Panel const& panel,
                ScratchPool::Piece& scratch, Out out) {
    matmuls_.run({count, panel.columns, panel.rows, static_cast<std::size_t>(out.outerStride())}, row(in, lane, first),
                 panel.lanes[lane], out.data(), [&](std::size_t floats) { return scratch.workspace.reserve(floats); });
  }

  template <class Out>
  void add(LaneMatrix const& in, std::size_t lane, float factor, Panel const& panel, ScratchPool::Piece& scratch,
           Out out) {
    float* const values = scratch.values.reserve(rows_at_once * panel.rows);
    for (std::size_t first = 0; first < in.rows(); first += rows_at_once) {
      std::size_t const count = std::min(rows_at_once, in.rows() - first);
      MatrixMap const products(values, static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(panel.rows));
      multiply(in, lane, first, count, panel, scratch, products);
      out.middleRows(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(count)) += factor * products;
    }
  }

  [[nodiscard]] float dot(LaneMatrix const& in, std::size_t lane, std::size_t r, Panel const& panel) const noexcept {
    void const* const x = row(in, lane, r);
    return compute_ == DataType::f32
               ? dot(static_cast<float const*>(x), static_cast<float const*>(panel.lanes[lane]), panel.columns)
               : dot(static_cast<std::uint16_t const*>(x), reinterpret_cast<std::uint16_t const*>(panel.lanes[lane]),
                     panel.columns);
  }

 private:
  static constexpr std::size_t group = 32;           // rows per task of begin()
  static constexpr std::size_t line = 16;            // floats per cache line
  static constexpr std::size_t panel_floats = 8192;  // all lanes together: a first-level cache
  static constexpr std::size_t rows_at_once = 128;   // rows whose products add() holds at once

  [[nodiscard]] static float number(float value) noexcept { return value; }
  [[nodiscard]] static float number(std::uint16_t bits) noexcept { return bfloat16_to_float(bits); }

  /// In an order that depends only on the count.
  template <class T>
  [[nodiscard]] static float dot(T const* x, T const* w, std::size_t count) noexcept {
    float partial[line] = {};
    for (std::size_t i = 0; i < count; ++i) partial[i % line] += number(x[i]) * number(w[i]);
    float sum = 0;
    for (float value : partial) sum += value;
    return sum;
  }

  /// Row r of begin()'s argument, as products read it.
  [[nodiscard]] void const* row(LaneMatrix const& in, std::size_t lane, std::size_t r) const noexcept {
    if (compute_ == DataType::f32) return in.row(lane, r);
    return reinterpret_cast<std::byte const*>(narrowed_.data()) +
           (lane * in.rows() + r) * in.features() * size_of(compute_);
  }

  DataType compute_;
  onednn::Matmuls matmuls_;
  AlignedFloats narrowed_;
};

}  // namespace zeroth::ZEROTH_ISA::model

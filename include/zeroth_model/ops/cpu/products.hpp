// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>
#include <zeroth_model/ops/cpu/activations.hpp>
#include <zeroth_model/ops/cpu/kernels.hpp>
#include <zeroth_model/ops/cpu/pairs.hpp>
#include <zeroth_model/ops/cpu/panels.hpp>

namespace zeroth::ZEROTH_ISA::model::cpu {

/// CpuOps' products with weights: of f32 numbers, or of bf16 numbers with f32 sums.
///
/// In bf16 both factors are first rounded to nearest: the activations once for all panels, the weights after the probe
/// has perturbed them in f32. If the processor has no instruction for pairs of bf16 numbers, the rounded numbers go
/// through the f32 product: sums are then added in another order, and tiny numbers that the instruction treats as 0
/// contribute.
class Products {
 public:
  /// @throws InvalidArgument if `compute` is f16.
  Products(InstructionSet set, DataType compute)
      : set_(set), compute_(compute), paired_(compute == DataType::bf16 && multiplies_pairs(set)) {
    if (compute == DataType::f16) throw InvalidArgument("products: expected f32 or bf16, got f16");
    product_ = kernels_for(set).product;
#if ZEROTH_X86_DISPATCH
    if (paired_) product_ = pair_product;
#endif
  }

  /// Rows per panel; see cpu::panel_rows.
  [[nodiscard]] std::size_t panel_rows(std::size_t columns) const noexcept {
    return cpu::panel_rows(slots(columns));
  }

  /// Makes `in` the right factor of every product until the next begin().
  void begin(AnyExecutor executor, Activations const& in) {
    in_ = &in;
    if (compute_ == DataType::f32) return;
    float* const to = rounded_.reserve(in.lanes() * in.blocks() * block_size());
    executor.parallel_for(in.lanes() * in.blocks(), [&](std::size_t b) {
      float const* const from = in.block(b / in.blocks(), b % in.blocks());
      float* const block = to + b * block_size();
#if ZEROTH_X86_DISPATCH
      if (paired_) return detail::pair_block(in.features(), from, block);
#endif
      round_in_f32(from, block, in.block_size());
    });
  }

  /// Rows [first, first + rows) of a tensor for all lanes, in the form for multiply(); see read_panel().
  [[nodiscard]] Panel panel(WeightView const& weights, std::size_t parameter, std::size_t first, std::size_t rows,
                            ScratchPool::Piece& scratch, std::size_t reserved = 0) const {
    if (compute_ == DataType::f32) return read_panel(weights, parameter, first, rows, scratch, reserved);
    WeightTensor const& p = weights[parameter];
    auto const columns = static_cast<std::size_t>(p.shape.columns);
    std::size_t const width = slots(columns);
    std::size_t const stride = width + (width % 1024 == 0 && rows > 1 ? block_tokens : 0);  // see read_panel()
    std::size_t const distinct = weights.shares(parameter) ? 1 : weights.lanes();
    float* const base = scratch.narrowed.reserve(distinct * rows * stride);
    scratch.values.reserve(reserved);
    // Few rows at a time, so that the f32 numbers stay in the first-level cache.
    std::size_t const step = std::max<std::size_t>(piece_floats / (columns * distinct), 1);
    for (std::size_t row = 0; row < rows; row += step) {
      std::size_t const count = std::min(step, rows - row);
      Panel const read = read_panel(weights, parameter, first + row, count, scratch, reserved);
      for (std::size_t lane = 0; lane < distinct; ++lane)
        for (std::size_t r = 0; r < count; ++r)
          round_row(read.lanes[lane] + r * read.stride, columns, base + (lane * rows + row + r) * stride);
    }
    for (std::size_t lane = 0; lane < scratch.pointers.size(); ++lane)
      scratch.pointers[lane] = base + std::min(lane, distinct - 1) * rows * stride;
    return {scratch.pointers, stride};
  }

  /// Output = `rows` rows of a lane's panel times `blocks` blocks of 16 tokens of that lane, from `block` on.
  void multiply(Panel const& panel, std::size_t rows, std::size_t lane, std::size_t block, std::size_t blocks,
                float* output, std::size_t output_stride) const {
    float const* const input = compute_ == DataType::f32
                                   ? in_->block(lane, block)
                                   : rounded_.data() + (lane * in_->blocks() + block) * block_size();
    product_({rows, slots(in_->features()), panel.lanes[lane], panel.stride, blocks, input, block_size(), output,
              output_stride});
  }

 private:
  static constexpr std::size_t piece_floats = 8192;

  /// Floats per row.
  [[nodiscard]] std::size_t slots(std::size_t columns) const noexcept {
    return paired_ ? (columns + 1) / 2 : columns;
  }

  /// Floats from one block of the right factor to the next.
  [[nodiscard]] std::size_t block_size() const noexcept {
    return slots(in_->features()) * block_tokens;
  }

  void round_row(float const* from, std::size_t columns, float* to) const {
#if ZEROTH_X86_DISPATCH
    if (paired_) return detail::pair_row(columns, from, to);
#endif
    round_in_f32(from, to, columns);
  }

  void round_in_f32(float const* from, float* to, std::size_t count) const {
    std::uint16_t numbers[block_tokens * 16];
    for (std::size_t i = 0; i < count; i += std::size(numbers)) {
      std::size_t const some = std::min(std::size(numbers), count - i);
      narrow_values(DataType::bf16, {from + i, some}, numbers, set_);
      widen_values(DataType::bf16, numbers, {to + i, some}, set_);
    }
  }

  InstructionSet set_;
  DataType compute_;
  bool paired_;
  Product product_ = nullptr;
  Activations const* in_ = nullptr;
  AlignedFloats rounded_;
};

}  // namespace zeroth::ZEROTH_ISA::model::cpu

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/decoder/pass_sizes.hpp>
#include <zeroth_model/ops/cuda/copy_rows.hpp>
#include <zeroth_model/ops/cuda/device_memory.hpp>
#include <zeroth_model/ops/cuda/panel_buffers.hpp>
#include <zeroth_model/ops/cuda/values.hpp>
#include <zeroth_model/ops/cuda/workspace.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// Weights on a device as all lanes see them, in the products' type.
///
/// Theta is read in place if it already has that type. Otherwise, and for the lanes of a probe, rows are written to one
/// of two buffers, one panel at a time: the product reads a panel while the second-level cache still holds it, and
/// while the next one is written.
template <zeroth::cuda::Stream Device>
class WeightPanels {
 public:
  /// @param memory workspace shared by the operations
  /// @param dtype of the panels
  /// @param bytes of a panel, all lanes together; a single row may take more
  /// @param overlaps whether to write a panel, in its own buffer, while products of the previous one run
  WeightPanels(Workspace<Device>& memory, DataType dtype, std::size_t bytes, bool overlaps)
      : memory_(&memory), dtype_(dtype), panel_bytes_(bytes), overlaps_(overlaps), buffers_(memory) {}

  /// Bytes of the workspace that a pass needs for panels, vectors and rows of tables.
  [[nodiscard]] std::size_t bytes(PassSizes const& sizes) const noexcept {
    Room const room = room_for(sizes);
    std::size_t result = 0;
    // Not a braced list: nvcc 13.0 turns that into code that the host compiler rejects.
    std::array<std::size_t, 6> const pieces{
        room.panels, overlaps(sizes) ? room.panels : 0, room.floats, room.vector, room.vector, room.added};
    for (std::size_t piece : pieces) result += Workspace<Device>::piece_bytes(piece);
    return result;
  }

  /// Begins a pass of that size.
  void begin(PassSizes const& sizes) {
    room_ = room_for(sizes);
    buffers_.begin(room_.panels, overlaps(sizes));
  }

  /// Rows of a matrix per panel.
  [[nodiscard]] std::uint64_t height(WeightView const& weights, std::size_t parameter) const noexcept {
    WeightTensor const& p = weights[parameter];
    return in_place(weights, parameter) ? p.shape.rows : copied_height(weights, parameter);
  }

  /// The same for rows that are always copied.
  [[nodiscard]] std::uint64_t copied_height(WeightView const& weights, std::size_t parameter) const noexcept {
    WeightTensor const& p = weights[parameter];
    std::uint64_t const copies = weights.shares(parameter) ? 1 : weights.lanes();
    std::uint64_t const fitting = panel_bytes_ / (copies * p.shape.columns * size_of(dtype_));
    // A multiple of what suits products, in nearly equal parts.
    constexpr std::uint64_t unit = 128;
    std::uint64_t const most = std::max<std::uint64_t>(fitting / unit * unit, std::min<std::uint64_t>(fitting, unit));
    if (most == 0) return 1;
    std::uint64_t const parts = (p.shape.rows + most - 1) / most;
    std::uint64_t const even = (p.shape.rows + parts - 1) / parts;
    return std::min<std::uint64_t>(most, (even + unit - 1) / unit * unit);
  }

  /// Rows [first, first + rows) of a matrix. Valid until the next call of rows(), and for the work queued before that.
  [[nodiscard]] LaneWeights rows(WeightView const& weights, std::size_t parameter, std::uint64_t first,
                                 std::uint64_t rows) {
    WeightTensor const& p = weights[parameter];
    std::uint64_t const size = rows * p.shape.columns;
    if (in_place(weights, parameter)) return {advanced(dtype_, p.data, first * p.shape.columns), dtype_, 0};
    bool const same = weights.shares(parameter);
    LaneRows to{nullptr, dtype_, same ? 1 : weights.lanes(), rows, p.shape.columns};
    void* const panels = buffers_.fill(to.lanes * size * size_of(dtype_), [&](void* panel) {
      to.data = panel;
      if (same)
        copy(p, nullptr, first, to, size, /*adds=*/false);
      else
        expand(weights, parameter, first * p.shape.columns, size, nullptr, {}, to);
    });
    return {panels, dtype_, same ? 0 : size};
  }

  /// Rows of a matrix that need not be consecutive, one after the other; valid as above.
  [[nodiscard]] LaneWeights gathered(WeightView const& weights, std::size_t parameter,
                                     std::span<std::uint64_t const> rows) {
    WeightTensor const& p = weights[parameter];
    std::uint64_t const size = rows.size() * p.shape.columns;
    bool const same = weights.shares(parameter);
    std::uint64_t const copies = same ? 1 : weights.lanes();
    LaneRows const to{buffers_.take(copies * size * size_of(dtype_)), dtype_, copies, rows.size(), p.shape.columns};
    gather(weights, parameter, rows, to, /*adds=*/false);
    return {to.data, dtype_, same ? 0 : size};
  }

  /// Writes rows of a table to the rows of activations, or adds them.
  void gather(WeightView const& weights, std::size_t parameter, std::span<std::uint64_t const> rows, LaneRows const& to,
              bool adds) {
    WeightTensor const& p = weights[parameter];
    if (weights.shares(parameter))
      return copy(p, lists_.get(*memory_, rows), 0, to, rows.size() * p.shape.columns, adds);
    if (!adds) return expand(weights, parameter, 0, p.shape.columns, lists_.get(*memory_, rows), rows, to);
    std::uint64_t const size = to.lanes * to.rows * to.features;
    LaneRows moved = to;
    moved.data = added_.reserve(*memory_, std::max(room_.added, static_cast<std::size_t>(size) * size_of(to.dtype)),
                                "rows to add");
    expand(weights, parameter, 0, p.shape.columns, lists_.get(*memory_, rows), rows, moved);
    add_rows(p, moved, to);
  }

  /// A vector of weights. Two are valid at a time: `slot` 0 and 1.
  [[nodiscard]] LaneWeights vector(WeightView const& weights, std::size_t parameter, std::size_t slot) {
    WeightTensor const& p = weights[parameter];
    if (weights.shares(parameter)) return {p.data, p.dtype(), 0};
    std::size_t const bytes = weights.lanes() * static_cast<std::size_t>(p.size()) * sizeof(float);
    auto* const values =
        reinterpret_cast<float*>(vectors_[slot].reserve(*memory_, std::max(bytes, room_.vector), "vectors"));
    expand_floats(weights, parameter, 0, p.size(), values, p.size());
    return {values, DataType::f32, p.size()};
  }

  /// Lists that kernels read.
  [[nodiscard]] UploadedLists& lists() noexcept { return lists_; }

  [[nodiscard]] DataType dtype() const noexcept { return dtype_; }

 private:
  /// Bytes that a pass needs for each piece, so that none grows during it.
  struct Room {
    std::size_t panels = 0;
    std::size_t floats = 0;
    std::size_t vector = 0;
    std::size_t added = 0;
  };

  [[nodiscard]] Room room_for(PassSizes const& sizes) const noexcept {
    std::size_t const copies = sizes.probe ? sizes.lanes : 1;
    std::size_t const row = copies * sizes.columns * size_of(dtype_);
    std::size_t const panels = std::max(panel_bytes_, row);
    std::size_t const activations = sizes.lanes * sizes.rows * sizes.columns;
    Room room;
    // Without copies, only nonconsecutive rows of the head remain.
    bool const copied = sizes.probe || sizes.weight_dtype != dtype_;
    room.panels = copied ? panels : std::min(panels, std::min(sizes.requests, sizes.vocabulary) * row);
    if (!sizes.probe) return room;
    room.vector = sizes.lanes * sizes.longest_vector * sizeof(float);
    if (sizes.pairs == 0) room.added = activations * size_of(dtype_);
    if (sizes.by_floats && dtype_ != DataType::f32)
      room.floats = std::max(activations, panels / size_of(dtype_)) * sizeof(float);
    return room;
  }

  /// If the host takes part in an expansion, everything must run in one order.
  [[nodiscard]] bool overlaps(PassSizes const& sizes) const noexcept {
    return overlaps_ && zeroth::cuda::StreamWithSide<Device> && !sizes.by_floats &&
           (sizes.probe || sizes.weight_dtype != dtype_);
  }

  [[nodiscard]] bool in_place(WeightView const& weights, std::size_t parameter) const noexcept {
    return weights.shares(parameter) && weights[parameter].dtype() == dtype_;
  }

  static std::string what(char const* operation, WeightTensor const& p) {
    return std::string(operation) + " of '" + p.name + "'";
  }

  void launch(CopyRowsKernel const& kernel, std::string const& what) {
    memory_->device().launch(kernel, (kernel.to.size() + block_threads - 1) / block_threads, what);
  }

  /// Copies rows of theta for all lanes of `to`.
  void copy(WeightTensor const& p, std::uint64_t const* rows, std::uint64_t first, LaneRows const& to,
            std::uint64_t lane_stride, bool adds) {
    launch({{p.data, p.dtype(), 0}, p.shape.columns, rows, first, to, lane_stride, to.features, adds}, what("rows", p));
  }

  void add_rows(WeightTensor const& p, LaneRows const& from, LaneRows const& to) {
    std::uint64_t const lane = from.rows * from.features;
    launch({{from.data, from.dtype, lane}, from.features, nullptr, 0, to, lane, to.features, true}, what("rows", p));
  }

  /// Expands pieces of `count` elements for all lanes of a probe, one after the other in each lane of `to`.
  /// @param pieces on the device, and on the host; null: one piece, at `first`
  void expand(WeightView const& weights, std::size_t parameter, std::uint64_t first, std::uint64_t count,
              std::uint64_t const* pieces, std::span<std::uint64_t const> host_pieces, LaneRows const& to) {
    std::uint64_t const lane_size = to.rows * to.features;
    PanelRequest const request{first, count, to.dtype, pieces, pieces == nullptr ? 1 : host_pieces.size()};
    targets_.clear();
    for (std::uint64_t lane = 0; lane < to.lanes; ++lane)
      targets_.push_back(advanced(to.dtype, to.data, lane * lane_size));
    if (weights.probe->has_panels()) return weights.probe->expand_to(weights[parameter].parameter, request, targets_);
    // Via f32, one piece at a time.
    std::size_t const bytes = static_cast<std::size_t>(to.size()) * sizeof(float);
    auto* const floats =
        to.dtype == DataType::f32
            ? static_cast<float*>(to.data)
            : reinterpret_cast<float*>(floats_.reserve(*memory_, std::max(bytes, room_.floats), "panels in f32"));
    for (std::uint64_t i = 0; i < request.piece_count; ++i)
      expand_floats(weights, parameter, first + (pieces == nullptr ? 0 : host_pieces[i] * count), count,
                    floats + i * count, lane_size);
    if (to.dtype != DataType::f32)
      launch({{floats, DataType::f32, lane_size}, to.features, nullptr, 0, to, lane_size, to.features, false},
             what("panels", weights[parameter]));
  }

  void expand_floats(WeightView const& weights, std::size_t parameter, std::uint64_t first, std::uint64_t count,
                     float* out, std::uint64_t lane_stride) {
    pointers_.clear();
    for (std::size_t lane = 0; lane < weights.lanes(); ++lane) pointers_.push_back(out + lane * lane_stride);
    weights.probe->expand(weights[parameter].parameter, first, count, pointers_);
  }

  Workspace<Device>* memory_;
  DataType dtype_;
  std::size_t panel_bytes_;
  bool overlaps_;
  Room room_;
  PanelBuffers<Device> buffers_;
  Piece floats_;
  Piece added_;
  std::array<Piece, 2> vectors_;
  UploadedLists lists_;
  std::vector<void*> targets_;
  std::vector<float*> pointers_;
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

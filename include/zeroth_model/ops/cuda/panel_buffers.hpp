// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth_model/ops/cuda/workspace.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// Two alternating buffers for panels of weights: while readers of one run, the other is written on the stream's side
/// queue. Without a side queue there is one buffer, and all work is in one order.
template <zeroth::cuda::Stream Device>
class PanelBuffers {
 public:
  explicit PanelBuffers(Workspace<Device>& memory) : memory_(&memory) {
    if constexpr (zeroth::cuda::StreamWithSide<Device>) {
      for (Buffer& buffer : buffers_) {
        buffer.written = memory.device().make_event();
        buffer.read = memory.device().make_event();
      }
      begun_ = memory.device().make_event();
    }
  }

  /// Begins a pass: panels are written after everything queued so far, such as an update of the weights.
  /// @param bytes of each buffer
  /// @param overlaps whether to use the side queue; otherwise all work is in one order
  void begin(std::size_t bytes, bool overlaps) {
    bytes_ = bytes;
    overlaps_ = overlaps;
    for (Buffer& buffer : buffers_) buffer.was_read = false;
    holds_panel_ = false;
    // Before the fork: allocation queues zeroing.
    buffers_[0].memory.reserve(*memory_, bytes, "panels of weights");
    if (overlaps) buffers_[1].memory.reserve(*memory_, bytes, "panels of weights");
    fork();
  }

  /// Queues `write(panel)` for the next buffer, after the work queued before the previous call of fill() has read that
  /// buffer. Work queued later comes after the write.
  template <class Write>
  void* fill(std::size_t bytes, Write const& write) {
    Buffer& buffer = turn(bytes);
    void* const panel = buffer.memory.data();
    if constexpr (zeroth::cuda::StreamWithSide<Device>) {
      if (overlaps_) {
        on_side(buffer, [&] { write(panel); });
        return panel;
      }
    }
    write(panel);
    return panel;
  }

  /// The next buffer, for writes queued in order after all earlier work: nothing runs at the same time.
  [[nodiscard]] void* take(std::size_t bytes) { return turn(bytes).memory.data(); }

 private:
  template <class D>
  struct EventOf {
    struct Type {};
  };
  template <zeroth::cuda::StreamWithSide D>
  struct EventOf<D> {
    using Type = typename D::Event;
  };
  using Event = typename EventOf<Device>::Type;

  struct Buffer {
    Piece memory;
    Event written;
    Event read;  ///< after all readers queued so far
    bool was_read = false;
  };

  [[nodiscard]] Device const& device() const noexcept { return memory_->device(); }

  void fork() {
    if constexpr (zeroth::cuda::StreamWithSide<Device>) {
      if (!overlaps_) return;
      device().record(begun_);
      auto const side = device().side();
      device().wait(begun_);
    }
  }

  /// Switches to the next buffer; everything queued so far counts as reading the last one.
  Buffer& turn(std::size_t bytes) {
    if constexpr (zeroth::cuda::StreamWithSide<Device>) {
      if (overlaps_ && holds_panel_) {
        device().record(buffers_[last_].read);
        buffers_[last_].was_read = true;
      }
    }
    holds_panel_ = true;
    last_ = overlaps_ ? 1 - last_ : 0;
    Buffer& buffer = buffers_[last_];
    void* const before = buffer.memory.data();
    if (buffer.memory.reserve(*memory_, bytes > bytes_ ? bytes : bytes_, "panels of weights") != before) fork();
    return buffer;
  }

  template <class Write>
  void on_side(Buffer& buffer, Write const& write) {
    // Everything queued there must end before later work, such as an update, changes what it reads.
    auto const join = [&] {
      {
        auto const side = device().side();
        device().record(buffer.written);
      }
      device().wait(buffer.written);
    };
    try {
      auto const side = device().side();
      if (buffer.was_read) device().wait(buffer.read);
      write();
    } catch (...) {
      join();
      throw;
    }
    join();
  }

  Workspace<Device>* memory_;
  std::array<Buffer, 2> buffers_;
  Event begun_;
  std::size_t last_ = 0;  // index of the current buffer
  bool holds_panel_ = false;
  std::size_t bytes_ = 0;
  bool overlaps_ = false;
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

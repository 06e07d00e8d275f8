// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth_model/ops/cuda/workspace.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// Two buffers for panels of weights, taken in turn: while what reads one of them runs, the other is written on the
/// stream's side queue, if it has one. Without, one buffer, and all in one order.
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

  /// A pass begins: panels are written after what has been queued by now, such as an update of the weights.
  /// @param bytes of each buffer
  /// @param overlaps whether the side queue is used; else all is in one order
  void begin(std::size_t bytes, bool overlaps) {
    bytes_ = bytes;
    overlaps_ = overlaps;
    for (Buffer& buffer : buffers_) buffer.was_read = false;
    holds_panel_ = false;
    // Before the fork: zeros are queued where memory is made.
    buffers_[0].memory.reserve(*memory_, bytes, "panels of weights");
    if (overlaps) buffers_[1].memory.reserve(*memory_, bytes, "panels of weights");
    fork();
  }

  /// Queues what `write(panel)` does to the next buffer, once what was queued before the last call of this has read it.
  /// Work that is queued afterwards comes after.
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

  /// The next buffer, for work that is queued after all that was asked for: nothing runs beside it.
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
    Event read;  ///< by all that was queued for it
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

  /// The buffer whose turn it is; what was queued so far is all that reads the last one.
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
    // Whatever was queued there has to end before work that comes after, such as an update, changes what it reads.
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
  std::size_t last_ = 0;  // of the buffers
  bool holds_panel_ = false;
  std::size_t bytes_ = 0;
  bool overlaps_ = false;
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

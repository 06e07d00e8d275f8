// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// A buffer for copies to a device, so that the caller's memory may change as soon as the copy is requested. Pieces of
/// the ring are used in turn, and reused once the copy from them is done.
///
/// `Port` has `allocate(bytes)`, which returns a shared pointer to memory from which a device can copy at any later
/// time; `make_mark()`, which returns a reusable `Mark`; `set(mark, queue)`, which marks the current end of the queue;
/// and `wait(mark)`, which returns once the queue has reached the mark.
template <class Port>
class UploadRing {
 public:
  /// Allocates nothing before the first copy.
  /// @param bytes size of the ring, at least 2
  UploadRing(Port port, std::size_t bytes) : port_(std::move(port)), bytes_(bytes) {}
  UploadRing(UploadRing const&) = delete;
  UploadRing& operator=(UploadRing const&) = delete;
  ~UploadRing() {
    try {
      release(pieces_.size());
    } catch (...) {  // NOLINT(bugprone-empty-catch): the device's context was lost in an error
    }
  }

  /// Copies, one part at a time.
  /// @param send called as `send(to, from, bytes)` with `from` in the ring; queues the copy and returns its queue
  template <class Send>
  void copy(void* to, void const* from, std::size_t bytes, Send const& send) {
    auto* target = static_cast<std::byte*>(to);
    auto const* source = static_cast<std::byte const*>(from);
    while (bytes != 0) {
      std::size_t const part = std::min(bytes, bytes_ / 2);  // so that one part is filled while another is sent
      std::byte* const piece = take(part);
      std::memcpy(piece, source, part);
      Mark mark = spare_mark();
      port_.set(mark, send(target, static_cast<std::byte const*>(piece), part));
      pieces_.push_back({next_, next_ + part, std::move(mark)});
      next_ += part;
      target += part;
      source += part;
      bytes -= part;
    }
  }

 private:
  using Mark = typename Port::Mark;

  /// A part of the ring from which a copy is made.
  struct Piece {
    std::size_t begin;
    std::size_t end;
    Mark mark;
  };

  std::byte* take(std::size_t part) {
    if (memory_ == nullptr) memory_ = port_.allocate(bytes_);
    if (next_ + part > bytes_) next_ = 0;
    std::size_t in_use = pieces_.size();
    while (in_use != 0 && (pieces_[in_use - 1].begin >= next_ + part || pieces_[in_use - 1].end <= next_)) --in_use;
    release(in_use);
    return memory_.get() + next_;
  }

  /// Waits for the oldest copies.
  void release(std::size_t count) {
    for (; count != 0; --count) {
      port_.wait(pieces_.front().mark);
      spare_.push_back(std::move(pieces_.front().mark));
      pieces_.pop_front();
    }
  }

  Mark spare_mark() {
    if (spare_.empty()) return port_.make_mark();
    Mark mark = std::move(spare_.back());
    spare_.pop_back();
    return mark;
  }

  Port port_;
  std::size_t bytes_;
  std::shared_ptr<std::byte> memory_;
  std::size_t next_ = 0;
  std::deque<Piece> pieces_;  // oldest first
  std::vector<Mark> spare_;
};

}  // namespace zeroth::ZEROTH_ISA::cuda

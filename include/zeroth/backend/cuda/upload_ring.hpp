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

/// Memory that copies to a device are made from, so that the caller's own may change as soon as one is asked for. It is
/// taken in turn, piece by piece, and used again once the copy from there has been made.
///
/// `Port` offers `allocate(bytes)`, a shared pointer to memory that a device copies from at any later time;
/// `make_mark()`, a `Mark` to be set again and again; `set(mark, queue)`, which marks the queue's end as it is; and
/// `wait(mark)`, which returns when the queue has come there.
template <class Port>
class UploadRing {
 public:
  /// Allocates nothing before the first copy.
  /// @param bytes of the ring, 2 at least
  UploadRing(Port port, std::size_t bytes) : port_(std::move(port)), bytes_(bytes) {}
  UploadRing(UploadRing const&) = delete;
  UploadRing& operator=(UploadRing const&) = delete;
  ~UploadRing() {
    try {
      release(pieces_.size());
    } catch (...) {  // NOLINT(bugprone-empty-catch): after an error that took the device's context away
    }
  }

  /// Copies, a part at a time.
  /// @param send called as `send(to, from, bytes)` with `from` in the ring; queues the copy and returns its queue
  template <class Send>
  void copy(void* to, void const* from, std::size_t bytes, Send const& send) {
    auto* target = static_cast<std::byte*>(to);
    auto const* source = static_cast<std::byte const*>(from);
    while (bytes != 0) {
      std::size_t const part = std::min(bytes, bytes_ / 2);  // so that one is filled while another is sent
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

  /// A part of the ring that a copy is made from.
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
  std::deque<Piece> pieces_;  // the oldest first
  std::vector<Mark> spare_;
};

}  // namespace zeroth::ZEROTH_ISA::cuda

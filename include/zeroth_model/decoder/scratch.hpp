// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Floats on a 64-byte boundary; grows, never shrinks.
class AlignedFloats {
 public:
  /// At least `size` floats; growing discards their contents.
  float* reserve(std::size_t size) {
    if (size > capacity_) {
      data_.reset();
      capacity_ = 0;
      data_ = allocate(size);
      capacity_ = size;
    }
    return data_.get();
  }

  /// At least `size` floats; growing keeps the first `kept`. Grows by half, so that many small steps cost few copies.
  float* extend(std::size_t size, std::size_t kept) {
    if (size > capacity_) {
      std::size_t const capacity = std::max(size, capacity_ + capacity_ / 2);
      std::unique_ptr<float, Free> larger = allocate(capacity);
      std::copy_n(data_.get(), kept, larger.get());
      data_ = std::move(larger);
      capacity_ = capacity;
    }
    return data_.get();
  }

  [[nodiscard]] float* data() const noexcept { return data_.get(); }

 private:
  static constexpr std::size_t small = 64;  ///< alignment of memory that takes few pages

  struct Free {
    std::align_val_t alignment;
    void operator()(float* data) const noexcept { ::operator delete(data, alignment); }
  };

  static std::unique_ptr<float, Free> allocate(std::size_t size) {
    std::size_t const bytes = size * sizeof(float);
    // Above a few pages of 2 MiB, such pages save most of the address translation of a pass. None is larger than its
    // contents.
    std::size_t const page = std::size_t{1} << 21;
    std::align_val_t const alignment{bytes < 2 * page ? small : page};
    std::unique_ptr<float, Free> data(static_cast<float*>(::operator new(bytes, alignment)), Free{alignment});
#ifdef MADV_HUGEPAGE
    if (bytes >= 2 * page) ::madvise(data.get(), bytes / page * page, MADV_HUGEPAGE);
#endif
    return data;
  }

  std::unique_ptr<float, Free> data_{nullptr, Free{std::align_val_t{small}}};
  std::size_t capacity_ = 0;
};

/// Scratch memory for concurrent tasks: as many pieces as ever ran at once, reused between calls.
class ScratchPool {
 public:
  /// The memory of one task; each part grows on demand, and its contents do not outlast the task.
  struct Piece {
    AlignedFloats panels;          ///< expanded weights
    AlignedFloats narrowed;        ///< the same in 16 bits, for products that take 16 bits
    AlignedFloats workspace;       ///< what a library needs
    AlignedFloats values;          ///< results of the task
    AlignedFloats tuned;           ///< what is tuned of expanded weights, if not all of them
    std::vector<float*> pointers;  ///< one per lane
    std::vector<float*> tuned_of;  ///< likewise, into `tuned`
  };

  /// Gives a task a piece until the lease ends.
  class Lease {
   public:
    explicit Lease(ScratchPool& pool) : pool_(pool), piece_(pool.take()) {}
    Lease(Lease const&) = delete;
    Lease& operator=(Lease const&) = delete;
    ~Lease() { pool_.give_back(std::move(piece_)); }
    Piece* operator->() const noexcept { return piece_.get(); }
    Piece& operator*() const noexcept { return *piece_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<Piece> piece_;
  };

 private:
  std::unique_ptr<Piece> take() {
    std::lock_guard const lock(mutex_);
    if (free_.empty()) {
      // Reserve room for its return here, so that returning it cannot throw.
      free_.reserve(++made_);
      return std::make_unique<Piece>();
    }
    auto piece = std::move(free_.back());
    free_.pop_back();
    return piece;
  }

  void give_back(std::unique_ptr<Piece> piece) noexcept {
    std::lock_guard const lock(mutex_);
    free_.push_back(std::move(piece));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Piece>> free_;
  std::size_t made_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA::model

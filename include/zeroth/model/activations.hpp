// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <zeroth/model/cpu_kernels.hpp>

namespace zeroth::model {

/// Floats on a 64-byte boundary; grows, never shrinks, and forgets its contents when it grows.
class AlignedFloats {
 public:
  /// At least `size` floats.
  float* reserve(std::size_t size) {
    if (size > capacity_) {
      data_.reset();
      capacity_ = 0;
      data_.reset(static_cast<float*>(::operator new(size * sizeof(float), alignment)));
      capacity_ = size;
    }
    return data_.get();
  }

  [[nodiscard]] float* data() const noexcept { return data_.get(); }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(float* data) const noexcept { ::operator delete(data, alignment); }
  };
  std::unique_ptr<float, Free> data_;
  std::size_t capacity_ = 0;
};

/// Activations of all lanes of a probe: for each lane, `rows` tokens of `features` values.
///
/// Rows lie in blocks of 16: feature f of row r is at block(lane, r / 16)[f * 16 + r % 16] (see cpu_kernels.hpp). The
/// last block of a lane has slots beyond `rows`; what they hold means nothing and reaches no other slot.
class Activations {
 public:
  /// Sets the sizes; the contents are undefined afterwards.
  void resize(std::size_t lanes, std::size_t rows, std::size_t features) {
    lanes_ = lanes;
    rows_ = rows;
    features_ = features;
    values_.reserve(lanes * blocks() * block_size());
  }

  [[nodiscard]] std::size_t lanes() const noexcept { return lanes_; }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t features() const noexcept { return features_; }
  [[nodiscard]] std::size_t blocks() const noexcept { return (rows_ + cpu::block_tokens - 1) / cpu::block_tokens; }

  /// Floats of a block.
  [[nodiscard]] std::size_t block_size() const noexcept { return features_ * cpu::block_tokens; }

  [[nodiscard]] float* block(std::size_t lane, std::size_t b) noexcept {
    return values_.data() + (lane * blocks() + b) * block_size();
  }
  [[nodiscard]] float const* block(std::size_t lane, std::size_t b) const noexcept {
    return values_.data() + (lane * blocks() + b) * block_size();
  }

 private:
  AlignedFloats values_;
  std::size_t lanes_ = 0;
  std::size_t rows_ = 0;
  std::size_t features_ = 0;
};

/// Scratch memory for tasks that run at once: as many pieces as ever ran together, reused between calls.
class ScratchPool {
 public:
  struct Piece {
    AlignedFloats floats;
    std::vector<float*> panels;  ///< one pointer a lane
  };

  /// A piece that is this task's until the lease ends.
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
      // Room for it to come back is made here, so that giving back cannot throw.
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

}  // namespace zeroth::model

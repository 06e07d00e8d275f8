// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <zeroth_model/decoder/scratch.hpp>
#include <zeroth_model/ops/cpu/kernels.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Activations of all lanes of a probe: for each lane, `rows` tokens of `features` values.
///
/// Rows lie in blocks of 16: feature f of row r is at block(lane, r / 16)[f * 16 + r % 16] (see kernels.hpp). The last
/// block of a lane has slots beyond `rows`; their contents are meaningless and affect no other slot.
class Activations {
 public:
  /// Sets the sizes; the contents are undefined afterwards.
  void resize(std::size_t lanes, std::size_t rows, std::size_t features) {
    lanes_ = lanes;
    rows_ = rows;
    features_ = features;
    values_.reserve(lanes * blocks() * block_size());
  }

  /// One lane of `rows` rows; keeps the contents of the first `kept`.
  void extend(std::size_t rows, std::size_t kept, std::size_t features) {
    std::size_t const held = (kept + cpu::block_tokens - 1) / cpu::block_tokens * features * cpu::block_tokens;
    lanes_ = 1;
    rows_ = rows;
    features_ = features;
    values_.extend(blocks() * block_size(), held);
  }

  [[nodiscard]] std::size_t lanes() const noexcept { return lanes_; }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t features() const noexcept { return features_; }
  [[nodiscard]] std::size_t blocks() const noexcept { return (rows_ + cpu::block_tokens - 1) / cpu::block_tokens; }

  /// Floats per block.
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

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// An update that was made, in the scalars that make it again.
struct PastUpdate {
  std::uint32_t step = 0;           ///< whose noise it has
  std::vector<float> directions{};  ///< of each sample's noise
};

/// The last updates of a WindowedUpdate, the youngest first.
class UpdateWindow {
 public:
  /// @param size how many to remember
  explicit UpdateWindow(std::size_t size) : size_(size) {}

  /// Makes room for one update more, so that `add` cannot fail.
  void reserve_one() {
    if (updates_.size() < size_ && updates_.size() == updates_.capacity())
      updates_.reserve(std::min(size_, 2 * updates_.size() + 1));
  }

  /// @pre reserve_one() was called since the last one
  void add(PastUpdate update) noexcept {
    if (size_ == 0) return;
    if (updates_.size() < size_) updates_.emplace_back();
    std::rotate(updates_.begin(), updates_.end() - 1, updates_.end());
    updates_.front() = std::move(update);
  }

  [[nodiscard]] std::span<PastUpdate const> updates() const noexcept { return updates_; }

 private:
  std::size_t size_;
  std::vector<PastUpdate> updates_;
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/parameters.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// Exact k-th smallest |theta| by radix selection on the bits: two read passes, 512 KiB per thread.
class MagnitudeSelection {
 public:
  MagnitudeSelection(std::span<Parameter const* const> tensors, AnyExecutor executor)
      : tensors_(tensors), executor_(executor) {}

  [[nodiscard]] float kth(std::uint64_t k) const {
    // A magnitude has 31 bits: first the upper 15, then the lower 16 of the magnitudes that share them.
    std::uint64_t rank = k - 1;
    std::uint32_t const upper =
        select([](std::uint32_t bits) { return bits >> 16; }, [](std::uint32_t) { return true; }, rank);
    std::uint32_t const lower = select([](std::uint32_t bits) { return bits & 0xffffU; },
                                       [upper](std::uint32_t bits) { return bits >> 16 == upper; }, rank);
    return float_of(upper << 16 | lower);
  }

 private:
  static constexpr std::size_t buckets = 1U << 16;
  static constexpr std::size_t part_size = 1024;  // weights widened at a time

  /// The digit of the element with that rank, among elements that `counts` accepts; `rank` becomes the rank within that
  /// digit.
  template <class Digit, class Counts>
  [[nodiscard]] std::uint32_t select(Digit digit, Counts counts, std::uint64_t& rank) const {
    std::size_t const tasks = std::max(1U, executor_.concurrency());
    std::vector<std::uint64_t> histogram(tasks * buckets, 0);
    executor_.parallel_for(tasks, [&](std::size_t task) {
      std::uint64_t* const bins = histogram.data() + task * buckets;
      for (Parameter const* p : tensors_) {
        std::uint64_t const end = p->size() * (task + 1) / tasks;
        for (std::uint64_t first = p->size() * task / tasks; first < end; first += part_size) {
          float weights[part_size];
          auto const part = std::span(weights).first(std::min<std::uint64_t>(part_size, end - first));
          widen_values(p->dtype, static_cast<std::byte const*>(p->data) + first * size_of(p->dtype), part);
          for (float weight : part) {
            std::uint32_t const bits = magnitude_bits(weight);
            if (counts(bits)) ++bins[digit(bits)];
          }
        }
      }
    });
    for (std::uint32_t bucket = 0; bucket < buckets; ++bucket) {
      std::uint64_t in_bucket = 0;
      for (std::size_t task = 0; task < tasks; ++task) in_bucket += histogram[task * buckets + bucket];
      if (rank < in_bucket) return bucket;
      rank -= in_bucket;
    }
    return buckets - 1;  // k exceeds the number of elements: the largest digit
  }

  std::span<Parameter const* const> tensors_;
  AnyExecutor executor_;
};

}  // namespace zeroth::ZEROTH_ISA::detail

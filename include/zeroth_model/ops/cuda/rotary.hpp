// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>

#include <zeroth_model/ops/cuda/values.hpp>
#include <zeroth_model/weights/rotary.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// Cosine and sine for each row and pair. Grid: one thread per row and pair.
struct RotaryTableKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;

  std::uint64_t const* positions;  ///< of each row
  double const* frequencies;       ///< of each pair
  std::uint64_t rows;
  std::uint64_t pairs;
  float* table;  ///< rows x pairs x 2

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    std::uint64_t const i = at.global();
    if (i >= rows * pairs) return;
    double const angle = static_cast<double>(positions[i / pairs]) * frequencies[i % pairs];
    table[2 * i] = static_cast<float>(std::cos(angle));
    table[2 * i + 1] = static_cast<float>(std::sin(angle));
  }
};

/// Rotates the pairs of every head, its first elements, in place. Grid: one thread per pair of each head, row and lane.
struct RotateKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;

  float const* table;  ///< see RotaryTableKernel
  std::uint64_t pairs;
  RotaryPairing pairing;
  LaneRows x;
  std::uint64_t dim = 2 * pairs;  ///< elements per head

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    if (at.global() >= x.size() / dim * pairs) return;
    // A 32-bit division costs a fraction of a 64-bit one.
    if (x.size() <= 0xffffffffU)
      turn(static_cast<std::uint32_t>(at.global()), static_cast<std::uint32_t>(pairs), static_cast<std::uint32_t>(dim),
           static_cast<std::uint32_t>(x.rows), static_cast<std::uint32_t>(x.features));
    else
      turn(at.global(), pairs, dim, x.rows, x.features);
  }

 private:
  /// Rotates pair i of all pairs.
  template <class Index>
  ZEROTH_HOST_DEVICE void turn(Index i, Index of_head, Index elements, Index rows, Index features) const noexcept {
    Index const pair = i % of_head;
    Index const head = i / of_head * elements;  // the head's first element
    Index const row = head / features % rows;
    bool const adjacent = pairing == RotaryPairing::adjacent;
    Index const first = head + (adjacent ? 2 * pair : pair);
    Index const second = first + (adjacent ? 1 : of_head);
    float const cosine = table[2 * (std::uint64_t{row} * of_head + pair)];
    float const sine = table[2 * (std::uint64_t{row} * of_head + pair) + 1];
    float const a = x.get(first);
    float const b = x.get(second);
    x.set(first, a * cosine - b * sine);
    x.set(second, b * cosine + a * sine);
  }
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

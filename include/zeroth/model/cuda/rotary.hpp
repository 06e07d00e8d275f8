// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>

#include <zeroth/model/cuda/values.hpp>
#include <zeroth/model/rotary.hpp>

namespace zeroth::model::cuda {

/// Cosine and sine of each row and pair. Grid: a thread for each of them.
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

/// Turns the pairs of every head, in place. Grid: a thread for each pair of each head, row and lane.
struct RotateKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;

  float const* table;  ///< see RotaryTableKernel
  std::uint64_t pairs;
  RotaryPairing pairing;
  LaneRows x;

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    std::uint64_t const i = at.global();
    if (2 * i >= x.size()) return;
    std::uint64_t const pair = i % pairs;
    std::uint64_t const head = i / pairs * 2 * pairs;  // the head's first element
    std::uint64_t const row = 2 * i / x.features % x.rows;
    bool const adjacent = pairing == RotaryPairing::adjacent;
    std::uint64_t const first = head + (adjacent ? 2 * pair : pair);
    std::uint64_t const second = first + (adjacent ? 1 : pairs);
    float const cosine = table[2 * (row * pairs + pair)];
    float const sine = table[2 * (row * pairs + pair) + 1];
    float const a = x.get(first);
    float const b = x.get(second);
    x.set(first, a * cosine - b * sine);
    x.set(second, b * cosine + a * sine);
  }
};

}  // namespace zeroth::model::cuda

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <zeroth/backend/cpu/instruction_set.hpp>
#include <zeroth/backend/cpu/kernels.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA {

// Must not be inlined: where it is, g++ 12 sees 16-bit memory and warns about the f32 branch, which is not taken.

/// Widens the weights at `stored` to `values`; see widen(). Exact.
[[gnu::noinline]] inline void widen_values(DataType dtype, void const* stored, std::span<float> values,
                                           InstructionSet set = best_instruction_set()) {
  if (dtype == DataType::f32) {
    if (!values.empty()) std::memcpy(values.data(), stored, values.size_bytes());
    return;
  }
  auto const* const bytes = static_cast<std::byte const*>(stored);
  cpu_kernels::with_kernels(set, [&](auto kernels) {
    alignas(64) std::uint16_t weights[tile_size] = {};
    alignas(64) float widened[tile_size];
    for (std::size_t first = 0; first < values.size(); first += tile_size) {
      std::size_t const count = std::min<std::size_t>(tile_size, values.size() - first);
      std::memcpy(weights, bytes + first * sizeof(std::uint16_t), count * sizeof(std::uint16_t));
      float* const to = values.data() + first;
      kernels.widen(dtype, weights, count == tile_size ? to : widened);
      if (count != tile_size) std::copy_n(widened, count, to);
    }
  });
}

/// Rounds each of `values` to nearest and stores them at `stored`; see narrow().
[[gnu::noinline]] inline void narrow_values(DataType dtype, std::span<float const> values, void* stored,
                                            InstructionSet set = best_instruction_set()) {
  if (dtype == DataType::f32) {
    if (!values.empty()) std::memcpy(stored, values.data(), values.size_bytes());
    return;
  }
  auto* const bytes = static_cast<std::byte*>(stored);
  cpu_kernels::with_kernels(set, [&](auto kernels) {
    alignas(64) float padded[tile_size] = {};
    alignas(64) std::uint16_t weights[tile_size];
    for (std::size_t first = 0; first < values.size(); first += tile_size) {
      std::size_t const count = std::min<std::size_t>(tile_size, values.size() - first);
      float const* const from = values.data() + first;
      if (count != tile_size) std::copy_n(from, count, padded);
      kernels.narrow(dtype, count == tile_size ? from : padded, weights);
      std::memcpy(bytes + first * sizeof(std::uint16_t), weights, count * sizeof(std::uint16_t));
    }
  });
}

}  // namespace zeroth::ZEROTH_ISA

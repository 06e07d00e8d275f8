// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// SplitMix64's map of a counter to 64 bits (Steele, Lea and Flood, OOPSLA 2014): a bijection in which each bit of the
/// argument changes about half of the result's. Hashes are built from it; noise comes from Philox.
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint64_t split_mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace zeroth::ZEROTH_ISA

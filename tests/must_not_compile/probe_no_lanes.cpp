// SPDX-License-Identifier: MIT
// expect: probe.lanes()
// Probe, requirement 1: it says its points.
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/probe.hpp>

struct NearMiss {
#ifdef ZEROTH_FIXED
  std::span<zeroth::Lane const> lanes() const {
    return {};
  }
#endif
  std::uint64_t step() const {
    return 0;
  }
  std::uint32_t micro_batch() const {
    return 0;
  }
  void expand(std::size_t, std::uint64_t, std::uint64_t, std::span<float* const>) const {}
};

zeroth::AnyProbe erase(NearMiss const& probe) {
  return zeroth::AnyProbe(probe);
}

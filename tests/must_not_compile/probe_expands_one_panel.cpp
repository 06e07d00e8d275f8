// SPDX-License-Identifier: MIT
// expect: probe.expand(parameter, first, count, panels)
// Probe, requirement 2: it writes a panel for each lane.
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/probe.hpp>

struct NearMiss {
  std::span<zeroth::Lane const> lanes() const { return {}; }
  std::uint64_t step() const { return 0; }
  std::uint32_t micro_batch() const { return 0; }
#ifdef ZEROTH_FIXED
  void expand(std::size_t, std::uint64_t, std::uint64_t, std::span<float* const>) const {}
#else
  void expand(std::size_t, std::uint64_t, std::uint64_t, float*) const {}
#endif
};

zeroth::AnyProbe erase(NearMiss const& probe) {
  return zeroth::AnyProbe(probe);
}

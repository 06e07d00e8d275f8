// SPDX-License-Identifier: MIT
// expect: probe.step()
// Probe, requirement 4: it says which step this is.
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/probe.hpp>

struct NearMiss {
  std::span<zeroth::Point const> points() const { return {}; }
#ifdef ZEROTH_FIXED
  std::uint64_t step() const {
    return 0;
  }
#endif
  std::uint32_t micro_batch() const {
    return 0;
  }
  void expand(std::size_t, std::uint64_t, std::uint64_t, std::span<float* const>) const {}
};

zeroth::AnyProbe erase(NearMiss const& probe) {
  return zeroth::AnyProbe(probe);
}

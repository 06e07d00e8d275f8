// SPDX-License-Identifier: MIT
// expect: probe.micro_batch()
// Probe, requirement 4: it says which micro-batch this is.
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/probe.hpp>

struct NearMiss {
  std::span<zeroth::Lane const> lanes() const { return {}; }
  std::uint64_t step() const { return 0; }
#ifdef ZEROTH_FIXED
  std::uint32_t micro_batch() const {
    return 0;
  }
#endif
  void expand(std::size_t, std::uint64_t, std::uint64_t, std::span<float* const>) const {}
};

zeroth::AnyProbe erase(NearMiss const& probe) {
  return zeroth::AnyProbe(probe);
}

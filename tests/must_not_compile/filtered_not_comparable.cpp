// SPDX-License-Identifier: MIT
// expect: zeroth: the mask must be default constructible, copyable and comparable
// MaskPolicy, requirement 1, of a filtered policy.
#include <cstdint>
#include <string_view>

#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/filter.hpp>

struct NearMiss {
  bool operator()(float, std::uint64_t) const { return true; }
  static constexpr std::string_view name() { return "near-miss"; }
#ifdef ZEROTH_FIXED
  bool operator==(NearMiss const&) const = default;
#endif
};

auto const mask = zeroth::Filtered{NearMiss{}, zeroth::TensorFilter{.include = {"*"}}};

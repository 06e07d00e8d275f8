// SPDX-License-Identifier: MIT
// expect: the second policy is no MaskPolicy
// MaskPolicy, requirement 1: a regular type compares.
#include <cstdint>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  bool operator()(float, std::uint64_t) const { return true; }
  static constexpr std::string_view name() { return "near-miss"; }
#ifdef ZEROTH_FIXED
  bool operator==(NearMiss const&) const = default;
#endif
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, NearMiss, zeroth::ReferenceBackend>;

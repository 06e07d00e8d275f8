// SPDX-License-Identifier: MIT
// expect: the second policy is no MaskPolicy
// MaskPolicy, requirement 3: a rule says yes or no.
#include <cstdint>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
#ifdef ZEROTH_FIXED
  bool operator()(float, std::uint64_t) const {
    return true;
  }
#else
  int operator()(float, std::uint64_t) const {
    return 1;
  }
#endif
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, NearMiss, zeroth::ReferenceBackend>;

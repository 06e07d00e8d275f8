// SPDX-License-Identifier: MIT
// expect: zeroth: the mask lacks its rule: write bool operator()(float theta, std::uint64_t element) const
// MaskPolicy, requirement 3: a rule takes the element too.
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
  bool operator()(float) const {
    return true;
  }
#endif
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, NearMiss, zeroth::ReferenceBackend>;
static_assert(sizeof(Optimizer) != 0);

// SPDX-License-Identifier: MIT
// expect: zeroth: the mask lacks its name: write static constexpr std::string_view name()
// MaskPolicy, requirement 2: it has a name.
#include <cstdint>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  bool operator()(float, std::uint64_t) const { return true; }
#ifdef ZEROTH_FIXED
  static constexpr std::string_view name() {
    return "near-miss";
  }
#endif
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, NearMiss, zeroth::ReferenceBackend>;

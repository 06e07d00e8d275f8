// SPDX-License-Identifier: MIT
// expect: only_descends is for updates without state and window
// What an update with state would leave is not what its candidates are evaluated at.
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/update/momentum.hpp>

struct NearMiss : zeroth::Momentum {
#ifdef ZEROTH_FIXED
  static constexpr bool only_descends = false;
#else
  static constexpr bool only_descends = true;
#endif
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend, NearMiss>;

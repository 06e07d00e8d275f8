// SPDX-License-Identifier: MIT
// expect: the fourth policy is no Update
// Update, requirement 4: it says whether it takes the sign.
#include <span>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
#ifdef ZEROTH_FIXED
  static constexpr bool takes_sign = false;
#endif
  void coefficients(std::span<double const>, double, std::span<float>) const {}
  double decay(double) const {
    return 0;
  }
  void check() const {}
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend, NearMiss>;

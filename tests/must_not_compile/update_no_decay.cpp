// SPDX-License-Identifier: MIT
// expect: the fourth policy is no Update
// Update, requirement 3: it says what a weight loses.
#include <span>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  static constexpr bool takes_sign = false;
  void coefficients(std::span<double const>, double, std::span<float>) const {}
#ifdef ZEROTH_FIXED
  double decay(double) const {
    return 0;
  }
#endif
  void check() const {}
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend, NearMiss>;

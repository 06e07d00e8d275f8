// SPDX-License-Identifier: MIT
// expect: zeroth: the update lacks its decay: write double decay(double learning_rate) const
// Update, requirement 3: it has a decay.
#include <span>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
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

using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend, NearMiss>;
static_assert(sizeof(Optimizer) != 0);

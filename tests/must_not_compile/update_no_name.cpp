// SPDX-License-Identifier: MIT
// expect: zeroth: the update lacks its name: write static constexpr std::string_view name()
// Update, requirement 5: it has a name.
#include <span>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  void coefficients(std::span<double const>, double, std::span<float>) const {}
  double decay(double) const { return 0; }
  void check() const {}
#ifdef ZEROTH_FIXED
  static constexpr std::string_view name() {
    return "near-miss";
  }
#endif
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend, NearMiss>;

// SPDX-License-Identifier: MIT
// expect: zeroth: the estimator lacks its name: write static constexpr std::string_view name()
// Estimator, requirement 5: it has a name.
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  static constexpr std::array<std::int32_t, 1> signs = {+1};
  static constexpr bool uses_base = false;
  double projected_gradient(double, std::span<double const>, double) const { return 0; }
#ifdef ZEROTH_FIXED
  static constexpr std::string_view name() {
    return "near-miss";
  }
#endif
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend, zeroth::Sgd,
                                            NearMiss>;

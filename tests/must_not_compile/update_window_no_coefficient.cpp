// SPDX-License-Identifier: MIT
// expect: the fourth policy is no Update
// WindowedUpdate, requirement 3: it says how much of an older update there is in a step.
#include <cstdint>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  std::uint32_t window = 4;
#ifdef ZEROTH_FIXED
  float coefficient(float direction, float step_size, std::uint32_t) const {
    return -step_size * direction;
  }
#endif
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

// SPDX-License-Identifier: MIT
// expect: the fourth policy is no Update
// StatefulUpdate, requirement 6: it has a name.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  static constexpr std::size_t state_floats = 1;
  struct Rule {
    float operator()(float theta, float direction, std::span<float, 1> state) const {
      state[0] = direction;
      return theta - direction;
    }
  };
  Rule rule(float, std::uint64_t) const { return {}; }
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

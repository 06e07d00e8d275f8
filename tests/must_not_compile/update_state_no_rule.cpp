// SPDX-License-Identifier: MIT
// expect: zeroth: the update lacks its rule: write Rule rule(float step_size, std::uint64_t updates) const
// ElementwiseUpdate, requirement 3: it makes a rule.
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
#ifdef ZEROTH_FIXED
  Rule rule(float, std::uint64_t) const {
    return {};
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

// SPDX-License-Identifier: MIT
// expect: the first policy is no Sampler
// Sampler, requirement 2: the number of values is part of the type.
#include <array>
#include <string_view>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
#ifdef ZEROTH_FIXED
  std::array<float, 4> operator()(zeroth::RandomBlock const&) const {
    return {};
  }
#else
  std::vector<float> operator()(zeroth::RandomBlock const&) const {
    return {};
  }
#endif
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<NearMiss, zeroth::Dense, zeroth::ReferenceBackend>;

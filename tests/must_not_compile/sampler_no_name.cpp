// SPDX-License-Identifier: MIT
// expect: zeroth: the sampler lacks its name: write static constexpr std::string_view name()
// Sampler, requirement 5: it has a name.
#include <array>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  std::array<float, 4> operator()(zeroth::RandomBlock const&) const { return {}; }
#ifdef ZEROTH_FIXED
  static constexpr std::string_view name() {
    return "near-miss";
  }
#endif
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<NearMiss, zeroth::Dense, zeroth::ReferenceBackend>;

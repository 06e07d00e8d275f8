// SPDX-License-Identifier: MIT
// expect: the first policy is no Sampler
// Sampler, requirement 1: a regular type compares.
#include <array>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  std::array<float, 4> operator()(zeroth::RandomBlock const&) const { return {}; }
  static constexpr std::string_view name() { return "near-miss"; }
#ifdef ZEROTH_FIXED
  bool operator==(NearMiss const&) const = default;
#endif
};

template class zeroth::ZerothOrderOptimizer<NearMiss, zeroth::Dense, zeroth::ReferenceBackend>;

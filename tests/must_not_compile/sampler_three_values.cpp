// SPDX-License-Identifier: MIT
// expect: zeroth: the sampler must return std::array<float, N> or zeroth::Array<float, N>
// Sampler, requirement 2: 3 values do not fill a tile.
#include <array>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

#ifdef ZEROTH_FIXED
constexpr std::size_t values = 4;
#else
constexpr std::size_t values = 3;
#endif

struct NearMiss {
  std::array<float, values> operator()(zeroth::RandomBlock const&) const { return {}; }
  static constexpr std::string_view name() { return "near-miss"; }
  bool operator==(NearMiss const&) const = default;
};

using Optimizer = zeroth::ZerothOrderOptimizer<NearMiss, zeroth::Dense, zeroth::ReferenceBackend>;
static_assert(sizeof(Optimizer) != 0);

// SPDX-License-Identifier: MIT
// expect: the second policy is no MaskPolicy
// MaskPolicy, requirement 4: the rule of a state is default constructible, as MaskRule asks.
#include <cstdint>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct Rule {
#ifdef ZEROTH_FIXED
  Rule() = default;
#endif
  explicit Rule(int) {}
  bool operator()(float, std::uint64_t) const {
    return true;
  }
};

struct State {
  // Not an aggregate's initialisation, so that the missing constructor is met in the concept alone.
  zeroth::TensorMask<Rule> tensor(std::size_t, std::uint32_t) const;
};

struct NearMiss {
  State prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const { return {}; }
  static constexpr std::string_view name() { return "near-miss"; }
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, NearMiss, zeroth::ReferenceBackend>;

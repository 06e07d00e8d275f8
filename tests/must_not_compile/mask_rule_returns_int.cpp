// SPDX-License-Identifier: MIT
// expect: zeroth: the mask's Rule must be default constructible, copyable and callable: write bool operator()
// MaskRule, requirement 1: a rule of a state returns bool.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  struct Rule {
#ifdef ZEROTH_FIXED
    bool operator()(float, std::uint64_t) const {
      return true;
    }
#else
    int operator()(float, std::uint64_t) const {
      return 1;
    }
#endif
  };
  struct State {
    zeroth::TensorMask<Rule> tensor(std::size_t, std::uint32_t) const { return {}; }
  };
  State prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const {
    return {};
  }
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, NearMiss, zeroth::ReferenceBackend>;
static_assert(sizeof(Optimizer) != 0);

// SPDX-License-Identifier: MIT
// expect: zeroth: begin_step of the mask's state has other parameters, and would never be called
// MaskPolicy, requirement 5: an optional member that would be ignored.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
  struct Rule {
    bool operator()(float, std::uint64_t) const { return true; }
  };
  struct State {
    zeroth::TensorMask<Rule> tensor(std::size_t, std::uint32_t) const { return {}; }
#ifdef ZEROTH_FIXED
    void begin_step(zeroth::ParameterSet const&, zeroth::WeightReader const&, std::uint32_t) {}
#else
    void begin_step(std::uint32_t) {}
#endif
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

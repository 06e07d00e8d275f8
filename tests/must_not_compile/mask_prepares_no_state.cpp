// SPDX-License-Identifier: MIT
// expect: the second policy is no MaskPolicy
// MaskPolicy, requirement 4: the state has tensor(index, step).
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss {
#ifdef ZEROTH_FIXED
  zeroth::Dense::State prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const {
    return {};
  }
#else
  int prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const {
    return 0;
  }
#endif
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, NearMiss, zeroth::ReferenceBackend>;

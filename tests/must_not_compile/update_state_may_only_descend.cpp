// SPDX-License-Identifier: MIT
// expect: only_descends is for updates without state and window
// An update with state that says at run time whether it only descends.
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/update/adam.hpp>

struct NearMiss : zeroth::Adam {
#ifndef ZEROTH_FIXED
  bool only_descends = false;
#endif
  static constexpr std::string_view name() {
    return "near-miss";
  }
  bool operator==(NearMiss const&) const = default;
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend, NearMiss>;

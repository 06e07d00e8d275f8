// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// A sampler, mask policy, update or estimator on one line, with all that its result depends on:
/// "smallest-magnitude(sparsity=0.75, scope=tensor, vectors=all, refresh_every=0)". Journals keep it, and two policies
/// of one line are taken for the same.
///
/// It is what the policy's `description()` returns; a policy that has none is told by its name alone.
template <class Policy>
[[nodiscard]] std::string describe(Policy const& policy) {
  if constexpr (requires { policy.description(); })
    return policy.description();
  else
    return std::string(policy.name());
}

/// "name(key=value, key=value)": a description of a policy with those settings.
[[nodiscard]] inline std::string described(std::string_view name,
                                           std::initializer_list<std::pair<std::string_view, std::string>> settings) {
  std::string text(name);
  char separator = '(';
  for (auto const& [key, value] : settings) {
    text += separator;
    if (separator == ',') text += ' ';
    text.append(key).append("=").append(value);
    separator = ',';
  }
  return text + ")";
}

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// A sampler, mask policy, update or estimator on one line, with every setting that affects its result:
/// "smallest-magnitude(sparsity=0.75, scope=tensor, vectors=all, refresh_every=0)". Journals store it, and two policies
/// with the same line count as the same policy.
///
/// Returns the policy's `description()`, or its name if it has none.
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

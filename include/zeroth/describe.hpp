// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <zeroth/config.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/split_mix.hpp>

namespace zeroth::ZEROTH_ISA {

/// A sampler, mask policy, update or estimator on one line, with every setting that affects its result:
/// "smallest-magnitude(sparsity=0.75, scope=tensor, vectors=all, refresh_every=0)". Journals store it, and two policies
/// with the same line count as the same policy.
///
/// Returns the policy's `description()`, or its name if it has none.
template <class Policy>
[[nodiscard]] std::string describe(Policy const& policy) {
  if constexpr (requires { policy.description(); }) {
    return policy.description();
  } else {
    constexpr bool has_none = !requires {
      &Policy::description;
    };
    static_assert(has_none,
                  "zeroth: a policy's description would never be called: write std::string description() const");
    return std::string(policy.name());
  }
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

/// Stands in a description for a setting that is too long to print, such as a table: a hash of its values, which are
/// f32 or unsigned integers.
template <class T>
[[nodiscard]] std::string digest(std::span<T const> values) {
  std::uint64_t hash = values.size();
  for (T const& value : values) {
    if constexpr (std::same_as<T, float>)
      hash = split_mix(hash ^ bits_of(value));
    else
      hash = split_mix(hash ^ std::uint64_t{value});
  }
  return hexadecimal(hash);
}

}  // namespace zeroth::ZEROTH_ISA

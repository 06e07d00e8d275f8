// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/describe.hpp>
#include <zeroth/mask/check_mask.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/mask.hpp>

namespace zeroth::ZEROTH_ISA {

/// Whether a name matches a glob: `*` stands for any run of characters, `?` for any one.
[[nodiscard]] constexpr bool glob_match(std::string_view glob, std::string_view name) noexcept {
  std::size_t g = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      resume = n;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == name[n])) {
      ++g;
      ++n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

/// Selects tensors by name and role. Empty lists select everything.
struct TensorFilter {
  std::vector<std::string> include{};  ///< globs; a tensor must match one, if there are any
  std::vector<std::string> exclude{};  ///< globs; a tensor must match none
  std::vector<Role> exclude_roles{};   ///< a tensor must have none of them

  [[nodiscard]] bool operator()(Parameter const& tensor) const {
    auto matches = [&](std::string const& glob) { return glob_match(glob, tensor.name); };
    return (include.empty() || std::any_of(include.begin(), include.end(), matches)) &&
           std::none_of(exclude.begin(), exclude.end(), matches) &&
           std::find(exclude_roles.begin(), exclude_roles.end(), tensor.role) == exclude_roles.end();
  }

  /// "include=[blk.*], exclude=[], exclude_roles=[vector]".
  [[nodiscard]] std::string description() const {
    std::string text;
    auto add = [&](char const* name, auto const& items, auto const& text_of) {
      text += std::string(text.empty() ? "" : ", ") + name + "=[";
      for (auto const& item : items) text += (&item == items.data() ? "" : ", ") + std::string(text_of(item));
      text += "]";
    };
    auto same = [](std::string const& glob) { return glob; };
    add("include", include, same);
    add("exclude", exclude, same);
    add("exclude_roles", exclude_roles, [](Role role) { return to_string(role); });
    return text;
  }
  bool operator==(TensorFilter const&) const = default;
};

/// Applies a policy to some tensors; the others are not tuned, and the policy does not see them:
///
///     Filtered{SmallestMagnitude{0.75}, TensorFilter{.exclude = {"token_embd.*"}, .exclude_roles = {Role::vector}}}
template <class Policy>
struct Filtered {
  Policy policy;
  TensorFilter filter;

  class State {
   public:
    using Rule = MaskRuleOf<MaskState<Policy>>;

    State(Filtered const& filtered, ParameterSet const& parameters, WeightReader const& weights)
        : kept_(select(filtered.filter, parameters)),
          positions_(parameters.size(), left_out),
          state_(prepare_mask(filtered.policy, kept_, weights)) {
      for (std::size_t i = 0, next = 0; i < parameters.size(); ++i)
        if (filtered.filter(parameters[i])) positions_[i] = next++;
    }

    [[nodiscard]] TensorMask<Rule> tensor(std::size_t index, std::uint32_t step) const {
      if (positions_[index] == left_out) return {Coverage::none, Rule{}};
      return state_.tensor(positions_[index], step);
    }

    [[nodiscard]] bool is_fixed() const { return is_fixed_mask(state_); }

    void begin_step(ParameterSet const& /*parameters*/, WeightReader const& weights, std::uint32_t step) {
      begin_mask_step(state_, kept_, weights, step);
    }

   private:
    static constexpr std::size_t left_out = static_cast<std::size_t>(-1);

    [[nodiscard]] static ParameterSet select(TensorFilter const& filter, ParameterSet const& parameters) {
      ParameterSet kept;
      for (Parameter const& p : parameters)
        if (filter(p)) kept.add(p);
      return kept;
    }

    ParameterSet kept_;
    std::vector<std::size_t> positions_;  // of each parameter within kept_
    MaskState<Policy> state_;
  };

  /// @throws InvalidArgument if an excluded role is not one of Role's, or whatever the policy's `prepare` throws
  [[nodiscard]] State prepare(ParameterSet const& parameters, WeightReader const& weights) const {
    for (Role role : filter.exclude_roles) detail::require_choice(role, roles, "filter: exclude_roles");
    return State(*this, parameters, weights);
  }

  [[nodiscard]] std::string name() const { return "filtered(" + std::string(policy.name()) + ")"; }
  [[nodiscard]] std::string description() const {
    return "filtered(" + describe(policy) + ", " + filter.description() + ")";
  }
  bool operator==(Filtered const&) const = default;
};
template <class Policy>
Filtered(Policy, TensorFilter) -> Filtered<Policy>;

/// Of a type that is no policy: exists so that the sentence that says so is the compiler's only error.
template <class Policy>
requires(!MaskPolicy<Policy>) struct Filtered<Policy> : Dense {
  static_assert(detail::check_mask<Policy>());
  Filtered() = default;
  Filtered(Policy const& /*policy*/, TensorFilter const& /*filter*/) {}
};

}  // namespace zeroth::ZEROTH_ISA

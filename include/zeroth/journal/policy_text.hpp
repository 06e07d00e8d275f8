// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/config.hpp>
#include <zeroth/numeric/read_number.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// The description of a policy taken apart: "name(argument, argument)", where an argument is "key=value" or the
/// description of another policy (see describe).
///
/// Lenient: what cannot be read is empty, or 0. Whether it was read as it was meant shows in whether a policy that is
/// built from it has the same description.
struct PolicyText {
  std::string_view name;
  std::vector<std::string_view> arguments{};

  explicit PolicyText(std::string_view text) : name(text) {
    std::size_t const open = text.find('(');
    if (open == std::string_view::npos || text.back() != ')') return;
    name = text.substr(0, open);
    arguments = split(text.substr(open + 1, text.size() - open - 2));
  }

  /// The value of the argument "key=value".
  [[nodiscard]] std::string_view value(std::string_view key) const {
    for (std::string_view argument : arguments)
      if (argument.size() > key.size() && argument.starts_with(key) && argument[key.size()] == '=')
        return argument.substr(key.size() + 1);
    return {};
  }

  template <class Number>
  [[nodiscard]] Number number(std::string_view key) const {
    return number_of<Number>(value(key));
  }

  template <class Number>
  [[nodiscard]] static Number number_of(std::string_view text) {
    Number number{};
    return read_number(text, number) ? number : Number{};
  }

  /// One of the first `count` values of an enum, by name.
  template <class Enum>
  [[nodiscard]] Enum choice(std::string_view key, std::uint8_t count) const {
    return choice_of<Enum>(value(key), count);
  }

  template <class Enum>
  [[nodiscard]] static Enum choice_of(std::string_view text, std::uint8_t count) {
    for (std::uint8_t i = 0; i < count; ++i)
      if (to_string(static_cast<Enum>(i)) == text) return static_cast<Enum>(i);
    return {};
  }

  /// The items of the argument "key=[item, item]".
  [[nodiscard]] std::vector<std::string> list(std::string_view key) const {
    std::string_view const text = value(key);
    if (text.size() <= 2) return {};
    std::vector<std::string_view> const items = split(text.substr(1, text.size() - 2));
    return {items.begin(), items.end()};
  }

 private:
  /// The parts between commas that no bracket encloses.
  [[nodiscard]] static std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '(' || text[i] == '[') ++depth;
      if ((text[i] == ')' || text[i] == ']') && depth > 0) --depth;
      if (depth > 0 || text.substr(i, 2) != ", ") continue;
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 2;
    }
    parts.push_back(text.substr(begin));
    return parts;
  }
};

}  // namespace zeroth::ZEROTH_ISA::detail

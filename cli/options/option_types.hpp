// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

#include "io/text.hpp"

// What the values of options are checked with. Each refusal says what was expected and what was found.

namespace zeroth::cli {

template <class T>
[[nodiscard]] bool parse_number(std::string const& text, T& value) {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

[[nodiscard]] inline std::string found(std::string const& text) {
  return ", found " + in_quotes(text);
}

/// A whole number of type T from `least` to `most`; made plain decimal, as CLI11 would read 010 as eight.
template <class T>
[[nodiscard]] CLI::Validator whole_number(T least, T most = std::numeric_limits<T>::max()) {
  std::string expected = "expected a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  auto check = [=](std::string& text) {
    T value{};
    if (!parse_number(text, value) || value < least || value > most) return expected + found(text);
    text = std::to_string(value);
    return std::string();
  };
  return CLI::Validator(check, "");
}

enum class Bounds : std::uint8_t { positive, not_negative, share, probability };

[[nodiscard]] inline CLI::Validator real_number(Bounds bounds) {
  auto check = [=](std::string& text) -> std::string {
    double value = 0;
    bool const is_number = parse_number(text, value) && std::isfinite(value);
    switch (bounds) {
      case Bounds::positive:
        return is_number && value > 0 ? "" : "expected a number above 0" + found(text);
      case Bounds::not_negative:
        return is_number && value >= 0 ? "" : "expected a number of at least 0" + found(text);
      case Bounds::probability:
        return is_number && value > 0 && value <= 1 ? "" : "expected a number above 0 and at most 1" + found(text);
      case Bounds::share:
        return is_number && value >= 0 && value < 1 ? "" : "expected a number of at least 0 and below 1" + found(text);
    }
    return "";
  };
  return CLI::Validator(check, "");
}

/// One of the values of an enum, by name; the names joined by "|" are the name of its type.
template <class Enum, class Value, std::size_t n>
CLI::Option* add_named_value(CLI::App& command, std::string const& name, Value& value,
                             std::array<Enum, n> const& choices, std::string const& help) {
  std::string names;
  std::string type;
  for (Enum choice : choices) {
    names += (names.empty() ? "" : ", ") + std::string(to_string(choice));
    type += (type.empty() ? "" : "|") + std::string(to_string(choice));
  }
  auto assign = [&value, choices, names, name](std::string const& text) {
    for (Enum choice : choices)
      if (to_string(choice) == text) return void(value = choice);
    throw CLI::ValidationError(name, "expected one of " + names + found(text));
  };
  return command.add_option_function<std::string>(name, assign, help)->type_name(type);
}

template <class Enum, std::size_t n>
void add_choice(CLI::App& command, std::string const& name, Enum& value, std::array<Enum, n> const& choices,
                std::string const& help) {
  add_named_value(command, name, value, choices, help)->default_str(std::string(to_string(value)));
}

/// The same without a default of its own.
template <class Enum, std::size_t n>
void add_choice(CLI::App& command, std::string const& name, std::optional<Enum>& value,
                std::array<Enum, n> const& choices, std::string const& help) {
  add_named_value(command, name, value, choices, help);
}

}  // namespace zeroth::cli

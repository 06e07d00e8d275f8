// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/numeric/read_number.hpp>
#include <zeroth_model/text/unicode.hpp>

#include "io/text.hpp"
#include "options.hpp"

// The kinds of values that options take. Each kind has
//   type()                what help calls a value; shell completion reads it, see completion_script()
//   parse(text, value)    reads a word of the command line; false if it is not one of the values
//   accepts(value)        whether a value is one of them: checks what options.json and journals hold
//   text(value)           the word that parse() reads as that value; of Globs and Flag, CLI11 parses the words
//   expected()            what the values are, for messages: "a whole number from 1 to 8"

namespace zeroth::cli {

/// ", found "TEXT"", which ends a message.
[[nodiscard]] inline std::string found(std::string const& text) {
  return ", found " + in_quotes(text);
}

/// A number for people: "0.75", "1e-08".
[[nodiscard]] inline std::string short_text(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", number);
  return text.data();
}

/// A whole number from `least` to `most`.
template <class T>
struct WholeNumber {
  T least = 0;
  T most = std::numeric_limits<T>::max();
  char const* name = "N";

  [[nodiscard]] std::string type() const { return name; }
  bool parse(std::string const& text, T& value) const { return read_number(text, value) && accepts(value); }
  [[nodiscard]] bool accepts(T value) const { return value >= least && value <= most; }
  [[nodiscard]] std::string text(T value) const { return std::to_string(value); }
  [[nodiscard]] std::string expected() const {
    return "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  }
};

/// What real numbers are limited to.
enum class Bounds : std::uint8_t {
  positive,      ///< above 0
  not_negative,  ///< at least 0
  share,         ///< at least 0 and below 1
  probability,   ///< above 0 and at most 1
};

/// A finite number within bounds.
struct RealNumber {
  Bounds bounds;
  char const* name = "X";

  [[nodiscard]] std::string type() const { return name; }
  bool parse(std::string const& text, double& value) const { return read_number(text, value) && accepts(value); }
  [[nodiscard]] bool accepts(double value) const {
    if (!std::isfinite(value)) return false;
    switch (bounds) {
      case Bounds::positive:
        return value > 0;
      case Bounds::not_negative:
        return value >= 0;
      case Bounds::share:
        return value >= 0 && value < 1;
      case Bounds::probability:
        return value > 0 && value <= 1;
    }
    return false;
  }
  [[nodiscard]] std::string text(double value) const { return short_text(value); }
  [[nodiscard]] std::string expected() const {
    switch (bounds) {
      case Bounds::positive:
        return "a number above 0";
      case Bounds::not_negative:
        return "a number of at least 0";
      case Bounds::share:
        return "a number of at least 0 and below 1";
      case Bounds::probability:
        return "a number above 0 and at most 1";
    }
    return "a number";
  }
};

/// One of the values of an enum, by name.
template <class Enum>
struct OneOf {
  std::vector<Enum> choices;

  [[nodiscard]] std::string type() const { return names("|"); }
  bool parse(std::string_view text, Enum& value) const {
    for (Enum choice : choices) {
      if (to_string(choice) != text) continue;
      value = choice;
      return true;
    }
    return false;
  }
  [[nodiscard]] bool accepts(Enum value) const {
    return std::find(choices.begin(), choices.end(), value) != choices.end();
  }
  [[nodiscard]] std::string text(Enum value) const { return std::string(to_string(value)); }
  [[nodiscard]] std::string expected() const { return "one of " + names(", "); }

 private:
  [[nodiscard]] std::string names(char const* separator) const {
    std::string list;
    for (Enum choice : choices) list += (list.empty() ? "" : separator) + std::string(to_string(choice));
    return list;
  }
};

/// Any value of an enum. All enums count from 0, and what comes after the last is "unknown".
template <class Enum>
[[nodiscard]] OneOf<Enum> any_of() {
  OneOf<Enum> values;
  for (std::uint8_t i = 0; to_string(static_cast<Enum>(i)) != "unknown"; ++i)
    values.choices.push_back(static_cast<Enum>(i));
  return values;
}

/// A path; FILE, DIR or PATH says of what. An empty one stands for none.
struct Path {
  char const* name;

  [[nodiscard]] std::string type() const { return name; }
  bool parse(std::string const& text, std::filesystem::path& value) const {
    value = text;
    return true;
  }
  [[nodiscard]] bool accepts(std::filesystem::path const& /*value*/) const { return true; }
  [[nodiscard]] std::string text(std::filesystem::path const& value) const { return value.string(); }
  [[nodiscard]] std::string expected() const { return "a path"; }
};

/// Any text.
struct Text {
  std::string name;

  [[nodiscard]] std::string type() const { return name; }
  bool parse(std::string const& text, std::string& value) const {
    value = text;
    return true;
  }
  [[nodiscard]] bool accepts(std::string const& /*value*/) const { return true; }
  [[nodiscard]] std::string text(std::string const& value) const { return value; }
  [[nodiscard]] std::string expected() const { return "a text"; }
};

/// The name of a built-in task or, if it ends in .json, the path of a task file.
struct TaskName : Text {};

/// What computes: the CPU, or the GPU of that number.
struct Device {
  static constexpr std::uint32_t limit = 1024;

  [[nodiscard]] std::string type() const { return "cpu|cuda[:N]"; }
  bool parse(std::string const& text, std::optional<std::uint32_t>& value) const {
    constexpr std::string_view prefix = "cuda:";
    std::uint32_t number = 0;
    bool const is_numbered = text.starts_with(prefix) && read_number(text.substr(prefix.size()), number);
    if (text != "cpu" && text != "cuda" && !(is_numbered && number < limit)) return false;
    value = text == "cpu" ? std::nullopt : std::optional(number);
    return true;
  }
  [[nodiscard]] bool accepts(std::optional<std::uint32_t> value) const { return value.value_or(0) < limit; }
  [[nodiscard]] std::string text(std::optional<std::uint32_t> value) const {
    return value ? "cuda:" + std::to_string(*value) : "cpu";
  }
  [[nodiscard]] std::string expected() const { return "cpu, cuda or cuda:N"; }
};

/// Globs separated by commas. They are recorded as JSON, so only UTF-8 is accepted.
struct Globs {
  [[nodiscard]] std::string type() const { return "GLOB"; }
  [[nodiscard]] bool accepts(std::vector<std::string> const& value) const {
    return std::all_of(value.begin(), value.end(), [](std::string const& glob) { return model::is_utf8(glob); });
  }
  [[nodiscard]] std::string text(std::vector<std::string> const& value) const {
    std::string list;
    for (std::string const& glob : value) list += (list.empty() ? "" : ",") + glob;
    return list;
  }
  [[nodiscard]] std::string expected() const { return "UTF-8"; }
};

/// An option without a value.
struct Flag {
  [[nodiscard]] std::string type() const { return ""; }
  [[nodiscard]] bool accepts(bool /*value*/) const { return true; }
  [[nodiscard]] std::string text(bool value) const { return value ? "true" : "false"; }
  [[nodiscard]] std::string expected() const { return "true, false or no value"; }
};

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace zeroth::cli {

using OrderedJson = nlohmann::ordered_json;

/// Parses a JSON text that people write.
/// @param file what error messages call the text
/// @throws InvalidFile with line and column of a syntax error, or naming a key that an object holds twice.
[[nodiscard]] OrderedJson parse_json(std::string_view text, std::string const& file);

/// A value for an error message: a scalar as it is written, "an array" or "an object".
[[nodiscard]] std::string describe(OrderedJson const& value);

/// A value of a JSON file together with its place in it, which every error names: "my.json: label.values: expected
/// ..., found ...". Refers to the value.
class CheckedJson {
 public:
  CheckedJson(OrderedJson const& value, std::string file, std::string path = "")
      : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

  /// @throws InvalidFile always: "FILE: PATH: expected EXPECTED, found FOUND".
  [[noreturn]] void refuse(std::string const& expected, std::string const& found) const;
  [[noreturn]] void refuse(std::string const& expected) const { refuse(expected, describe(*value_)); }

  /// @throws InvalidFile if this is no object, or has a key other than these.
  void allow_keys(std::vector<std::string_view> const& keys) const;

  /// @throws InvalidFile if this is no object or lacks the key.
  [[nodiscard]] CheckedJson at(std::string_view key, std::string const& expected) const;

  /// Nothing if this object lacks the key.
  [[nodiscard]] std::optional<CheckedJson> find(std::string_view key) const;

  /// @throws InvalidFile, as do the next ones, if the value is of another type or out of range.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] double number() const;
  [[nodiscard]] std::uint64_t whole_number(std::uint64_t least, std::uint64_t most) const;

  /// The elements of an array of at least one.
  [[nodiscard]] std::vector<CheckedJson> elements(std::string const& expected) const;

  /// The members of an object of at least one, in the order of the file.
  [[nodiscard]] std::vector<std::pair<std::string, CheckedJson>> members(std::string const& expected) const;

  [[nodiscard]] bool is_text() const { return value_->is_string(); }
  [[nodiscard]] bool is_array() const { return value_->is_array(); }
  [[nodiscard]] bool is_object() const { return value_->is_object(); }

 private:
  [[nodiscard]] std::string child(std::string_view key) const;

  OrderedJson const* value_;
  std::string file_;
  std::string path_;
};

}  // namespace zeroth::cli

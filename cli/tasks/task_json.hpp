// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>

// How a task file is read, in addition to what JsonValue does.

namespace zeroth::cli {

/// @throws InvalidFile unless this is an object with no keys but these.
inline void allow_keys(model::JsonValue const& json, std::initializer_list<std::string_view> keys) {
  json.require_keys_among(std::span(keys.begin(), keys.size()));
}

/// The elements of an array that has from 1 to `most` of them.
[[nodiscard]] inline std::vector<model::JsonValue> elements(model::JsonValue const& json, std::string_view expected,
                                                            std::size_t most) {
  if (!json.is_array() || json.json().empty()) throw json.mismatch(expected);
  if (json.json().size() > most)
    throw json.mismatch("at most " + std::to_string(most) + " elements", std::to_string(json.json().size()));
  return json.elements();
}

/// The members of an object that has at least one.
[[nodiscard]] inline std::vector<model::JsonMember> members(model::JsonValue const& json, std::string_view expected) {
  if (!json.is_object() || json.json().empty()) throw json.mismatch(expected);
  return json.members();
}

/// Calls `read`, which may throw InvalidArgument "expected ..., found ...", and adds the value's place to its error.
template <class Read>
auto read_text_of(model::JsonValue const& json, Read const& read) {
  auto const text = json.as<std::string>();
  try {
    return read(text);
  } catch (InvalidArgument const& error) {
    throw InvalidFile(json.place() + ": " + error.what());
  }
}

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace zeroth::cli {

/// What the program writes: members in the order in which they were added.
using Json = nlohmann::ordered_json;

/// A number, or null where there is none.
[[nodiscard]] inline Json or_null(std::optional<double> const& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// JSON as text: on one line, or if `indent` is not negative a member a line. A character that a terminal would not
/// show is \u and its number, and what is not UTF-8 is U+FFFD.
[[nodiscard]] std::string json_text(Json const& json, int indent = -1);

}  // namespace zeroth::cli

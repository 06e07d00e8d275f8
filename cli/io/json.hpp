// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace zeroth::cli {

/// JSON that the program writes: members stay in the order in which they were added.
using Json = nlohmann::ordered_json;

/// A number, or null if there is none.
[[nodiscard]] inline Json or_null(std::optional<double> const& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// JSON as text: on one line, or one member per line if `indent` is not negative. Characters that a terminal would not
/// show are written as \uXXXX, and invalid UTF-8 becomes U+FFFD.
[[nodiscard]] std::string json_text(Json const& json, int indent = -1);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include <nlohmann/json.hpp>

namespace zeroth::cli {

/// What the program writes: members in the order in which they were added.
using Json = nlohmann::ordered_json;

/// A number, or null where there is none.
[[nodiscard]] inline Json or_null(std::optional<double> const& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace zeroth::cli

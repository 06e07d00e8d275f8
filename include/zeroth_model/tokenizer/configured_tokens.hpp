// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <zeroth/config.hpp>
#include <zeroth_model/io/json_file.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Token ids of a config.json or generation_config.json: a number, or a list of numbers. Null and negative numbers mean
/// none, as in transformers; LLaMA's first configurations have `"pad_token_id": -1`.
///
/// @param value of `bos_token_id`, `eos_token_id` or `pad_token_id`, if present
/// @throws InvalidFile naming file and key, if it is anything else.
[[nodiscard]] inline std::vector<std::int32_t> configured_tokens(std::optional<JsonValue> const& value) {
  std::vector<std::int32_t> ids;
  if (!value) return ids;
  for (JsonValue const& element : value->is_array() ? value->elements() : std::vector{*value}) {
    auto const id = detail::decode_json<std::int32_t>(element.json());
    if (!id) throw element.mismatch("an id below 2^31");
    if (*id >= 0) ids.push_back(*id);
  }
  return ids;
}

}  // namespace zeroth::ZEROTH_ISA::model

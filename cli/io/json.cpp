// SPDX-License-Identifier: MIT
#include "json.hpp"

#include <cstddef>
#include <string_view>

#include <zeroth_model/text/printable.hpp>

#include "format.hpp"

namespace zeroth::cli {

std::string json_text(Json const& json, int indent) {
  std::string const text = json.dump(indent, ' ', false, Json::error_handler_t::replace);
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    model::Character const character = model::next_character(text, i);
    // Only strings have such characters, apart from the newlines between values.
    if (model::is_unprintable(character.code_point) && character.code_point != U'\n')
      result += format("\\u%04x", static_cast<unsigned>(character.code_point));
    else
      result += std::string_view(text).substr(i, character.length);
    i += character.length;
  }
  return result;
}

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#include "json_path.hpp"

#include <algorithm>

#include <zeroth/error.hpp>

#include "io/text.hpp"

namespace zeroth::cli {

JsonPath::JsonPath(std::string_view text) {
  std::string_view const whole = text;
  auto reject = [&] {
    throw InvalidArgument("expected keys joined by dots, each with or without \"[]\", found " + in_quotes(whole));
  };
  std::size_t count = 0;
  for (bool more = true; more;) {
    if (++count > most_keys)
      throw InvalidArgument("expected at most " + std::to_string(most_keys) + " keys joined by dots, found more");
    std::size_t const dot = text.find('.');
    more = dot != std::string_view::npos;
    std::string_view key = text.substr(0, dot);
    if (more) text.remove_prefix(dot + 1);
    bool const list = key.ends_with("[]");
    if (list) key.remove_suffix(2);
    if (key.empty() || key.find_first_of("[]") != std::string_view::npos) reject();
    keys_.back().emplace_back(key);
    if (list) keys_.emplace_back();
  }
}

bool JsonPath::shares_lists(JsonPath const& other, std::size_t count) const {
  auto const end = keys_.begin() + static_cast<std::ptrdiff_t>(count);
  return count <= lists() && count <= other.lists() && std::equal(keys_.begin(), end, other.keys_.begin());
}

std::string JsonPath::text(std::span<std::size_t const> elements) const {
  std::string out;
  for (std::size_t list = 0; list < keys_.size(); ++list) {
    for (std::string const& key : keys_[list]) out.append(out.empty() ? "" : ".").append(key);
    if (list == lists()) break;
    out += "[" + (list < elements.size() ? std::to_string(elements[list]) : "") + "]";
  }
  return out;
}

}  // namespace zeroth::cli

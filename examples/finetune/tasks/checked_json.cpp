// SPDX-License-Identifier: MIT
#include "checked_json.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <zeroth/error.hpp>

#include "../text.hpp"

namespace zeroth::cli {
namespace {

std::string position(std::string_view text, std::size_t byte) {
  std::string_view const before = text.substr(0, std::min(text.size(), byte == 0 ? 0 : byte - 1));
  std::size_t const line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  auto const line = std::count(before.begin(), before.end(), '\n') + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - line_start + 1);
}

}  // namespace

OrderedJson parse_json(std::string_view text, std::string const& file) {
  std::vector<std::set<std::string>> objects;
  auto check = [&](int /*depth*/, OrderedJson::parse_event_t event, OrderedJson& parsed) {
    if (event == OrderedJson::parse_event_t::object_start) objects.emplace_back();
    if (event == OrderedJson::parse_event_t::object_end) objects.pop_back();
    if (event == OrderedJson::parse_event_t::key && !objects.back().insert(parsed.get<std::string>()).second)
      throw InvalidFile(file + ": expected each key of an object once, found " +
                        in_quotes(parsed.get_ref<std::string const&>()) + " twice");
    return true;
  };
  try {
    return OrderedJson::parse(text, check);
  } catch (OrderedJson::parse_error const& error) {
    throw InvalidFile(file + ": expected JSON, found a syntax error at " + position(text, error.byte));
  }
}

std::string describe(OrderedJson const& value) {
  if (value.is_string()) return in_quotes(value.get_ref<std::string const&>());
  if (value.is_array()) return value.empty() ? "an empty array" : "an array";
  if (value.is_object()) return value.empty() ? "an empty object" : "an object";
  return value.dump();
}

void CheckedJson::refuse(std::string const& expected, std::string const& found) const {
  throw InvalidFile(file_ + ": " + (path_.empty() ? "" : path_ + ": ") + "expected " + expected + ", found " + found);
}

std::string CheckedJson::child(std::string_view key) const {
  return (path_.empty() ? "" : path_ + ".") + std::string(key);
}

void CheckedJson::allow_keys(std::vector<std::string_view> const& keys) const {
  if (!is_object()) refuse("an object");
  std::string names;
  for (std::string_view key : keys) names += (names.empty() ? "" : ", ") + std::string(key);
  for (auto const& item : value_->items())
    if (std::find(keys.begin(), keys.end(), item.key()) == keys.end())
      CheckedJson(item.value(), file_, child(item.key())).refuse("one of the keys " + names, "a key that is none");
}

CheckedJson CheckedJson::at(std::string_view key, std::string const& expected) const {
  if (std::optional<CheckedJson> found = find(key)) return *found;
  CheckedJson(*value_, file_, child(key)).refuse(expected, "no such key");
}

std::optional<CheckedJson> CheckedJson::find(std::string_view key) const {
  auto const found = value_->find(std::string(key));
  if (found == value_->end()) return std::nullopt;
  return CheckedJson(*found, file_, child(key));
}

std::string CheckedJson::text() const {
  if (!is_text()) refuse("a string");
  return value_->get<std::string>();
}

bool CheckedJson::boolean() const {
  if (!value_->is_boolean()) refuse("true or false");
  return value_->get<bool>();
}

double CheckedJson::number() const {
  if (!value_->is_number()) refuse("a number");
  return value_->get<double>();
}

std::uint64_t CheckedJson::whole_number(std::uint64_t least, std::uint64_t most) const {
  bool const fits =
      value_->is_number_unsigned() && value_->get<std::uint64_t>() >= least && value_->get<std::uint64_t>() <= most;
  if (!fits) refuse("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return value_->get<std::uint64_t>();
}

std::vector<CheckedJson> CheckedJson::elements(std::string const& expected) const {
  if (!is_array() || value_->empty()) refuse(expected);
  std::vector<CheckedJson> all;
  for (OrderedJson const& element : *value_)
    all.emplace_back(element, file_, path_ + "[" + std::to_string(all.size()) + "]");
  return all;
}

std::vector<std::pair<std::string, CheckedJson>> CheckedJson::members(std::string const& expected) const {
  if (!is_object() || value_->empty()) refuse(expected);
  std::vector<std::pair<std::string, CheckedJson>> all;
  for (auto const& item : value_->items())
    all.emplace_back(item.key(), CheckedJson(item.value(), file_, child(item.key())));
  return all;
}

}  // namespace zeroth::cli

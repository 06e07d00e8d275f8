// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/format/mapped_file.hpp>
#include <zeroth/model/format/printable.hpp>

namespace zeroth::model {

/// The most that a JSON text may have, so that what is made of it fits the memory and the stack.
struct JsonLimits {
  std::size_t bytes = std::size_t{16} << 20;
  std::size_t nesting = 64;  ///< arrays and objects that lie in each other
};

/// A C++ type that a JSON value can be read as. A string_view is one of the file's values.
template <class T>
concept JsonScalar = std::same_as<T, bool> || std::same_as<T, std::string> || std::same_as<T, std::string_view> ||
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::uint32_t> ||
    std::same_as<T, std::int32_t> || std::same_as<T, std::uint64_t> || std::same_as<T, std::int64_t>;

namespace detail {

/// What the parser found wrong, on one line of ASCII, without the parser's own number of the error.
inline std::string json_error_text(std::string_view text, const nlohmann::json::exception& error) {
  std::string what = error.what();
  if (const std::size_t end = what.find("] "); what.starts_with('[') && end != std::string::npos)
    what.erase(0, end + 2);
  if (const auto* const syntax = dynamic_cast<const nlohmann::json::parse_error*>(&error)) {
    // Python writes these for floats that have no JSON form. The parser stops at their first letter.
    const std::string_view rest = text.substr(syntax->byte == 0 ? 0 : std::min(syntax->byte - 1, text.size()));
    for (const std::string_view word : {"NaN", "Infinity"}) {
      if (!rest.starts_with(word)) continue;
      what.resize(std::min(what.find(": "), what.size()));
      what.append(": expected JSON, which has finite numbers only, found ").append(word);
    }
  }
  for (char& c : what) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  constexpr std::size_t limit = 240;
  return printable(what, limit);
}

/// A key that an object of the JSON text has twice.
inline std::string duplicate_key(std::string_view text) {
  std::vector<std::set<std::string>> objects;  // the keys of those around the place
  std::string found;
  using Event = nlohmann::json::parse_event_t;
  const auto look = [&](int, Event event, nlohmann::json& value) {
    if (event == Event::object_start) objects.emplace_back();
    if (event == Event::object_end) objects.pop_back();
    if (event != Event::key) return true;
    const auto& key = value.get_ref<const std::string&>();
    if (!objects.back().insert(key).second) found = key;
    return true;
  };
  const nlohmann::json parsed_again = nlohmann::json::parse(text.begin(), text.end(), look);
  return found;
}

/// Parses a JSON text. Throws InvalidFile, with no name of a file, if it is not JSON in UTF-8, if an object has a key
/// twice (which of them counts is not defined), or if it is nested deeper than `nesting`.
inline nlohmann::json parse_json(std::string_view text, std::size_t nesting) {
  // The parser takes it for the end of the text and would not look at what follows.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw InvalidFile("expected JSON, found a zero byte at offset " + std::to_string(zero));
  }
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::size_t> keys;  // how many the objects and arrays around the place have; an array has none
  bool twice = false;
  try {
    nlohmann::json parsed =
        nlohmann::json::parse(text.begin(), text.end(), [&](int, Event event, nlohmann::json& value) {
          if (event == Event::object_start || event == Event::array_start) {
            if (keys.size() == nesting) {
              throw InvalidFile("expected values nested at most " + std::to_string(nesting) + " deep");
            }
            keys.push_back(0);
          } else if (event == Event::key) {
            ++keys.back();
          } else if (event == Event::object_end || event == Event::array_end) {
            twice = twice || (event == Event::object_end && value.size() != keys.back());
            keys.pop_back();
          }
          return true;
        });
    if (twice) throw InvalidFile("key '" + printable(duplicate_key(text)) + "': expected once, found twice");
    return parsed;
  } catch (const nlohmann::json::exception& error) {
    throw InvalidFile(json_error_text(text, error));
  }
}

/// A value for a message, cut if it is long; large arrays and objects by their kind.
inline std::string describe_json(const nlohmann::json& value) {
  if (value.is_string()) return '"' + printable(value.get_ref<const std::string&>()) + '"';
  if (value.size() <= 8) return printable(value.dump());
  return (value.is_array() ? "an array of " : "an object of ") + std::to_string(value.size());
}

template <JsonScalar T>
std::string_view expected_json() noexcept {
  if constexpr (std::same_as<T, bool>) return "true or false";
  if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) return "a string";
  if constexpr (std::same_as<T, float>) return "a number in the range of float";
  if constexpr (std::same_as<T, double>) return "a number";
  if constexpr (std::same_as<T, std::uint32_t>) return "an unsigned integer below 2^32";
  if constexpr (std::same_as<T, std::uint64_t>) return "an unsigned integer";
  if constexpr (std::same_as<T, std::int32_t>) return "an integer of 32 bits";
  return "an integer";
}

/// The value as T, or nothing if it is of another kind or out of T's range.
template <JsonScalar T>
std::optional<T> decode_json(const nlohmann::json& value) {
  if constexpr (std::same_as<T, bool>) {
    if (value.is_boolean()) return value.get<bool>();
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    if (value.is_string()) return T(value.get_ref<const std::string&>());
  } else if constexpr (std::floating_point<T>) {
    if (!value.is_number()) return std::nullopt;
    const auto number = value.get<double>();
    if (std::abs(number) <= double{std::numeric_limits<T>::max()}) return static_cast<T>(number);
  } else if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (std::in_range<T>(number)) return static_cast<T>(number);
  }
  return std::nullopt;
}

}  // namespace detail

struct JsonMember;

/// A value of a JSON file that knows its place there, so that what is wrong with it is told as "FILE: key 'a.b[2]':
/// expected ..., found ...". It keeps the whole file's values alive; copies are cheap.
class JsonValue {
 public:
  /// Reads the file `path`. Throws InvalidFile if it cannot be read, is beyond the limits, is not JSON in UTF-8, or has
  /// an object with a key twice. NaN and Infinity, which Python writes, are not JSON.
  static JsonValue load(const std::string& path, JsonLimits limits = {}) {
    const MappedFile file(path);
    return parse({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path, limits);
  }

  /// Reads a text; `name` is the file's in messages. Throws as load() does.
  static JsonValue parse(std::string_view text, std::string name, JsonLimits limits = {}) {
    if (text.size() > limits.bytes) {
      throw InvalidFile(name + ": expected at most " + std::to_string(limits.bytes) + " bytes of JSON, found " +
                        std::to_string(text.size()));
    }
    try {
      auto document = std::make_shared<Document>();
      document->root = detail::parse_json(text, limits.nesting);
      document->name = std::move(name);
      return {document, document->root, {}};
    } catch (const InvalidFile& error) {
      throw InvalidFile(name + ": " + error.what());
    }
  }

  /// The value itself. Valid as long as any JsonValue of the file lives.
  const nlohmann::json& json() const noexcept { return *value_; }

  /// The file's name as it was given.
  const std::string& file_name() const noexcept { return document_->name; }

  /// Where the value stands, for messages: "FILE: key 'a.b[2]'", or "FILE" for the outermost value.
  std::string place() const { return key_.empty() ? file_name() : file_name() + ": key '" + key_ + "'"; }

  /// An error that says what was expected in place of this value: `throw value.mismatch("\"silu\"")`.
  InvalidFile mismatch(std::string_view expected) const { return mismatch(expected, detail::describe_json(*value_)); }

  /// The same where it is not the value itself that was found.
  InvalidFile mismatch(std::string_view expected, std::string_view found) const {
    return InvalidFile(place().append(": expected ").append(expected).append(", found ").append(found));
  }

  /// This value as T. Any integer is read as any integer type whose range holds it, and any number as a floating-point
  /// type, rounded to it. Throws InvalidFile if the value is of another kind or out of T's range.
  template <JsonScalar T>
  T as() const {
    if (auto value = detail::decode_json<T>(*value_)) return *std::move(value);
    throw mismatch(detail::expected_json<T>());
  }

  /// This value as a whole number in that range. Throws InvalidFile if it is none.
  std::uint64_t whole_number(std::uint64_t least, std::uint64_t most) const {
    const auto value = detail::decode_json<std::uint64_t>(*value_);
    if (value && *value >= least && *value <= most) return *value;
    throw mismatch("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }

  bool is_string() const noexcept { return value_->is_string(); }
  bool is_array() const noexcept { return value_->is_array(); }
  bool is_object() const noexcept { return value_->is_object(); }

  /// Whether this is that string.
  bool is(std::string_view text) const noexcept { return is_string() && value_->get_ref<const std::string&>() == text; }

  /// The values of this array. Throws InvalidFile if it is none.
  std::vector<JsonValue> elements() const {
    if (!is_array()) throw mismatch("an array");
    std::vector<JsonValue> values;
    values.reserve(value_->size());
    for (const nlohmann::json& element : *value_) {
      values.push_back({document_, element, key_ + "[" + std::to_string(values.size()) + "]"});
    }
    return values;
  }

  /// The keys and values of this object, in order of the keys' bytes. Throws InvalidFile if it is none.
  std::vector<JsonMember> members() const;

  /// The value of `key` in this object, or nothing where there is none or null. Throws InvalidFile if this is no
  /// object.
  std::optional<JsonValue> find(std::string_view key) const {
    if (!is_object()) throw mismatch("an object");
    const auto& object = value_->get_ref<const nlohmann::json::object_t&>();
    const auto found = object.find(key);
    if (found == object.end() || found->second.is_null()) return std::nullopt;
    return child(key, found->second);
  }

  /// The value of `key` in this object. Throws InvalidFile, saying what was expected, if there is none or null.
  JsonValue get(std::string_view key, std::string_view expected = "a value") const {
    if (auto value = find(key)) return *std::move(value);
    throw absent(key, expected);
  }

  /// Whether this object has that string under `key`. Throws InvalidFile if this is no object.
  bool has(std::string_view key, std::string_view text) const {
    const auto value = find(key);
    return value && value->is(text);
  }

  /// Throws InvalidFile, naming the key and those known, if this is no object or has another key than these.
  void require_keys_among(std::span<const std::string_view> known) const;

  /// The value of `key` as T, or nothing where there is none or null. Throws as find() and as() do.
  template <JsonScalar T>
  std::optional<T> find(std::string_view key) const {
    if (const auto value = find(key)) return value->as<T>();
    return std::nullopt;
  }

  /// The value of `key` as T. Throws InvalidFile if there is none or null, and as as() does.
  template <JsonScalar T>
  T get(std::string_view key) const {
    if (const auto value = find(key)) return value->as<T>();
    throw absent(key, detail::expected_json<T>());
  }

  /// The elements of the array `key`, each as T, or nothing where there is none or null. Throws InvalidFile if it is no
  /// array or an element no T.
  template <JsonScalar T>
  std::optional<std::vector<T>> find_array(std::string_view key) const {
    const auto array = find(key);
    if (!array) return std::nullopt;
    if (!array->is_array()) throw array->mismatch("an array");
    std::vector<T> values;
    values.reserve(array->value_->size());
    for (const nlohmann::json& element : *array->value_) {
      auto value = detail::decode_json<T>(element);
      if (!value) throw array->elements()[values.size()].mismatch(detail::expected_json<T>());
      values.push_back(*std::move(value));
    }
    return values;
  }

  /// The elements of the array `key`, each as T. Throws InvalidFile if there is none or null, and as find_array() does.
  template <JsonScalar T>
  std::vector<T> get_array(std::string_view key) const {
    if (auto values = find_array<T>(key)) return *std::move(values);
    throw absent(key, "an array");
  }

 private:
  struct Document {
    std::string name;
    nlohmann::json root;
  };

  JsonValue(std::shared_ptr<const Document> document, const nlohmann::json& value, std::string key)
      : document_(std::move(document)), value_(&value), key_(std::move(key)) {}

  JsonValue child(std::string_view key, const nlohmann::json& value) const {
    return {document_, value, (key_.empty() ? "" : key_ + ".") + detail::printable(key)};
  }

  InvalidFile absent(std::string_view key, std::string_view expected) const {
    const bool null = value_->contains(key);
    return child(key, *value_).mismatch(expected, null ? "null" : "none");
  }

  std::shared_ptr<const Document> document_;
  const nlohmann::json* value_;
  std::string key_;
};

/// A key of a JSON object, which is a view of the file's values, and what stands there.
struct JsonMember {
  std::string_view key;
  JsonValue value;
};

inline std::vector<JsonMember> JsonValue::members() const {
  if (!is_object()) throw mismatch("an object");
  std::vector<JsonMember> members;
  members.reserve(value_->size());
  for (const auto& [key, value] : value_->get_ref<const nlohmann::json::object_t&>()) {
    members.push_back({key, child(key, value)});
  }
  return members;
}

inline void JsonValue::require_keys_among(std::span<const std::string_view> known) const {
  for (const JsonMember& member : members()) {
    if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known) names.append(names.empty() ? "" : ", ").append(name);
    throw member.value.mismatch("one of the keys " + names, "a key that is none");
  }
}

}  // namespace zeroth::model

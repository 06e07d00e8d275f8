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
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/mapped_file.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/text/text_encoding.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Limits on a JSON text, so that its values fit memory and stack.
struct JsonLimits {
  std::size_t bytes = std::size_t{16} << 20;
  std::size_t nesting = 64;  ///< depth of nested arrays and objects
};

/// A C++ type as which a JSON value can be read. A string_view points to one of the file's values.
template <class T>
concept JsonScalar = std::same_as<T, bool> || std::same_as<T, std::string> || std::same_as<T, std::string_view> ||
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::uint32_t> ||
    std::same_as<T, std::int32_t> || std::same_as<T, std::uint64_t> || std::same_as<T, std::int64_t>;

namespace detail {

/// Describes an exception of the JSON library on one line, without the library's own error number.
inline std::string json_error_text(std::string_view /*text*/, const nlohmann::json::exception& error) {
  std::string_view what = error.what();
  if (const std::size_t end = what.find("] "); what.starts_with('[') && end != std::string_view::npos)
    what.remove_prefix(end + 2);
  constexpr std::size_t limit = 240;
  return printable(what, limit);
}

/// Describes the position of byte `position` of a text, counted from 1: "line 3, column 7"; "column 7" in a one-line
/// text.
inline std::string json_position(std::string_view text, std::size_t position, bool one_line) {
  const std::string_view before = text.substr(0, position == 0 ? 0 : position - 1);
  const std::size_t line_end = before.rfind('\n');
  const std::size_t column = line_end == std::string_view::npos ? position : position - line_end - 1;
  const std::string result = "column " + std::to_string(column);
  if (one_line) return result;
  return "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n')) + ", " + result;
}

/// "expected ..., found ..." for the parser's message after "syntax error while parsing ". `rest` is the text from the
/// last byte that the parser read.
inline std::string json_syntax_text(std::string_view what, std::string_view rest) {
  constexpr std::string_view separator = " - ";
  const std::size_t end = std::min(what.find(separator), what.size());
  const std::string_view context = what.substr(0, end);
  const std::string_view reason = what.substr(std::min(end + separator.size(), what.size()));
  const std::string_view problem = reason.substr(0, reason.find("; last read"));  // the rest quotes the text
  const auto has = [&](std::string_view part) { return problem.find(part) != std::string_view::npos; };

  // Python writes these for floats that JSON cannot represent. The parser stops at their first letter.
  for (const std::string_view word : {"NaN", "Infinity"}) {
    if (rest.starts_with(word) && (has("invalid literal") || has("invalid number"))) {
      return "expected JSON, which has finite numbers only, found " + std::string(word);
    }
  }

  std::string expected = "a value";
  if (reason.ends_with("; expected end of input"))
    expected = "the end of the text";
  else if (context == "object key")
    expected = "a key in double quotes";
  else if (context == "object separator")
    expected = "':' after a key";
  else if (context == "object")
    expected = "',' or '}'";
  else if (context == "array")
    expected = "',' or ']'";

  constexpr std::string_view unexpected = "unexpected ";
  if (reason.starts_with(unexpected)) {
    const std::string_view token = reason.substr(unexpected.size(), reason.find(';') - unexpected.size());
    constexpr std::pair<std::string_view, std::string_view> names[] = {{"end of input", "the end of the text"},
                                                                       {"string literal", "a string"},
                                                                       {"number literal", "a number"},
                                                                       {"true literal", "true"},
                                                                       {"false literal", "false"},
                                                                       {"null literal", "null"}};
    for (const auto& [name, plain] : names) {
      if (token == name) return "expected " + expected + ", found " + std::string(plain);
    }
    return "expected " + expected + ", found " + std::string(token);
  }
  if (has("invalid literal")) {
    if (rest.empty()) return "expected " + expected + ", found the end of the text";
    constexpr std::size_t limit = 20;
    return "expected " + expected + ", found \"" + printable(rest.substr(0, rest.find_first_of(" \t\r\n,:]}")), limit) +
           '"';
  }
  if (has("missing closing quote")) return "expected a closing quote, found the end of the text";
  if (has("ill-formed UTF-8 byte")) return "expected a string in UTF-8, found a byte that is not";
  if (has("surrogate")) return "expected both halves of a surrogate pair, found a string with one";
  if (has("control character")) return "expected control characters in a string as \\n or \\u000a, found one itself";
  return "expected JSON, found an " + std::string(problem);
}

/// Builds the values of a JSON text in the parser's order, each once. A repeated key of an object and too deep nesting
/// are rejected at once.
class JsonBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonBuilder(std::string_view text, std::size_t nesting, bool one_line)
      : text_(text), nesting_(nesting), one_line_(one_line) {}

  /// The outermost value. Call it only once.
  nlohmann::json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  // A copy has the capacity that it needs; the parser's own string keeps that of the longest one so far.
  bool string(string_t& value) override { return add(std::as_const(value)); }
  bool binary(binary_t&) override { return false; }  // does not occur in JSON text

  bool start_object(std::size_t) override { return open(nlohmann::json::value_t::object); }
  bool start_array(std::size_t) override { return open(nlohmann::json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    auto& object = open_.back()->get_ref<nlohmann::json::object_t&>();
    const auto [member, is_new] = object.try_emplace(std::as_const(name));
    if (!is_new) throw InvalidFile("key '" + printable(name) + "': expected once, found twice");
    member_ = &member->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
    const std::string_view what = error.what();
    std::size_t at = std::min(position == 0 ? 0 : position - 1, text_.size());
    // The parser may have read the beginning of a word as that of true, false or null.
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (what.find("invalid literal") != std::string_view::npos) {
      for (int back = 0; back < 4 && at > 0 && is_letter(text_[at - 1]); ++back) --at;
    }
    const std::string place = "parse error at " + json_position(text_, at + 1, one_line_) + ": ";
    constexpr int number_overflow = 406;
    if (error.id == number_overflow) {
      throw InvalidFile(place + "expected a number in the range of double, found " +
                        printable(what.substr(std::min(what.find('\''), what.size()))));
    }
    constexpr std::string_view syntax = "syntax error while parsing ";
    const std::size_t begin = what.find(syntax);
    const std::string_view rest = text_.substr(at);
    std::string reason = "expected JSON";
    if (begin != std::string_view::npos)
      reason = json_syntax_text(what.substr(begin + syntax.size()), rest);
    else if (rest.empty())
      reason = "expected a value, found the end of the text";  // newer parsers say no more than that
    constexpr std::size_t limit = 240;
    throw InvalidFile(place + printable(reason, limit));
  }

 private:
  template <class T>
  nlohmann::json* put(T&& value) {
    if (open_.empty()) {
      root_ = std::forward<T>(value);
      return &root_;
    }
    if (open_.back()->is_object()) {
      *member_ = std::forward<T>(value);
      return member_;
    }
    auto& array = open_.back()->get_ref<nlohmann::json::array_t&>();
    return &array.emplace_back(std::forward<T>(value));
  }

  template <class T>
  bool add(T&& value) {
    put(std::forward<T>(value));
    return true;
  }

  bool open(nlohmann::json::value_t type) {
    if (open_.size() == nesting_) {
      throw InvalidFile("expected values nested at most " + std::to_string(nesting_) + " deep");
    }
    open_.push_back(put(type));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  std::size_t nesting_;
  bool one_line_;
  nlohmann::json root_;
  std::vector<nlohmann::json*> open_;  // the enclosing arrays and objects; none grows while one inside it is open
  nlohmann::json* member_ = nullptr;   // the value of the last key
};

/// Parses a JSON text, which may begin with a byte order mark. Throws InvalidFile, without a file name, if it is not
/// JSON in UTF-8, if an object has a key twice (which one counts is undefined), or if it is nested deeper than
/// `nesting`. `one_line`: the text is one line of a file, which the caller names.
///
/// One pass over the text, plus n log n comparisons for an object with n keys. The values take at most 64 bytes per
/// byte of the text.
inline nlohmann::json parse_json(std::string_view text, std::size_t nesting, bool one_line = false) {
  if (const std::string_view encoding = wide_encoding(text); !encoding.empty()) {
    throw InvalidFile("expected JSON in UTF-8, found " + std::string(encoding));
  }
  // The parser would take it for the end of the text and ignore the rest.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw InvalidFile("expected JSON, found a zero byte at offset " + std::to_string(zero));
  }
  text = without_byte_order_mark(text);
  JsonBuilder builder(text, nesting, one_line);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

/// Writes the beginning of a value as JSON: all of it, or at least `limit` bytes and little more.
inline void write_json_beginning(const nlohmann::json& value, std::size_t limit, std::string& out) {
  const auto write_string = [&](std::string_view text) {
    out += nlohmann::json(text.substr(0, limit)).dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
  };
  const bool is_object = value.is_object();
  if (value.is_string()) return write_string(value.get_ref<const std::string&>());
  if (!value.is_structured()) {
    out += value.dump();
    return;
  }
  out += is_object ? '{' : '[';
  bool first = true;
  for (auto member = value.begin(); member != value.end() && out.size() < limit; ++member) {
    if (!std::exchange(first, false)) out += ',';
    if (is_object) {
      write_string(member.key());
      out += ':';
    }
    write_json_beginning(*member, limit, out);
  }
  out += is_object ? '}' : ']';
}

/// Describes a value for a message, shortened if it is long; large arrays and objects only by their kind.
inline std::string describe_json(const nlohmann::json& value) {
  if (value.is_string()) return '"' + printable(value.get_ref<const std::string&>()) + '"';
  if (value.size() > 8) return (value.is_array() ? "an array of " : "an object of ") + std::to_string(value.size());
  constexpr std::size_t limit = 128;  // more than printable() leaves
  std::string beginning;
  write_json_beginning(value, limit, beginning);
  return printable(beginning);
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

/// The value as T, or nothing if its kind differs or it is out of T's range.
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

/// A value of a JSON file that knows its place, so that messages can say "FILE: key 'a.b[2]': expected ..., found ...".
/// It keeps all values of the file alive. Copies are cheap, as are the values of an array or object, because the text
/// of a place is built only for a message.
class JsonValue {
 public:
  /// Reads the file `path`. Throws InvalidFile if it cannot be read, exceeds the limits, is not JSON in UTF-8, or has
  /// an object with a repeated key. NaN and Infinity, which Python writes, are not JSON.
  static JsonValue load(const std::string& path, JsonLimits limits = {}) {
    const MappedFile file(path);
    return parse({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path, limits);
  }

  /// Reads a text; messages name it `name`. Throws as load() does.
  static JsonValue parse(std::string_view text, std::string name, JsonLimits limits = {}) {
    if (text.size() > limits.bytes) {
      throw InvalidFile(name + ": expected at most " + std::to_string(limits.bytes) + " bytes of JSON, found " +
                        std::to_string(text.size()));
    }
    try {
      auto document = std::make_shared<Document>();
      document->root = detail::parse_json(text, limits.nesting);
      document->name = std::move(name);
      const nlohmann::json& root = document->root;
      return {std::make_shared<const Around>(std::move(document), nullptr, nullptr, nullptr), root, nullptr};
    } catch (const InvalidFile& error) {
      throw InvalidFile(name + ": " + error.what());
    }
  }

  /// The value itself. Valid as long as any JsonValue of the file lives.
  const nlohmann::json& json() const noexcept { return *value_; }

  /// The file's name as passed in.
  const std::string& file_name() const noexcept { return around_->document->name; }

  /// The value's place, for messages: "FILE: key 'a.b[2]'", or "FILE" for the outermost value.
  std::string place() const { return place_of(path()); }

  /// An error that says what was expected instead of this value: `throw value.mismatch("\"silu\"")`.
  InvalidFile mismatch(std::string_view expected) const { return mismatch(expected, detail::describe_json(*value_)); }

  /// As above, for a finding other than the value itself.
  InvalidFile mismatch(std::string_view expected, std::string_view found) const {
    return InvalidFile(place().append(": expected ").append(expected).append(", found ").append(found));
  }

  /// This value as T. Any integer is read as any integer type whose range contains it, and any number as a
  /// floating-point type, rounded. Throws InvalidFile if the value's kind differs or it is out of T's range.
  template <JsonScalar T>
  T as() const {
    if (auto value = detail::decode_json<T>(*value_)) return *std::move(value);
    throw mismatch(detail::expected_json<T>());
  }

  /// This value as a whole number in that range. Throws InvalidFile if it is not one.
  std::uint64_t whole_number(std::uint64_t least, std::uint64_t most) const {
    const auto value = detail::decode_json<std::uint64_t>(*value_);
    if (value && *value >= least && *value <= most) return *value;
    throw mismatch("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }

  bool is_string() const noexcept { return value_->is_string(); }
  bool is_array() const noexcept { return value_->is_array(); }
  bool is_object() const noexcept { return value_->is_object(); }

  /// Whether this value is that string.
  bool is(std::string_view text) const noexcept { return is_string() && value_->get_ref<const std::string&>() == text; }

  /// The values of this array. Throws InvalidFile if it is not an array.
  std::vector<JsonValue> elements() const {
    if (!is_array()) throw mismatch("an array");
    std::vector<JsonValue> values;
    values.reserve(value_->size());
    const std::shared_ptr<const Around> array = around_those_in_here();
    for (const nlohmann::json& element : *value_) values.push_back({array, element, nullptr});
    return values;
  }

  /// The keys and values of this object, in the order of the keys' bytes. Throws InvalidFile if it is not an object.
  std::vector<JsonMember> members() const;

  /// The value of `key` in this object, or nothing if it is missing or null. Throws InvalidFile if this is not an
  /// object.
  std::optional<JsonValue> find(std::string_view key) const {
    if (!is_object()) throw mismatch("an object");
    const auto& object = value_->get_ref<const nlohmann::json::object_t&>();
    const auto found = object.find(key);
    if (found == object.end() || found->second.is_null()) return std::nullopt;
    return JsonValue(around_those_in_here(), found->second, &found->first);
  }

  /// The value of `key` in this object. Throws InvalidFile, saying what was expected, if it is missing or null.
  JsonValue get(std::string_view key, std::string_view expected = "a value") const {
    if (auto value = find(key)) return *std::move(value);
    throw absent(key, expected);
  }

  /// Whether this object has that string under `key`. Throws InvalidFile if this is not an object.
  bool has(std::string_view key, std::string_view text) const {
    const auto value = find(key);
    return value && value->is(text);
  }

  /// Throws InvalidFile, naming the key and the known ones, if this is not an object or has any other key.
  void require_keys_among(std::span<const std::string_view> known) const;

  /// The value of `key` as T, or nothing if it is missing or null. Throws as find() and as() do.
  template <JsonScalar T>
  std::optional<T> find(std::string_view key) const {
    if (const auto value = find(key)) return value->as<T>();
    return std::nullopt;
  }

  /// The value of `key` as T. Throws InvalidFile if it is missing or null, and as as() does.
  template <JsonScalar T>
  T get(std::string_view key) const {
    if (const auto value = find(key)) return value->as<T>();
    throw absent(key, detail::expected_json<T>());
  }

  /// The elements of the array `key`, each as T, or nothing if it is missing or null. Throws InvalidFile if it is not
  /// an array or an element is not a T.
  template <JsonScalar T>
  std::optional<std::vector<T>> find_array(std::string_view key) const {
    const auto array = find(key);
    if (!array) return std::nullopt;
    if (!array->is_array()) throw array->mismatch("an array");
    std::vector<T> values;
    values.reserve(array->value_->size());
    for (const nlohmann::json& element : *array->value_) {
      auto value = detail::decode_json<T>(element);
      if (!value) throw JsonValue(array->around_those_in_here(), element, nullptr).mismatch(detail::expected_json<T>());
      values.push_back(*std::move(value));
    }
    return values;
  }

  /// The elements of the array `key`, each as T. Throws InvalidFile if it is missing or null, and as find_array() does.
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

  /// An array or object, its key if it is a member, and what encloses it; without a value, the surroundings of the
  /// outermost value.
  struct Around {
    Around(std::shared_ptr<const Document> file, std::shared_ptr<const Around> outside, const nlohmann::json* inside,
           const std::string* its_key)
        : document(std::move(file)), around(std::move(outside)), value(inside), key(its_key) {}

    std::shared_ptr<const Document> document;
    std::shared_ptr<const Around> around;
    const nlohmann::json* value;
    const std::string* key;
  };

  /// `key`, which the document owns, is null for an element and for the outermost value.
  JsonValue(std::shared_ptr<const Around> around, const nlohmann::json& value, const std::string* key)
      : around_(std::move(around)), value_(&value), key_(key) {}

  std::shared_ptr<const Around> around_those_in_here() const {
    return std::make_shared<const Around>(around_->document, around_, value_, key_);
  }

  /// The keys and indices that lead here, such as "a.b[2]".
  std::string path() const {
    std::vector<std::string> steps;  // from the inside out
    const nlohmann::json* value = value_;
    const std::string* key = key_;
    for (const Around* around = around_.get(); around->value != nullptr; around = around->around.get()) {
      if (key != nullptr) {
        steps.push_back(detail::printable(*key));
      } else {
        const auto& array = around->value->get_ref<const nlohmann::json::array_t&>();
        steps.push_back("[" + std::to_string(value - array.data()) + "]");
      }
      value = around->value;
      key = around->key;
    }
    std::string path;
    for (std::size_t i = steps.size(); i-- > 0;) append_step(path, steps[i]);
    return path;
  }

  static void append_step(std::string& path, std::string_view step) {
    if (!path.empty() && !step.starts_with('[')) path += '.';
    path += step;
  }

  /// A long path loses its beginning.
  std::string place_of(std::string_view path) const {
    if (path.empty()) return file_name();
    constexpr std::size_t limit = 240;
    std::string dots;
    if (path.size() > limit) {
      path.remove_prefix(path.size() - limit);
      while (!path.empty() && (static_cast<unsigned char>(path.front()) & 0xc0u) == 0x80) path.remove_prefix(1);
      dots = "...";
    }
    return file_name() + ": key '" + dots + std::string(path) + "'";
  }

  InvalidFile absent(std::string_view key, std::string_view expected) const {
    std::string whole = path();
    append_step(whole, detail::printable(key));
    const std::string_view found = value_->contains(key) ? "null" : "none";
    return InvalidFile(place_of(whole).append(": expected ").append(expected).append(", found ").append(found));
  }

  std::shared_ptr<const Around> around_;
  const nlohmann::json* value_;
  const std::string* key_;
};

/// A key of a JSON object, as a view of the file's values, and its value.
struct JsonMember {
  std::string_view key;
  JsonValue value;
};

inline std::vector<JsonMember> JsonValue::members() const {
  if (!is_object()) throw mismatch("an object");
  std::vector<JsonMember> members;
  members.reserve(value_->size());
  const std::shared_ptr<const Around> object = around_those_in_here();
  for (const auto& [key, value] : value_->get_ref<const nlohmann::json::object_t&>()) {
    members.push_back({key, JsonValue(object, value, &key)});
  }
  return members;
}

inline void JsonValue::require_keys_among(std::span<const std::string_view> known) const {
  if (!is_object()) throw mismatch("an object");
  for (const auto& [key, value] : value_->get_ref<const nlohmann::json::object_t&>()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known) names.append(names.empty() ? "" : ", ").append(name);
    throw JsonValue(around_those_in_here(), value, &key).mismatch("one of the keys " + names, "a key that is none");
  }
}

}  // namespace zeroth::ZEROTH_ISA::model

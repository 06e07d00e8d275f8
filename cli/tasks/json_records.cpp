// SPDX-License-Identifier: MIT
#include <deque>
#include <span>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/text/unicode.hpp>

#include "io/text.hpp"
#include "records.hpp"

namespace zeroth::cli {
namespace {

using Value = nlohmann::json;

using Visit = std::function<void(Record const&)>;
using File = std::shared_ptr<std::string const>;

std::string describe(Value const* value) {
  if (value == nullptr) return "no such field";
  return value->is_string() ? in_quotes(value->get_ref<std::string const&>()) : value->type_name();
}

/// The value at the end of the keys, or nullptr.
Value const* descend(Value const* value, std::span<std::string const> keys) {
  for (std::string const& key : keys) {
    if (!value->is_object()) return nullptr;
    auto const found = value->find(key);
    if (found == value->end()) return nullptr;
    value = &*found;
  }
  return value;
}

/// Visits the examples of one line.
class LineReader {
 public:
  LineReader(File const& file, std::size_t line, RecordForm const& form, Visit const& visit)
      : file_(file), line_(line), form_(form), visit_(visit) {}

  void read(Value const& object) {
    path_to_here_.push_back(&object);
    read_below();
  }

 private:
  [[noreturn]] void reject(std::string const& place, std::string const& why) const {
    constexpr std::size_t longest = 240;
    throw InvalidFile(*file_ + ":" + std::to_string(line_) + ": " + model::detail::printable(place, longest) + ": " +
                      why);
  }

  /// Visits the examples below the element at the end of path_to_here_.
  void read_below() {
    std::size_t const list = elements_.size();
    if (!form_.examples || list == form_.examples->lists()) return visit_example();
    Value const* const array = descend(path_to_here_.back(), form_.examples->keys(list));
    if (array == nullptr || !array->is_array())
      reject(form_.examples->text(elements_), "expected an array, found " + describe(array));
    path_to_here_.push_back(nullptr);
    elements_.push_back(0);
    for (Value const& element : *array) {
      path_to_here_.back() = &element;
      read_below();
      ++elements_.back();
    }
    path_to_here_.pop_back();
    elements_.pop_back();
  }

  void visit_example() {
    written_.clear();
    Record record{file_, line_, count_++, {}, {}, [&](std::size_t field) { return name_of(form_.fields[field]); }};
    record.values.reserve(form_.fields.size());
    for (Field const& field : form_.fields) {
      if (field.paths.empty()) {
        record.values.emplace_back();
        continue;
      }
      Value const* const value = find(field).second;
      record.values.push_back(text_of(value, [&] { return name_of(field); }));
    }
    if (form_.list) record.list = read_list(*form_.list);
    visit_(record);
  }

  /// The first path of a field that leads to a value, and the value; nulls if none does.
  [[nodiscard]] std::pair<JsonPath const*, Value const*> find(Field const& field) const {
    for (JsonPath const& path : field.paths)
      if (Value const* const value = descend(path_to_here_[path.lists()], path.keys(path.lists())))
        return {&path, value};
    return {};
  }

  /// A field's place, with the indices of elements in it.
  [[nodiscard]] std::string name_of(Field const& field) const {
    if (field.paths.empty()) return form_.list ? form_.list->text(elements_) : field.name;
    if (JsonPath const* const path = find(field).first) return path->text(elements_);
    std::string names;
    for (JsonPath const& path : field.paths) names += (names.empty() ? "" : " or ") + path.text(elements_);
    return names;
  }

  /// @param name what to call the value
  template <class Name>
  [[nodiscard]] std::string_view text_of(Value const* value, Name const& name) {
    if (value != nullptr && value->is_string()) return value->get_ref<std::string const&>();
    if (value != nullptr && (value->is_number() || value->is_boolean())) return written_.emplace_back(value->dump());
    reject(name(), "expected a string, number or boolean, found " + describe(value));
  }

  [[nodiscard]] std::vector<std::string_view> read_list(JsonPath const& list) {
    std::size_t const depth = list.lists() - 1;
    Value const* const array = descend(path_to_here_[depth], list.keys(depth));
    if (array == nullptr || !array->is_array() || array->empty())
      reject(list.text(elements_), "expected an array of at least one candidate, found " +
                                       (array != nullptr && array->is_array() ? "an empty one" : describe(array)));
    if (array->size() > most_candidates)
      reject(list.text(elements_), "expected at most " + std::to_string(most_candidates) + " candidates, found " +
                                       std::to_string(array->size()));
    std::vector<std::string_view> texts;
    std::vector<std::size_t> elements = elements_;
    elements.resize(depth);
    elements.push_back(0);
    for (Value const& element : *array) {
      texts.push_back(text_of(descend(&element, list.keys(depth + 1)), [&] { return list.text(elements); }));
      ++elements.back();
    }
    return texts;
  }

  File const& file_;
  std::size_t line_;
  RecordForm const& form_;
  Visit const& visit_;
  std::vector<Value const*> path_to_here_;  ///< the line's object, then an element of each list on the way
  std::vector<std::size_t> elements_;       ///< their indices
  std::deque<std::string> written_;         ///< the example's numbers and booleans as text
  std::size_t count_ = 0;
};

Value parse_line(std::string_view line) {
  if (line.size() > most_json_line_bytes)
    throw InvalidFile("expected a line of at most " + std::to_string(most_json_line_bytes) + " bytes, found " +
                      std::to_string(line.size()));
  Value object = model::detail::parse_json(line, model::JsonLimits{}.nesting, /*one_line=*/true);
  if (!object.is_object()) throw InvalidFile("expected a JSON object, found " + model::detail::describe_json(object));
  return object;
}

}  // namespace

void read_json_records(File const& file, TextLines lines, RecordForm const& form, Visit const& visit) {
  std::string repaired;
  while (lines.next()) {
    if (strip(lines.line()).empty()) continue;
    std::string_view line = lines.line();
    if (form.replaces_invalid_utf8) line = repaired = model::replace_invalid_utf8(line);
    Value object;
    try {
      object = parse_line(line);
    } catch (InvalidFile const& error) {
      throw InvalidFile(*file + ":" + std::to_string(lines.number()) + ": " + error.what());
    }
    LineReader(file, lines.number(), form, visit).read(object);
  }
}

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#include <span>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>
#include <zeroth/model/tokenizer/unicode.hpp>

#include "../text.hpp"
#include "records.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string describe(json const* value) {
  if (value == nullptr) return "no such field";
  return value->is_string() ? in_quotes(value->get_ref<std::string const&>()) : value->type_name();
}

/// The value that the keys lead to, or nullptr.
json const* descend(json const* value, std::span<std::string const> keys) {
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
  LineReader(fs::path const& path, std::size_t line, RecordForm const& form,
             std::function<void(Record const&)> const& visit)
      : path_(path), line_(line), form_(form), visit_(visit) {}

  void read(json const& object) {
    path_to_here_.push_back(&object);
    read_below();
  }

 private:
  [[noreturn]] void refuse(std::string const& place, std::string const& why) const {
    throw InvalidFile(path_.string() + ":" + std::to_string(line_) + ": " + place + ": " + why);
  }

  /// Visits what lies below the elements that path_to_here_ has come to.
  void read_below() {
    std::size_t const list = elements_.size();
    if (!form_.examples || list == form_.examples->lists()) return visit_example();
    json const* const array = descend(path_to_here_.back(), form_.examples->keys(list));
    if (array == nullptr || !array->is_array())
      refuse(form_.examples->text(elements_), "expected an array, found " + describe(array));
    path_to_here_.push_back(nullptr);
    elements_.push_back(0);
    for (json const& element : *array) {
      path_to_here_.back() = &element;
      read_below();
      ++elements_.back();
    }
    path_to_here_.pop_back();
    elements_.pop_back();
  }

  void visit_example() {
    std::vector<std::string> names;
    Record record{path_, line_, count_++, {}, {}, [&](std::size_t field) { return names[field]; }};
    for (Field const& field : form_.fields) {
      auto [name, value] = find(field);
      record.values.push_back(field.paths.empty() ? std::string() : text_of(value, name));
      names.push_back(std::move(name));
    }
    if (form_.list) record.list = read_list(*form_.list);
    visit_(record);
  }

  /// A field's place, with the numbers of elements in it, and its value: of its first path that leads to one.
  [[nodiscard]] std::pair<std::string, json const*> find(Field const& field) const {
    if (field.paths.empty()) return {form_.list ? form_.list->text(elements_) : field.name, nullptr};
    std::string names;
    for (JsonPath const& path : field.paths) {
      std::string name = path.text(elements_);
      json const* const value = descend(path_to_here_[path.lists()], path.keys(path.lists()));
      if (value != nullptr) return {std::move(name), value};
      names += (names.empty() ? "" : " or ") + name;
    }
    return {names, nullptr};
  }

  [[nodiscard]] std::string text_of(json const* value, std::string const& name) const {
    if (value != nullptr && value->is_string()) return value->get<std::string>();
    if (value != nullptr && (value->is_number() || value->is_boolean())) return value->dump();
    refuse(name, "expected a string, number or boolean, found " + describe(value));
  }

  [[nodiscard]] std::vector<std::string> read_list(JsonPath const& list) const {
    std::size_t const depth = list.lists() - 1;
    json const* const array = descend(path_to_here_[depth], list.keys(depth));
    if (array == nullptr || !array->is_array() || array->empty())
      refuse(list.text(elements_), "expected an array of at least one candidate, found " +
                                       (array != nullptr && array->is_array() ? "an empty one" : describe(array)));
    std::vector<std::string> texts;
    std::vector<std::size_t> elements = elements_;
    elements.resize(depth);
    elements.push_back(0);
    for (json const& element : *array) {
      texts.push_back(text_of(descend(&element, list.keys(depth + 1)), list.text(elements)));
      ++elements.back();
    }
    return texts;
  }

  fs::path const& path_;
  std::size_t line_;
  RecordForm const& form_;
  std::function<void(Record const&)> const& visit_;
  std::vector<json const*> path_to_here_;  ///< the line's object, then the element of each list gone into
  std::vector<std::size_t> elements_;      ///< their numbers
  std::size_t count_ = 0;
};

}  // namespace

void read_json_records(fs::path const& path, std::vector<std::string> const& lines, RecordForm const& form,
                       std::function<void(Record const&)> const& visit) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (strip(lines[i]).empty()) continue;
    auto const object = json::parse(model::replace_invalid_utf8(lines[i]), nullptr, /*allow_exceptions=*/false);
    if (!object.is_object())
      throw InvalidFile(path.string() + ":" + std::to_string(i + 1) + ": expected a JSON object, found " +
                        in_quotes(lines[i]));
    LineReader(path, i + 1, form, visit).read(object);
  }
}

}  // namespace zeroth::cli

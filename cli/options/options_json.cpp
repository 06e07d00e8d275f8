// SPDX-License-Identifier: MIT
#include "options_json.hpp"

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>

#include "io/json.hpp"
#include "io/output.hpp"
#include "io/paths.hpp"
#include "option_table.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

template <class Values, class Field>
Json json_of(Values const& values, Field const& field) {
  if constexpr (is_optional<Field>)
    return field ? json_of(values, *field) : Json(nullptr);
  else if constexpr (std::same_as<Values, TaskName>)
    return path_text(field);
  else if constexpr (std::is_enum_v<Field>)
    return to_string(field);
  else if constexpr (std::same_as<Field, fs::path>)
    return field.empty() ? Json(nullptr) : Json(path_text(field));
  else if constexpr (std::same_as<Field, std::vector<std::string>>)
    return field.empty() ? Json(nullptr) : Json(field);
  else
    return field;
}

fs::path read_path(model::JsonValue const& text) {
  try {
    return path_of_text(text.as<std::string>());
  } catch (InvalidArgument const& error) {
    throw InvalidFile(text.place() + ": " + error.what());
  }
}

/// Reads a value that is there.
template <class Values, class Field>
void read(model::JsonValue const& json, Values const& values, Field& field) {
  if constexpr (std::is_enum_v<Field>) {
    if (!json.is_string() || !values.parse(json.as<std::string>(), field)) throw json.mismatch(values.expected());
    return;
  } else if constexpr (std::same_as<Values, TaskName>) {
    field = read_path(json).string();
  } else if constexpr (std::same_as<Field, fs::path>) {
    field = read_path(json);
  } else {
    field = json.as<Field>();
  }
  if (!values.accepts(field)) throw json.mismatch(values.expected());
}

/// Reads an option of a run.
/// @param place of an object's keys, for messages: "options.json: key '"
template <class Row, class Field>
void read_option(model::JsonValue const& object, std::string const& place, Row const& row, Field& field) {
  std::string const& key = row.details.key;
  auto const json = object.find(key);
  if constexpr (is_optional<Field>) {
    field.reset();
    if (json) return read(*json, row.values, field.emplace());
    if (row.details.filled_in) throw InvalidFile(place + key + "': expected a value, found none");
  } else if constexpr (std::same_as<Field, std::vector<std::string>>) {
    field = object.find_array<std::string>(key).value_or(Field{});
  } else if constexpr (std::same_as<Field, fs::path>) {
    field.clear();
    if (json) read(*json, row.values, field);
  } else {
    read(object.get(key, row.values.expected()), row.values, field);
  }
}

/// Calls `visit(row, field)` for each option that a run records.
template <class Options, class Visit>
void for_each_recorded(Options& options, Visit const& visit) {
  for_each_option(options, [&](auto const& row, auto& field) {
    if (row.details.recorded != Recorded::nowhere) visit(row, field);
  });
}

/// Calls `visit(row, field)` for each option that the steps of a run depend on.
template <class Options, class Visit>
void for_each_note(Options& options, Visit const& visit) {
  for_each_option(options, [&](auto const& row, auto& field) {
    if (row.details.recorded == Recorded::in_journal) visit(row, field);
  });
}

constexpr std::string_view note_prefix = "option ";
constexpr char const* adapter_note = "adapter";
constexpr char const* missing_note = "': expected, as in every journal of zeroth finetune, found no such note";

}  // namespace

Json to_json(FinetuneOptions const& options) {
  Json json;
  for_each_recorded(options,
                    [&](auto const& row, auto const& field) { json[row.details.key] = json_of(row.values, field); });
  return json;
}

Json used_options(FinetuneOptions const& options) {
  Json json = to_json(options);
  for_each_recorded(options, [&](auto const& row, auto const& /*field*/) {
    if (row.details.is_used != nullptr && !row.details.is_used(options)) json[row.details.key] = nullptr;
  });
  return json;
}

std::string text_of(FinetuneOptions options) {
  for_each_recorded(options, []<class Row, class Field>(Row const&, Field& field) {
    if constexpr (std::same_as<typename Row::Values, Path>) {
      if (!field.empty()) field = absolute_path(field);
    } else if constexpr (std::same_as<typename Row::Values, TaskName>) {
      if (field.ends_with(".json")) field = absolute_path(field).string();
    }
  });
  return json_text(to_json(options), 2) + "\n";
}

void write_options(fs::path const& path, std::string const& text) {
  OutputFile file(path);
  file.write(text);
  file.finish();
}

FinetuneOptions read_options(fs::path const& path) {
  model::JsonValue const json = model::JsonValue::load(path.string());
  FinetuneOptions options;
  std::vector<std::string> keys;
  for_each_recorded(options, [&](auto const& row, auto& field) {
    read_option(json, path.string() + ": key '", row, field);
    keys.push_back(row.details.key);
  });
  json.require_keys_among(std::vector<std::string_view>(keys.begin(), keys.end()));
  return options;
}

std::vector<JournalField> option_notes(FinetuneOptions const& options) {
  std::vector<JournalField> notes;
  for_each_note(options, [&](auto const& row, auto const& field) {
    notes.push_back({std::string(note_prefix) + row.details.key, json_text(json_of(row.values, field))});
  });
  notes.push_back({std::string(note_prefix) + adapter_note, json_text(!options.adapter.empty())});
  return notes;
}

std::optional<FinetuneOptions> options_of(JournalHeader const& header, std::string const& journal) {
  std::string text;
  for (JournalField const& note : header.notes)
    if (note.name.starts_with(note_prefix))
      text += (text.empty() ? "{" : ", ") + Json(note.name.substr(note_prefix.size())).dump() + ": " + note.value;
  if (text.empty()) return std::nullopt;
  model::JsonValue const json = model::JsonValue::parse(text + "}", journal);
  FinetuneOptions options;
  std::string const place = journal + ": note '" + std::string(note_prefix);
  for_each_note(options, [&](auto const& row, auto& field) {
    if (!json.json().contains(row.details.key)) throw InvalidFile(place + row.details.key + missing_note);
    read_option(json, place, row, field);
  });
  return options;
}

std::string note_of(JournalHeader const& header, std::string const& journal, std::string const& name) {
  for (JournalField const& note : header.notes)
    if (note.name == name) return note.value;
  throw InvalidFile(journal + ": note '" + name + missing_note);
}

bool continues_adapter(JournalHeader const& header, std::string const& journal) {
  std::string const name = std::string(note_prefix) + adapter_note;
  std::string const value = note_of(header, journal, name);
  if (value != "true" && value != "false")
    throw InvalidFile(journal + ": note '" + name + "': expected true or false, found " + value);
  return value == "true";
}

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "json_path.hpp"

namespace zeroth::cli {

/// Form of a data file; docs/tasks.md says what each is.
enum class DataFormat : std::uint8_t { tsv, csv, jsonl, lines };

/// A part of an example.
struct Field {
  std::string name;                  ///< what templates call it
  std::vector<std::string> places;   ///< columns, or paths of a JSON object: the first that a file (an object) has
  std::vector<JsonPath> paths = {};  ///< the places again, for jsonl
  std::vector<std::pair<std::string, std::string>> values = {};  ///< what is put for what the file says; empty: itself
  bool may_be_blank = false;
};

/// How examples lie in a file.
struct RecordForm {
  DataFormat format = DataFormat::tsv;
  std::vector<std::string> columns;  ///< of a tsv or csv file without a header
  std::vector<Field> fields;
  std::optional<JsonPath> examples;  ///< jsonl: the list whose elements are the examples; none: each line is one
  std::optional<JsonPath> list;      ///< jsonl: goes through a list of candidates, the last of its lists
};

/// One example as the file has it, and where.
struct Record {
  std::filesystem::path const& path;
  std::size_t line;                                 ///< counted from 1; the first of a row of several lines
  std::size_t element;                              ///< among the examples of that line, counted from 0
  std::vector<std::string> values;                  ///< of each field; scalars of JSON as JSON writes them
  std::vector<std::string> list;                    ///< of the elements of RecordForm::list
  std::function<std::string(std::size_t)> name_of;  ///< what the file calls a field: a column or a path

  /// @throws InvalidFile always: "FILE:LINE: FIELD: WHY".
  [[noreturn]] void refuse(std::size_t field, std::string const& why) const;
};

/// Calls `visit` with each record of a file, in the order of the file; blank lines are none. Bytes that are not UTF-8
/// become U+FFFD, and a byte order mark at the beginning is left out.
/// @throws InvalidFile naming file and line, if the file cannot be read or a row lacks a field.
void read_records(std::filesystem::path const& path, RecordForm const& form,
                  std::function<void(Record const&)> const& visit);

/// The same for DataFormat::jsonl, from its lines.
void read_json_records(std::filesystem::path const& path, std::vector<std::string> const& lines, RecordForm const& form,
                       std::function<void(Record const&)> const& visit);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json_path.hpp"

namespace zeroth::cli {

/// Format of a data file; docs/tasks.md describes each.
enum class DataFormat : std::uint8_t { tsv, csv, jsonl, lines };

/// A part of an example.
struct Field {
  std::string name;                  ///< in templates
  std::vector<std::string> places;   ///< columns, or paths in a JSON object: the first one that exists counts
  std::vector<JsonPath> paths = {};  ///< the places again, for jsonl
  std::vector<std::pair<std::string, std::string>> values = {};  ///< replacements for the file's values; empty: none
  bool may_be_blank = false;
};

/// How examples are stored in a file.
struct RecordForm {
  DataFormat format = DataFormat::tsv;
  std::vector<std::string> columns;  ///< of a tsv or csv file without a header
  std::vector<Field> fields;
  std::optional<JsonPath> examples;    ///< jsonl: the list whose elements are the examples; none: each line is one
  std::optional<JsonPath> list;        ///< jsonl: a path through a list of candidates, the last of its lists
  bool replaces_invalid_utf8 = false;  ///< whether invalid UTF-8 becomes U+FFFD; otherwise it is rejected
};

/// Limits of a data file, so that the cost of a row does not depend on the rows before it.
inline constexpr std::size_t most_columns = 65536;
inline constexpr std::size_t most_fields = 1000;
inline constexpr std::size_t most_candidates = 1000;
inline constexpr std::size_t most_json_line_bytes = std::size_t{16} << 20;

/// One example as the file has it, and its place. Its texts are views that are valid while it is visited.
struct Record {
  std::shared_ptr<std::string const> const& file;        ///< its path
  std::size_t line;                                      ///< counted from 1; of a row with several lines the first
  std::size_t element;                                   ///< among the examples of that line, counted from 0
  std::vector<std::string_view> values;                  ///< of each field; JSON scalars as JSON writes them
  std::vector<std::string_view> list;                    ///< of the elements of RecordForm::list
  std::function<std::string(std::size_t)> name_of = {};  ///< what the file calls a field: a column or a path

  /// @throws InvalidFile always: "FILE:LINE: FIELD: WHY".
  [[noreturn]] void reject(std::size_t field, std::string const& why) const;

  /// @throws InvalidFile always: "FILE:LINE: WHY".
  [[noreturn]] void reject(std::string const& why) const;
};

/// Calls `visit` with each record of a file, in the file's order; blank lines and a byte order mark at the beginning
/// are skipped. Time: proportional to the file, and to the fields per record. Memory: the file and one row of it, or
/// the values of one line of JSON (see parse_json).
/// @return the size of the file in bytes
/// @throws InvalidFile naming file and line, if the file is not regular or cannot be read, is not UTF-8 (or, with
///   replaces_invalid_utf8, has zero bytes), has lines that end in CR only, or if a row lacks a field.
std::size_t read_records(std::filesystem::path const& path, RecordForm const& form,
                         std::function<void(Record const&)> const& visit);

/// The lines of a text one by one, without their LF or CRLF.
class TextLines {
 public:
  explicit TextLines(std::string_view text) : rest_(text) {}

  /// Advances to the next line; false at the end.
  [[nodiscard]] bool next();

  [[nodiscard]] std::string_view line() const { return line_; }

  /// Counted from 1.
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::string_view line_;
  std::size_t number_ = 0;
};

/// The same for the lines of a file in DataFormat::jsonl, each of at most most_json_line_bytes.
void read_json_records(std::shared_ptr<std::string const> const& file, TextLines lines, RecordForm const& form,
                       std::function<void(Record const&)> const& visit);

}  // namespace zeroth::cli

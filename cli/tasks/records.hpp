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
  std::optional<JsonPath> examples;    ///< jsonl: the list whose elements are the examples; none: each line is one
  std::optional<JsonPath> list;        ///< jsonl: goes through a list of candidates, the last of its lists
  bool replaces_invalid_utf8 = false;  ///< whether bytes that are not UTF-8 become U+FFFD; else they are refused
};

/// Bounds on what a file of data has, so that what a row costs does not depend on the rows before it.
inline constexpr std::size_t most_columns = 65536;
inline constexpr std::size_t most_fields = 1000;
inline constexpr std::size_t most_candidates = 1000;
inline constexpr std::size_t most_json_line_bytes = std::size_t{16} << 20;

/// One example as the file has it, and where. Its texts are views that are good while it is visited.
struct Record {
  std::shared_ptr<std::string const> const& file;        ///< its path
  std::size_t line;                                      ///< counted from 1; the first of a row of several lines
  std::size_t element;                                   ///< among the examples of that line, counted from 0
  std::vector<std::string_view> values;                  ///< of each field; scalars of JSON as JSON writes them
  std::vector<std::string_view> list;                    ///< of the elements of RecordForm::list
  std::function<std::string(std::size_t)> name_of = {};  ///< what the file calls a field: a column or a path

  /// @throws InvalidFile always: "FILE:LINE: FIELD: WHY".
  [[noreturn]] void refuse(std::size_t field, std::string const& why) const;

  /// @throws InvalidFile always: "FILE:LINE: WHY".
  [[noreturn]] void refuse(std::string const& why) const;
};

/// Calls `visit` with each record of a file, in the order of the file; blank lines are none, and a byte order mark at
/// the beginning is left out. Takes time in proportion to the file, and to the fields for each record; memory for the
/// file and for one row of it, or of a line of JSON for its values (see parse_json).
/// @return the size of the file in bytes
/// @throws InvalidFile naming file and line, if the file is no regular file or cannot be read, is not UTF-8 (or, with
///   replaces_invalid_utf8, has zero bytes), has lines that end in CR only, or if a row lacks a field.
std::size_t read_records(std::filesystem::path const& path, RecordForm const& form,
                         std::function<void(Record const&)> const& visit);

/// The lines of a text in turn, without their LF or CRLF.
class TextLines {
 public:
  explicit TextLines(std::string_view text) : rest_(text) {}

  /// Whether there is another one, which line() then is.
  [[nodiscard]] bool next();

  [[nodiscard]] std::string_view line() const { return line_; }

  /// Counted from 1.
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::string_view line_;
  std::size_t number_ = 0;
};

/// The same for DataFormat::jsonl, of a file's lines, each of at most most_json_line_bytes.
void read_json_records(std::shared_ptr<std::string const> const& file, TextLines lines, RecordForm const& form,
                       std::function<void(Record const&)> const& visit);

}  // namespace zeroth::cli

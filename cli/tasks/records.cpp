// SPDX-License-Identifier: MIT
#include "records.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <unordered_map>

#include <zeroth/error.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/text/text_encoding.hpp>
#include <zeroth_model/text/unicode.hpp>

#include "io/text.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

using Visit = std::function<void(Record const&)>;
using File = std::shared_ptr<std::string const>;

[[noreturn]] void reject_row(File const& file, std::size_t line, std::string const& why) {
  throw InvalidFile(*file + ":" + std::to_string(line) + ": " + why);
}

[[noreturn]] void reject_byte(File const& file, std::string_view text, std::size_t offset,
                              std::string const& expected) {
  std::string_view const before = text.substr(0, offset);
  std::array<char, 8> byte{};
  std::snprintf(byte.data(), byte.size(), "0x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[offset])));
  reject_row(file, 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')),
             expected + ", found the byte " + byte.data() + " as number " +
                 std::to_string(offset - (before.rfind('\n') + 1) + 1) + " of the line");
}

/// @throws InvalidFile if the text is not UTF-8, or has line ends other than LF and CRLF.
void check_text(File const& file, std::string_view text, RecordForm const& form) {
  if (std::string_view const encoding = model::detail::wide_encoding(text); !encoding.empty())
    throw InvalidFile(*file + ": expected text in UTF-8, found " + std::string(encoding));
  if (std::size_t const zero = text.find('\0'); zero != std::string_view::npos)
    reject_byte(file, text, zero, "expected text in UTF-8");
  for (std::size_t i = 0; !form.replaces_invalid_utf8 && i < text.size();) {
    model::Character const character = model::next_character(text, i);
    if (!character.valid)
      reject_byte(file, text, i,
                  "expected text in UTF-8 (or \"invalid_utf8\": \"replace\" in the task, which puts U+FFFD)");
    i += character.length;
  }
  // CSV is checked row by row, as quoted fields may contain any line end.
  if (form.format != DataFormat::csv && text.find('\n') == std::string_view::npos &&
      text.find('\r') != std::string_view::npos)
    throw InvalidFile(*file + ": expected lines that end in LF or CRLF, found CR only");
}

/// Receives the cells of a row, with their index.
using OnCell = std::function<void(std::size_t index, std::string_view cell)>;

/// Splits lines at tabs.
class TsvReader {
 public:
  TsvReader(File const& /*file*/, std::string_view text) : lines_(text) {}

  /// Passes on the cells of the next row that is not blank. False at the end.
  bool next(OnCell const& on_cell) {
    while (lines_.next()) {
      if (strip(lines_.line()).empty()) continue;
      std::string_view text = lines_.line();
      for (std::size_t index = 0;; ++index) {
        std::size_t const tab = text.find('\t');
        on_cell(index, text.substr(0, tab));
        if (tab == std::string_view::npos) return true;
        text.remove_prefix(tab + 1);
      }
    }
    return false;
  }

  /// The line in which the last row begins.
  [[nodiscard]] std::size_t line() const { return lines_.number(); }

 private:
  TextLines lines_;
};

/// Splits the text of a file by RFC 4180; lines may end in LF too.
class CsvReader {
 public:
  CsvReader(File const& file, std::string_view text) : file_(file), text_(text) {}

  bool next(OnCell const& on_cell) {
    while (at_ < text_.size()) {
      row_line_ = line_;
      if (skip_blank_line()) continue;
      std::size_t index = 0;
      do {
        on_cell(index++, cell());
      } while (take(","));
      if (!take("\r\n") && !take("\n") && at_ < text_.size()) {
        if (text_[at_] == '\r') reject_row(file_, line_, "expected a line to end in LF or CRLF, found CR only");
        reject_row(
            file_, line_,
            "expected a comma or the end of the line after a quoted field, found " + in_quotes(text_.substr(at_, 1)));
      }
      ++line_;
      return true;
    }
    return false;
  }

  [[nodiscard]] std::size_t line() const { return row_line_; }

 private:
  bool take(std::string_view token) {
    bool const found = text_.substr(at_).starts_with(token);
    if (found) at_ += token.size();
    return found;
  }

  bool skip_blank_line() {
    std::size_t const end = text_.find_first_not_of(" \t\v\f", at_);
    if (end != std::string_view::npos && text_[end] != '\n' && !text_.substr(end).starts_with("\r\n")) return false;
    at_ = std::min(end, text_.size());
    if (take("\r\n") || take("\n")) ++line_;
    return true;
  }

  std::string_view cell() {
    if (take("\"")) return quoted_cell();
    std::size_t const end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string_view const cell = text_.substr(at_, end - at_);
    if (cell.find('"') != std::string_view::npos)
      reject_row(file_, line_, "expected a field with a quote in it to be in quotes itself, found " + in_quotes(cell));
    at_ = end;
    return cell;
  }

  std::string_view quoted_cell() {
    quoted_.clear();
    for (std::size_t const first = line_;;) {
      std::size_t const quote = text_.find('"', at_);
      if (quote == std::string_view::npos)
        reject_row(file_, first, "expected a closing quote, found the end of the file");
      std::string_view const part = text_.substr(at_, quote - at_);
      line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
      quoted_ += part;
      at_ = quote + 1;
      if (!take("\"")) return quoted_;
      quoted_ += '"';
    }
  }

  File const& file_;
  std::string_view text_;
  std::string quoted_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t row_line_ = 1;
};

std::string one_of(std::vector<std::string> const& names) {
  std::string text;
  for (std::string const& name : names) text += (text.empty() ? "" : " or ") + in_quotes(name);
  return text;
}

/// The columns of a table, and which of them the fields need.
class Columns {
 public:
  /// @param line of the header; 0 if the task names the columns
  Columns(File const& file, RecordForm const& form, std::vector<std::string> const& names, std::size_t line)
      : file_(file), count_(names.size()), slots_(names.size(), none) {
    std::unordered_map<std::string_view, std::size_t> places;  // a name that occurs twice has the place `none`
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (auto const [place, is_new] = places.try_emplace(names[i], i); !is_new) place->second = none;
    }
    for (Field const& field : form.fields) fields_.push_back(slot_of(field, names, places, line));
  }

  /// How many columns there are.
  [[nodiscard]] std::size_t size() const { return count_; }

  /// The slot for the cell in this column, or `none` if no field needs it.
  [[nodiscard]] std::size_t slot(std::size_t column) const { return column < count_ ? slots_[column] : none; }

  /// How many columns the fields need.
  [[nodiscard]] std::size_t slots() const { return names_.size(); }

  /// The slot of a field, or `none` for a field without a place.
  [[nodiscard]] std::size_t slot_of(std::size_t field) const { return fields_[field]; }

  [[nodiscard]] std::string name_of(std::size_t field) const {
    return fields_[field] == none ? std::string() : names_[fields_[field]];
  }

  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

 private:
  std::size_t slot_of(Field const& field, std::vector<std::string> const& names,
                      std::unordered_map<std::string_view, std::size_t> const& places, std::size_t line) {
    for (std::string const& name : field.places) {
      auto const found = places.find(name);
      if (found == places.end()) continue;
      std::size_t const column = found->second;
      if (column == none) reject_row(file_, line, "header: expected one column " + in_quotes(name) + ", found several");
      if (slots_[column] == none) {
        slots_[column] = names_.size();
        names_.push_back(name);
      }
      return slots_[column];
    }
    if (field.places.empty()) return none;
    std::string all;
    constexpr std::size_t shown = 100;  // more than in_quotes() leaves
    for (auto name = names.begin(); name != names.end() && all.size() < shown; ++name)
      all += (name == names.begin() ? "" : ", ") + *name;
    reject_row(file_, line, "header: expected a column " + one_of(field.places) + ", found " + in_quotes(all));
  }

  File const& file_;
  std::size_t count_;
  std::vector<std::size_t> slots_;   ///< of each column
  std::vector<std::size_t> fields_;  ///< the slot of each field
  std::vector<std::string> names_;   ///< of each slot
};

/// Keeps only the cells of a row that a field needs.
template <class Reader>
void read_table(File const& file, RecordForm const& form, std::string_view text, Visit const& visit) {
  Reader reader(file, text);
  std::vector<std::string> names = form.columns;
  if (names.empty()) {
    auto const add_name = [&](std::size_t index, std::string_view cell) {
      if (index == most_columns)
        reject_row(file, reader.line(),
                   "header: expected at most " + std::to_string(most_columns) + " columns, found more");
      names.push_back(model::replace_invalid_utf8(cell));
    };
    if (!reader.next(add_name)) throw InvalidFile(*file + ": expected a header and rows, found an empty file");
  }
  Columns const columns(file, form, names, form.columns.empty() ? reader.line() : 0);
  std::vector<std::string> wanted(columns.slots());
  std::size_t count = 0;
  auto const take_cell = [&](std::size_t index, std::string_view cell) {
    count = index + 1;
    std::size_t const slot = columns.slot(index);
    if (slot == Columns::none) return;
    if (form.replaces_invalid_utf8)
      wanted[slot] = model::replace_invalid_utf8(cell);
    else
      wanted[slot] = cell;
  };
  while (reader.next(take_cell)) {
    if (count != columns.size())
      reject_row(file, reader.line(),
                 "expected " + std::to_string(columns.size()) + " fields separated by " +
                     (form.format == DataFormat::csv ? "commas" : "tabs") + ", found " + std::to_string(count));
    Record record{file, reader.line(), 0, {}, {}, [&](std::size_t field) { return columns.name_of(field); }};
    for (std::size_t field = 0; field < form.fields.size(); ++field) {
      std::size_t const slot = columns.slot_of(field);
      record.values.push_back(slot == Columns::none ? std::string_view() : std::string_view(wanted[slot]));
    }
    visit(record);
  }
}

void read_text_lines(File const& file, RecordForm const& form, TextLines lines, Visit const& visit) {
  std::string repaired;
  while (lines.next()) {
    if (strip(lines.line()).empty()) continue;
    std::string_view line = lines.line();
    if (form.replaces_invalid_utf8) line = repaired = model::replace_invalid_utf8(line);
    Record record{file, lines.number(), 0, {}, {}, [](std::size_t /*field*/) { return std::string("line"); }};
    record.values.assign(form.fields.size(), line);
    visit(record);
  }
}

}  // namespace

void Record::reject(std::size_t field, std::string const& why) const {
  constexpr std::size_t longest = 240;
  reject(model::detail::printable(name_of(field), longest) + ": " + why);
}

void Record::reject(std::string const& why) const {
  reject_row(file, line, why);
}

bool TextLines::next() {
  if (rest_.empty()) return false;
  std::size_t const end = std::min(rest_.find('\n'), rest_.size());
  line_ = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  if (line_.ends_with('\r')) line_.remove_suffix(1);
  ++number_;
  return true;
}

std::size_t read_records(fs::path const& path, RecordForm const& form, Visit const& visit) {
  auto const file = std::make_shared<std::string const>(path.string());
  std::string const bytes = read_data_file(path);
  check_text(file, bytes, form);
  std::string_view const text = model::detail::without_byte_order_mark(bytes);
  switch (form.format) {
    case DataFormat::tsv:
      read_table<TsvReader>(file, form, text, visit);
      break;
    case DataFormat::csv:
      read_table<CsvReader>(file, form, text, visit);
      break;
    case DataFormat::jsonl:
      read_json_records(file, TextLines(text), form, visit);
      break;
    case DataFormat::lines:
      read_text_lines(file, form, TextLines(text), visit);
      break;
  }
  return bytes.size();
}

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#include "records.hpp"

#include <algorithm>
#include <span>
#include <string_view>

#include <zeroth/error.hpp>
#include <zeroth/model/tokenizer/unicode.hpp>

#include "../text.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

/// A row of a table and the line that it begins in.
struct Row {
  std::size_t line;
  std::vector<std::string> cells;
};

[[noreturn]] void refuse_row(fs::path const& path, std::size_t line, std::string const& why) {
  throw InvalidFile(path.string() + ":" + std::to_string(line) + ": " + why);
}

std::string_view without_mark(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  return text.starts_with(mark) ? text.substr(mark.size()) : text;
}

std::vector<Row> rows_of_tsv(fs::path const& path) {
  std::vector<Row> rows;
  std::size_t number = 0;
  for (std::string const& line : read_lines(path)) {
    std::string_view text = ++number == 1 ? without_mark(line) : line;
    if (strip(text).empty()) continue;
    Row row{number, {}};
    for (std::size_t tab = 0; tab != std::string_view::npos; text.remove_prefix(tab + 1)) {
      tab = text.find('\t');
      row.cells.push_back(model::replace_invalid_utf8(text.substr(0, tab)));
      if (tab == std::string_view::npos) break;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Cuts the text of a file as RFC 4180 has it; lines may end in LF too.
class CsvReader {
 public:
  CsvReader(fs::path const& path, std::string_view text) : path_(path), text_(without_mark(text)) {}

  std::vector<Row> rows() {
    std::vector<Row> rows;
    while (at_ < text_.size()) {
      Row row{line_, {}};
      do {
        row.cells.push_back(model::replace_invalid_utf8(cell()));
      } while (take(","));
      if (!take("\r\n") && !take("\n") && at_ < text_.size())
        refuse_row(
            path_, line_,
            "expected a comma or the end of the line after a quoted field, found " + in_quotes(text_.substr(at_, 1)));
      ++line_;
      if (row.cells.size() > 1 || !strip(row.cells[0]).empty()) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  bool take(std::string_view token) {
    bool const found = text_.substr(at_).starts_with(token);
    if (found) at_ += token.size();
    return found;
  }

  std::string cell() {
    if (take("\"")) return quoted_cell();
    std::size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    if (end < text_.size() && text_[end] == '\n' && end > at_ && text_[end - 1] == '\r') --end;
    std::string_view const cell = text_.substr(at_, end - at_);
    if (cell.find('"') != std::string_view::npos)
      refuse_row(path_, line_, "expected a field with a quote in it to be in quotes itself, found " + in_quotes(cell));
    at_ = end;
    return std::string(cell);
  }

  std::string quoted_cell() {
    std::string cell;
    for (std::size_t const first = line_;;) {
      std::size_t const quote = text_.find('"', at_);
      if (quote == std::string_view::npos)
        refuse_row(path_, first, "expected a closing quote, found the end of the file");
      std::string_view const part = text_.substr(at_, quote - at_);
      line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
      cell += part;
      at_ = quote + 1;
      if (!take("\"")) return cell;
      cell += '"';
    }
  }

  fs::path const& path_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

std::string one_of(std::vector<std::string> const& names) {
  std::string text;
  for (std::string const& name : names) text += (text.empty() ? "" : " or ") + in_quotes(name);
  return text;
}

/// The index of the column of each field; `header` is what to blame if there is none.
std::vector<std::size_t> find_columns(fs::path const& path, RecordForm const& form, Row const& header) {
  std::vector<std::size_t> indices;
  std::string all;
  for (std::string const& name : header.cells) all += (all.empty() ? "" : ", ") + name;
  for (Field const& field : form.fields) {
    auto found = header.cells.end();
    for (std::string const& place : field.places) {
      if (found != header.cells.end()) break;
      found = std::find(header.cells.begin(), header.cells.end(), place);
      if (found != header.cells.end() && std::find(found + 1, header.cells.end(), place) != header.cells.end())
        refuse_row(path, header.line, "header: expected one column " + in_quotes(place) + ", found several");
    }
    if (found == header.cells.end() && !field.places.empty())
      refuse_row(path, header.line, "header: expected a column " + one_of(field.places) + ", found " + in_quotes(all));
    indices.push_back(static_cast<std::size_t>(found - header.cells.begin()));
  }
  return indices;
}

void read_table(fs::path const& path, RecordForm const& form, std::vector<Row> const& rows,
                std::function<void(Record const&)> const& visit) {
  bool const has_header = form.columns.empty();
  if (has_header && rows.empty())
    throw InvalidFile(path.string() + ": expected a header and rows, found an empty file");
  Row const header = has_header ? rows.front() : Row{0, form.columns};
  std::vector<std::size_t> const columns = find_columns(path, form, header);
  for (Row const& row : std::span(rows).subspan(has_header ? 1 : 0)) {
    if (row.cells.size() != header.cells.size())
      refuse_row(path, row.line,
                 "expected " + std::to_string(header.cells.size()) + " fields separated by " +
                     (form.format == DataFormat::csv ? "commas" : "tabs") + ", found " +
                     std::to_string(row.cells.size()));
    Record record{path, row.line, 0, {}, {}, [&](std::size_t field) { return header.cells[columns[field]]; }};
    for (std::size_t column : columns)
      record.values.push_back(column < row.cells.size() ? row.cells[column] : std::string());
    visit(record);
  }
}

void read_text_lines(fs::path const& path, RecordForm const& form, std::vector<std::string> const& lines,
                     std::function<void(Record const&)> const& visit) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (strip(lines[i]).empty()) continue;
    Record record{path, i + 1, 0, {}, {}, [](std::size_t /*field*/) { return std::string("line"); }};
    record.values.assign(form.fields.size(), model::replace_invalid_utf8(lines[i]));
    visit(record);
  }
}

}  // namespace

void Record::refuse(std::size_t field, std::string const& why) const {
  refuse_row(path, line, name_of(field) + ": " + why);
}

void read_records(fs::path const& path, RecordForm const& form, std::function<void(Record const&)> const& visit) {
  switch (form.format) {
    case DataFormat::tsv:
      return read_table(path, form, rows_of_tsv(path), visit);
    case DataFormat::csv:
      return read_table(path, form, CsvReader(path, read_text(path)).rows(), visit);
    case DataFormat::jsonl:
    case DataFormat::lines:
      break;
  }
  std::vector<std::string> lines = read_lines(path);
  if (!lines.empty()) lines[0] = without_mark(lines[0]);
  if (form.format == DataFormat::jsonl) return read_json_records(path, lines, form, visit);
  read_text_lines(path, form, lines, visit);
}

}  // namespace zeroth::cli

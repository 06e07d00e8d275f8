// SPDX-License-Identifier: MIT
// Tables with commas: an accepted table must read the same after every cell is quoted.

#include <string>
#include <vector>

#include "../../cli/tasks/records.hpp"
#include "../../cli/tasks/task.hpp"
#include "fuzz_target.hpp"
#include "rows_file.hpp"

namespace zeroth_fuzz {
namespace {

constexpr std::string_view task_json = R"({"files": {"all": "a"}, "split": {"held_out_share": 0.5}, "format": "csv",
  "prompt": "{text} {other}", "invalid_utf8": "replace", "candidates": ["no", "yes"], "label": {"field": "label"}})";

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(const RowsFile& file, const zeroth::cli::RecordForm& form) {
  Rows rows;
  zeroth::cli::read_records(file.path(), form, [&](const zeroth::cli::Record& record) {
    require(record.values.size() == form.fields.size(), "a row lacks a field");
    rows.emplace_back(record.values.begin(), record.values.end());
  });
  return rows;
}

std::string in_quotes(const zeroth::cli::RecordForm& form, const Rows& rows) {
  std::string text;
  for (std::size_t i = 0; i < form.fields.size(); ++i) text += (i == 0 ? "" : ",") + form.fields[i].name;
  for (const auto& row : rows) {
    text += "\r\n";
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? "\"" : "\",\"";
      for (const char c : row[i]) text += c == '"' ? std::string("\"\"") : std::string(1, c);
    }
    text += '"';
  }
  return text;
}

}  // namespace

bool run(Input input) {
  static const zeroth::cli::Task task = zeroth::cli::parse_task(task_json, "task.json");
  static const RowsFile file;
  file.write(text_of(input));
  const bool taken = reads_or_refuses([&] {
    const Rows rows = rows_of(file, task.form);
    file.write(in_quotes(task.form, rows));
    require(read_again([&] { return rows_of(file, task.form); }) == rows, "in quotes, it reads otherwise");
  });
  return file.load(task) && taken;
}

std::vector<std::string> seeds() {
  return {
      "text,other,label\ngood,x,1\nbad,y,0\n",
      "label,text,other\r\n0,\"a, \"\"b\"\"\r\nc\",d\r\n\r\n1,\"e\",\"\xe9\"\r\n",
      "\xEF\xBB\xBFother,id,label,text\n1,2,0,a\n\"x\n\",3,1,b",
  };
}

}  // namespace zeroth_fuzz

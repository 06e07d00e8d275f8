// SPDX-License-Identifier: MIT
// Task files and their rows. An input is a task file, a zero byte, and its rows.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "../../cli/tasks/builtin_tasks.hpp"
#include "../../cli/tasks/task.hpp"
#include "fuzz_target.hpp"
#include "rows_file.hpp"

namespace zeroth_fuzz {

bool run(Input input) {
  static const RowsFile file;
  const std::string_view text = text_of(input);
  const std::size_t end = std::min(text.find('\0'), text.size());
  return reads_or_refuses([&] {
    const zeroth::cli::Task task = zeroth::cli::parse_task(text.substr(0, end), "task.json");
    require(task.all.empty() != task.held_out.empty(), "a task has no files, or too many");
    require(task.is_text() || task.label.field < task.form.fields.size(), "the label is no field");
    file.write(text.substr(std::min(end + 1, text.size())));
    file.load(task);
  });
}

std::vector<std::string> seeds() {
  std::vector<std::string> inputs;
  for (const zeroth::cli::BuiltinTask& task : zeroth::cli::builtin_tasks()) inputs.emplace_back(task.json);
  const auto with_rows = [&](std::string_view task, std::string_view rows) {
    inputs.push_back(std::string(task) + std::string(1, '\0') + std::string(rows));
  };
  with_rows(
      R"({"files": {"all": "a"}, "split": {"held_out_share": 0.5, "at_most": 3, "balanced": true, "seed": 1},
          "format": "csv", "columns": ["x", "y", "l"], "fields": {"z": {"from": ["y"], "values": {"1": "one", "2": ""},
          "may_be_blank": true}}, "prompt": "{x|strip|lower}: {z}", "candidates": ["no", "{{yes}}"],
          "label": {"field": "l", "ranges": [{"at_least": 0, "below": 2, "candidate": 1}, {"at_most": -1.5,
          "above": -9, "candidate": 0}]}, "metric": {"name": "exact_match", "group": "{x}"}, "score": "sum"})",
      "a,1,0\nb,2,-2\n\"c \"\"d\"\"\",1,1\ne,1,-3\n");
  with_rows(
      R"({"files": {"train": "t", "held_out": "h"}, "format": "jsonl", "examples": "p.q[]", "fields": {"x": "p.x",
          "y": "p.q[].y"}, "prompt": "{x} {y|upper_first|add_question_mark}", "candidates": {"list": "p.q[].c[].t",
          "text": "{candidate|drop_period}"}, "label": {"field": "p.q[].l"}, "metric": {"name": "f1", "positive": 1},
          "score": {"against": "{y}"}, "shared_beginning": "candidate"})",
      "{\"p\": {\"x\": \"a\", \"q\": [{\"y\": 1, \"l\": 0, \"c\": [{\"t\": \"u.\"}, {\"t\": \"v\"}]}]}}\n");
  with_rows(R"({"files": {"all": "a"}, "split": {"held_out_share": 0.5}, "format": "lines", "text": "{line|strip}"})",
            "one\ntwo\n\nthree");
  return inputs;
}

}  // namespace zeroth_fuzz

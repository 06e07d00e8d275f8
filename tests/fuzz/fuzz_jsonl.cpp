// SPDX-License-Identifier: MIT
// JSON lines: one example per line, examples nested in a line, and candidates that are a list.

#include <array>
#include <string>
#include <vector>

#include "../../cli/tasks/task.hpp"
#include "fuzz_target.hpp"
#include "rows_file.hpp"

namespace zeroth_fuzz {

bool run(Input input) {
  using zeroth::cli::Task;
  static const std::array<Task, 3> tasks = {
      zeroth::cli::find_task("boolq"), zeroth::cli::find_task("multirc"),
      zeroth::cli::parse_task(R"({"files": {"held_out": "a"}, "format": "jsonl", "prompt": "{question}",
        "candidates": {"list": "passage.questions[].text", "text": " {candidate}"}, "label": {"field": "label"}})",
                              "task.json")};
  static const RowsFile file;
  file.write(text_of(input));
  bool taken = false;
  for (const Task& task : tasks) taken = file.load(task) || taken;
  return taken;
}

std::vector<std::string> seeds() {
  return {
      "{\"question\": \"is it so\", \"passage\": \"It is.\", \"label\": true}\n"
      "{\"question\": \"caf\\u00e9?\", \"passage\": 12, \"label\": false}\r\n\n",
      "{\"passage\": {\"text\": \"t\", \"questions\": [{\"question\": \"q\", \"answers\": [{\"text\": \"\", \"label\": "
      "1}, {\"text\": \"b\", \"label\": 0}]}]}}\n",
      "\xEF\xBB\xBF{\"question\": 1.5, \"passage\": {\"questions\": [{\"text\": \"a\"}, {\"text\": \"b\"}]}, "
      "\"label\": 1}",
  };
}

}  // namespace zeroth_fuzz

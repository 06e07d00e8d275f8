// SPDX-License-Identifier: MIT
// Large task files, templates and rows.

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../../../cli/tasks/tasks.hpp"
#include "../fuzz_target.hpp"
#include "growth.hpp"
#include "temporary_directory.hpp"

namespace zeroth_fuzz {
namespace {

using namespace zeroth::cli;

void read_rows(const std::string& task, std::string_view rows) {
  static const zeroth_test::TemporaryDirectory folder;
  std::ofstream(folder / "rows", std::ios::binary) << rows;
  reads_or_refuses([&] { (void)load_task(parse_task(task, "task.json"), folder.path()); });
}

std::string number(std::size_t i) {
  return std::to_string(i);
}

/// A task on rows; `form` is the keys that describe them.
std::string task_of(const std::string& form, const std::string& prompt = "{t}") {
  return R"({"files": {"held_out": "rows"}, )" + form + R"(, "prompt": ")" + prompt +
         R"(", "candidates": ["a", "b"], "label": {"field": "l"}})";
}

LargeInput rows(const std::string& name, const std::string& task, std::function<std::string(std::size_t)> make) {
  return {name, std::move(make), [task](std::string_view text) { read_rows(task, text); }};
}

LargeInput task_file(const std::string& name, std::function<std::string(std::size_t)> make) {
  return {name, std::move(make), [](std::string_view text) { read_rows(std::string(text), "1\t0\n2\t1\n"); }};
}

}  // namespace

std::vector<LargeInput> large_task_inputs() {
  const std::string csv = task_of(R"("format": "csv")");
  const std::string tsv = task_of(R"("format": "tsv")");
  const std::string jsonl = task_of(R"("format": "jsonl")");
  const std::string nested =
      task_of(R"("format": "jsonl", "examples": "p.q[]", "fields": {"t": "p.q[].t", "l": "p.q[].l"})");
  const std::string lines = R"({"files": {"held_out": "rows"}, "format": "lines", "text": "{line}"})";
  const std::string listed = R"({"files": {"held_out": "rows"}, "format": "jsonl", "prompt": "{t}",
    "candidates": {"list": "c[]", "text": " {candidate}"}, "label": {"field": "l"}})";
  std::vector<LargeInput> inputs;

  const auto table = [](char separator) {
    return [=](std::size_t n) {
      return std::string("t") + separator + "l\n" +
             joined(n, "\n", [=](std::size_t i) { return "text " + number(i) + separator + number(i % 2); });
    };
  };
  inputs.push_back(rows("csv: rows", csv, table(',')));
  inputs.push_back(rows("tsv: rows", tsv, table('\t')));
  inputs.push_back(
      rows("csv: rows, the last of them short", csv, [=](std::size_t n) { return table(',')(n) + "\nx"; }));
  const auto columns = [](char separator) {
    return [=](std::size_t n) {
      const std::string names = joined(n, std::string(1, separator), [](std::size_t i) { return "c" + number(i); });
      return "t" + (separator + ("l" + (separator + names))) + "\n1" + separator + "0" + std::string(n, separator) +
             "\n";
    };
  };
  inputs.push_back(rows("csv: columns", csv, columns(',')));
  inputs.push_back(rows("tsv: columns", tsv, columns('\t')));
  inputs.push_back(rows("csv: columns, none of them the field's", csv,
                        [](std::size_t n) { return joined(n, ",", [](std::size_t i) { return "c" + number(i); }); }));
  inputs.push_back(rows("csv: cells of a row", csv, [](std::size_t n) { return "t,l\n" + repeated("1,", 20 * n); }));
  inputs.push_back(rows("csv: quotes in a cell", csv,
                        [](std::size_t n) { return "t,l\n\"" + repeated("\"\"\n", 20 * n) + "\",1\n"; }));
  inputs.push_back(rows("csv: a quote that nothing closes", csv,
                        [](std::size_t n) { return "t,l\n" + repeated("a,0\n", n) + "\"" + repeated("b,1\n", n); }));
  inputs.push_back(
      rows("csv: blank lines", csv, [](std::size_t n) { return "t,l\n" + repeated(" \n\r\n", n) + "a,0"; }));
  inputs.push_back(rows("tsv: a row of white space", tsv,
                        [](std::size_t n) { return "t\tl\n" + std::string(20 * n, ' ') + "\na\t0"; }));

  inputs.push_back(rows("jsonl: rows", jsonl, [](std::size_t n) {
    return joined(n, "\n",
                  [](std::size_t i) { return R"({"t": "text )" + number(i) + R"(", "l": )" + number(i % 2) + "}"; });
  }));
  inputs.push_back(rows("jsonl: rows, the last of them wrong", jsonl,
                        [](std::size_t n) { return repeated("{\"t\": 1, \"l\": 0}\n", n) + "{\"t\": NaN}"; }));
  inputs.push_back(rows("jsonl: keys of a row", jsonl, [](std::size_t n) {
    return "{\"t\": 1, \"l\": 0, " + joined(n, ", ", [](std::size_t i) { return "\"k" + number(i) + "\": {}"; }) + "}";
  }));
  inputs.push_back(rows("jsonl: a row that is nested", jsonl,
                        [](std::size_t n) { return "{\"t\": 1, \"l\": 0, \"x\": " + std::string(n, '['); }));
  inputs.push_back(rows("jsonl: examples of a row", nested, [](std::size_t n) {
    return "{\"p\": {\"q\": [" +
           joined(n, ", ", [](std::size_t i) { return "{\"t\": " + number(i) + ", \"l\": " + number(i % 2) + "}"; }) +
           "]}}";
  }));
  inputs.push_back(rows("jsonl: rows with candidates of their own", listed, [](std::size_t n) {
    return repeated("{\"t\": 1, \"l\": 1, \"c\": [\"a\", \"b\", \"c\"]}\n", n);
  }));
  inputs.push_back(rows("jsonl: candidates of a row", listed, [](std::size_t n) {
    return "{\"t\": 1, \"l\": 1, \"c\": [" + joined(n, ", ", [](std::size_t i) { return number(i); }) + "]}";
  }));
  inputs.push_back(rows("lines: lines", lines, [](std::size_t n) { return repeated("a line\n", n); }));
  inputs.push_back(rows("lines: one line", lines, [](std::size_t n) { return repeated("word ", 20 * n); }));

  inputs.push_back(task_file("task: columns", [](std::size_t n) {
    return task_of("\"format\": \"tsv\", \"columns\": [\"t\", \"l\", " +
                   joined(n, ", ", [](std::size_t i) { return "\"c" + number(i) + "\""; }) + "]");
  }));
  inputs.push_back(task_file("task: fields", [](std::size_t n) {
    return task_of(R"("format": "tsv", "columns": ["t", "l"], "fields": {)" +
                   joined(n, ", ", [](std::size_t i) { return "\"f" + number(i) + "\": \"t\""; }) + "}");
  }));
  inputs.push_back(task_file("task: values of a field", [](std::size_t n) {
    return task_of(R"("format": "tsv", "columns": ["t", "l"], "fields": {"x": {"from": "t", "values": {)" +
                       joined(n, ", ", [](std::size_t i) { return "\"" + number(i) + "\": \"v\""; }) + "}}}",
                   "{x}");
  }));
  inputs.push_back(task_file("task: fields of a prompt", [](std::size_t n) {
    return task_of(R"("format": "tsv", "columns": ["t", "l"])", repeated("{t}", n));
  }));
  inputs.push_back(task_file("task: fields of a prompt, each another", [](std::size_t n) {
    return task_of("\"format\": \"jsonl\"", joined(n, "", [](std::size_t i) { return "{f" + number(i) + "}"; }));
  }));
  inputs.push_back(task_file("task: filters of a field", [](std::size_t n) {
    return task_of(R"("format": "tsv", "columns": ["t", "l"])", "{t" + repeated("|strip", n) + "}");
  }));
  inputs.push_back(task_file("task: keys of a path", [](std::size_t n) {
    return task_of("\"format\": \"jsonl\"", "{" + joined(n, ".", [](std::size_t) { return "a"; }) + "}");
  }));
  inputs.push_back(task_file("task: candidates", [](std::size_t n) {
    return R"({"files": {"held_out": "rows"}, "format": "tsv", "columns": ["t", "l"], "prompt": "{t}", "candidates": [)" +
           joined(n, ", ", [](std::size_t i) { return "\"c" + number(i) + "\""; }) + R"(], "label": {"field": "l"}})";
  }));

  inputs.push_back({"text_template: text and braces", [](std::size_t n) { return repeated("{{text}} ", 10 * n); },
                    [](std::string_view text) {
                      reads_or_refuses<zeroth::InvalidArgument>([&] {
                        const TextTemplate made(text, [](const std::string&) { return std::size_t{0}; });
                        (void)made.fill({}, [](std::size_t) {});
                      });
                    }});
  return inputs;
}

}  // namespace zeroth_fuzz

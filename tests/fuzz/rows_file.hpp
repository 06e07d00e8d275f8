// SPDX-License-Identifier: MIT
#pragma once

// Shared by the targets for rows of examples.

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <zeroth_model/text/unicode.hpp>

#include "../../cli/tasks/tasks.hpp"
#include "fuzz_target.hpp"
#include "temporary_directory.hpp"

namespace zeroth_fuzz {

/// A file of rows, rewritten for each input.
class RowsFile {
 public:
  void write(std::string_view rows) const { std::ofstream(folder_ / name, std::ios::binary) << rows; }

  /// Loads the task with the file in place of each of its own, and checks what is accepted. Returns whether it was
  /// accepted.
  bool load(zeroth::cli::Task task) const {
    for (std::string* file : {&task.all, &task.train, &task.held_out}) {
      if (!file->empty()) *file = name;
    }
    task.folder.clear();
    return reads_or_refuses([&] { check(task, zeroth::cli::load_task(task, folder_.path())); });
  }

  std::filesystem::path path() const { return folder_ / name; }

 private:
  static constexpr const char* name = "rows";

  static void check(const zeroth::cli::Task& task, const zeroth::cli::TaskData& data) {
    using zeroth::cli::TextExample;
    require(!data.held_out.empty(), "no example is held out");
    for (const auto* examples : {&data.train, &data.held_out}) {
      for (const TextExample& example : *examples) {
        const auto candidates = zeroth::cli::candidates_of(example, data);
        require(example.label < candidates.size(), "the label is no candidate");
        require(example.line > 0, "an example has no line");
        require(zeroth::model::is_utf8(example.prompt), "a prompt is not UTF-8");
        for (const std::string& candidate : candidates) {
          require(zeroth::model::is_utf8(candidate), "a candidate is not UTF-8");
        }
      }
    }
    require(task.is_text() || task.metric.kind != zeroth::cli::Metric::Kind::loss, "candidates are judged by a loss");
  }

  zeroth_test::TemporaryDirectory folder_;
};

}  // namespace zeroth_fuzz

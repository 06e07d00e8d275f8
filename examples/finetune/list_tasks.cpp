// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>

#include <zeroth/error.hpp>

#include "commands.hpp"
#include "tasks/builtin_tasks.hpp"
#include "tasks/task.hpp"
#include "text.hpp"

namespace zeroth::cli {

int run(TasksOptions const& options) {
  if (!options.name.empty()) {
    BuiltinTask const* const task = find_builtin_task(options.name);
    if (task == nullptr)
      throw InvalidArgument("tasks: expected one of " + builtin_task_names() + ", found " + in_quotes(options.name));
    std::printf("%s", std::string(task->json).c_str());
  } else {
    for (BuiltinTask const& task : builtin_tasks()) {
      std::string const name(task.name);
      std::printf("%-16s%s\n", name.c_str(), find_task(name).description.c_str());
    }
  }
  if (std::fflush(stdout) != 0) throw InvalidFile("standard output: cannot write");
  return 0;
}

}  // namespace zeroth::cli

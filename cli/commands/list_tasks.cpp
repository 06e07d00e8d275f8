// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth_model/text/printable.hpp>

#include "commands.hpp"
#include "io/standard_streams.hpp"
#include "io/text.hpp"
#include "tasks/builtin_tasks.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {
namespace {

constexpr std::size_t task_name_width = 16;

}  // namespace

int run(TasksOptions const& options) {
  if (!options.name.empty()) {
    BuiltinTask const* const task = find_builtin_task(options.name);
    if (task == nullptr)
      throw InvalidArgument("tasks: expected one of " + builtin_task_names() + ", found " + in_quotes(options.name));
    print(task->json);
  } else {
    for (BuiltinTask const& task : builtin_tasks()) {
      std::string name(task.name);
      std::string const description = model::replace_unprintable(find_task(name).description);
      name.resize(std::max(name.size() + 1, task_name_width), ' ');
      print(name + description + "\n");
    }
  }
  return 0;
}

}  // namespace zeroth::cli

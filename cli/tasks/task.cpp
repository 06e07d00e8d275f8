// SPDX-License-Identifier: MIT
#include "task.hpp"

#include <algorithm>

#include <zeroth/error.hpp>

#include "builtin_tasks.hpp"
#include "io/text.hpp"

namespace zeroth::cli {
namespace {

bool is_file(std::string const& option) {
  return option.ends_with(".json");
}

}  // namespace

bool LabelRange::contains(double value) const {
  return (!above || value > *above) && (!at_least || value >= *at_least) && (!below || value < *below) &&
         (!at_most || value <= *at_most);
}

bool Task::has_fixed_candidates() const {
  return !form.list && std::all_of(candidates.begin(), candidates.end(), [](auto const& c) { return c.is_fixed(); });
}

void check_task_option(std::string const& option) {
  if (!is_file(option) && find_builtin_task(option) == nullptr)
    throw InvalidArgument("--task: expected one of " + builtin_task_names() + ", or a file that ends in .json, found " +
                          in_quotes(option));
}

Task find_task(std::string const& option) {
  check_task_option(option);
  if (is_file(option)) return load_task_file(option);
  return parse_task(find_builtin_task(option)->json, "the task " + option);
}

}  // namespace zeroth::cli

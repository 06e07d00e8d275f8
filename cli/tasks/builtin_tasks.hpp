// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace zeroth::cli {

/// A task that comes with the program, as the text of a task file.
struct BuiltinTask {
  std::string_view name;
  std::string_view json;
};

[[nodiscard]] std::span<BuiltinTask const> builtin_tasks() noexcept;

/// Their names, for help texts: "sst2, rte, ...".
[[nodiscard]] std::string builtin_task_names(std::string_view separator = ", ");

/// The task of that name, or nullptr.
[[nodiscard]] BuiltinTask const* find_builtin_task(std::string_view name) noexcept;

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "options/options.hpp"

namespace zeroth::cli {

/// The script that lets a shell complete the commands of `app`, their options and the options' values, all of it read
/// from `app`. The name of an option's type says what may follow: "a|b|c" one of these words, FILE or PATH a file, DIR
/// a folder, TASK a built-in task or a file, any other name nothing in particular.
[[nodiscard]] std::string completion_script(CLI::App const& app, Shell shell);

}  // namespace zeroth::cli

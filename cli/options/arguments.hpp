// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <variant>

#include "options.hpp"

namespace zeroth::cli {

/// A text that was asked for (--help, --version, a completion script) and is all there is to do.
struct HelpText {
  std::string text;
};

using Command = std::variant<HelpText, FinetuneOptions, ReplayModelOptions, JournalOptions, EvalOptions, ScoreOptions,
                             GenerateOptions, TokenizeOptions, ExportOptions, InspectOptions, TasksOptions>;

/// Reads the command line and checks each option for itself and against the others.
/// @throws InvalidArgument naming the option, what was expected and what was found.
[[nodiscard]] Command parse_arguments(int argc, char const* const* argv);

}  // namespace zeroth::cli

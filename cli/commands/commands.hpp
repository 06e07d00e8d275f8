// SPDX-License-Identifier: MIT
#pragma once

#include "options/options.hpp"

namespace zeroth::cli {

/// The exit code of a run that was interrupted, as shells count it: 128 + SIGINT.
inline constexpr int interrupted_exit_code = 130;

/// Each command runs to its end and returns the exit code: 0, or interrupted_exit_code.
/// @throws Error on bad input or failed output; nothing incomplete is then left under a final name.
int run(FinetuneOptions const& options);
int run(ReplayModelOptions const& options);
int run(JournalOptions const& options);
int run(EvalOptions const& options);
int run(ScoreOptions const& options);
int run(GenerateOptions const& options);
int run(TokenizeOptions const& options);
int run(ExportOptions const& options);
int run(InspectOptions const& options);
int run(TasksOptions const& options);

}  // namespace zeroth::cli

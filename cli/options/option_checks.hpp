// SPDX-License-Identifier: MIT
#pragma once

#include "options.hpp"

// What the table of options does not say: which values do not go with which others.

namespace zeroth::cli {

/// @throws InvalidArgument naming an option that does not go with the others of its command.
void check_options(FinetuneOptions const& options);
void check_options(ReplayModelOptions const& options);
void check_options(JournalOptions const& options);
void check_options(EvalOptions const& options);
void check_options(ScoreOptions const& options);
void check_options(GenerateOptions const& options);
inline void check_options(TokenizeOptions const& /*options*/) {}
void check_options(ExportOptions const& options);
inline void check_options(InspectOptions const& /*options*/) {}
inline void check_options(TasksOptions const& /*options*/) {}
inline void check_options(CompletionOptions const& /*options*/) {}

}  // namespace zeroth::cli

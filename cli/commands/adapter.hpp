// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "options/options.hpp"
#include "run/language_model.hpp"

namespace zeroth::cli {

/// Gives the model a new adapter if the options ask for one, and fills in the options of the adapter that is tuned, new
/// or loaded.
/// @throws InvalidArgument if --lora-targets matches no matrix.
void make_adapter(LanguageModel& model, FinetuneOptions& options);

/// The adapter that is tuned, for people: rank, alpha, matrices, weights and bytes.
[[nodiscard]] std::string adapter_summary(LanguageModel const& model);

}  // namespace zeroth::cli

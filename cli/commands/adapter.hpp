// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "options/options.hpp"
#include "run/language_model.hpp"

namespace zeroth::cli {

/// Gives the model a new adapter, delta or scales to tune if the options ask for them, and fills in the options of the
/// adapter that is tuned, new or loaded.
/// @throws InvalidArgument if --lora-targets matches no matrix, or there are no scales.
void make_adapter(LanguageModel& model, FinetuneOptions& options);

/// A line for people on what is tuned beside the model's weights: of how many matrices, how many weights, their bytes.
/// @pre model.tunes_beside()
[[nodiscard]] std::string adapter_summary(LanguageModel const& model);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "options/options.hpp"
#include "run/language_model.hpp"

namespace zeroth::cli {

/// Gives the model a new adapter if that is what the options say. Fills in what they leave open of the adapter that is
/// tuned, a loaded one included.
/// @throws InvalidArgument if --lora-targets name no matrix.
void make_adapter(LanguageModel& model, FinetuneOptions& options);

/// What is tuned, for people: rank, alpha, matrices, weights and bytes.
[[nodiscard]] std::string adapter_summary(LanguageModel const& model);

}  // namespace zeroth::cli

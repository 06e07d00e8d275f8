// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "language_model.hpp"

namespace zeroth::cli {

/// Saves the model's adapter as the folder `directory`, replacing an earlier one, in the format that PEFT loads.
/// @throws InvalidFile if it cannot be written; nothing incomplete is left under a final name.
void save_adapter(LanguageModel const& model, std::filesystem::path const& directory);

}  // namespace zeroth::cli

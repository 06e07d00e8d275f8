// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>

#include "language_model.hpp"

namespace zeroth::cli {

/// Saves the model's adapter as the folder `directory`, replacing an earlier one, in the format that PEFT loads.
/// @throws InvalidFile if it cannot be written; nothing incomplete is left under a final name.
void save_adapter(LanguageModel const& model, std::filesystem::path const& directory);

/// Saves the model, with a delta or scales that were tuned beside its weights, as the folder `directory`, as
/// model::save_model does. A GGUF file with other scales keeps the types of the model's own file, and its size.
/// @throws InvalidFile if it cannot be written; InvalidArgument if the format cannot represent the model.
void save_model(LanguageModel& model, std::filesystem::path const& directory, SaveFormat format);

/// The least disk space that this takes, in bytes.
[[nodiscard]] std::uint64_t saved_bytes(LanguageModel const& model, SaveFormat format);

}  // namespace zeroth::cli

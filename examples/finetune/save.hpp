// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>

#include "language_model.hpp"
#include "options.hpp"

namespace zeroth::cli {

/// Bytes that a saved model takes on disk at the least: its weights.
[[nodiscard]] std::uint64_t saved_bytes(LanguageModel const& model, SaveFormat format);

/// Saves the model as the folder `directory`, in place of an earlier one: safetensors with configuration and tokenizer
/// as Hugging Face transformers loads them, model.gguf (F32), or both.
/// @throws InvalidFile if it cannot be written; nothing incomplete is left under a final name.
void save_model(LanguageModel const& model, SaveFormat format, std::filesystem::path const& directory);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include <zeroth_model/io/tensor_type.hpp>

#include "language_model.hpp"
#include "options/options.hpp"

namespace zeroth::cli {

/// The least that a saved model takes on disk, in bytes: its weights.
[[nodiscard]] std::uint64_t saved_bytes(LanguageModel const& model, SaveFormat format,
                                        std::optional<model::TensorType> dtype = std::nullopt);

/// Checks before a run that the format can hold such a model, as far as configuration and tokenizer go.
/// @param scratch a path next to which a temporary file may be created
/// @throws InvalidArgument if not, InvalidFile as ModelSource::keep_files() does.
void check_form(LanguageModel const& model, SaveFormat format, std::filesystem::path const& scratch);

/// Saves the model as the folder `directory`, replacing an earlier one: safetensors with configuration and tokenizer as
/// Hugging Face transformers loads them, model.gguf, or both.
///
/// A model from a Hugging Face folder keeps its config.json, except for the type of the weights, and the files of its
/// tokenizer; a model from GGUF keeps its metadata: all as they were when ModelSource::keep_files() was called. The
/// folder gets its name when everything is in it.
/// @param dtype of the weights: f32, f16 or bf16; none: each tensor in the type that it has in memory
/// @throws InvalidFile if it cannot be written; nothing incomplete is left under a final name.
/// @throws InvalidArgument if the format cannot hold such a model.
void save_model(LanguageModel const& model, SaveFormat format, std::optional<model::TensorType> dtype,
                std::filesystem::path const& directory);

/// Saves the model as one GGUF file; otherwise as above.
void save_gguf_file(LanguageModel const& model, std::optional<model::TensorType> dtype,
                    std::filesystem::path const& file);

/// Saves the model's adapter as the folder `directory`, replacing an earlier one, in the format that PEFT loads.
/// @throws InvalidFile if it cannot be written; nothing incomplete is left under a final name.
void save_adapter(LanguageModel const& model, std::filesystem::path const& directory);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include <zeroth_model/io/tensor_type.hpp>

#include "language_model.hpp"
#include "options/options.hpp"

namespace zeroth::cli {

/// Bytes that a saved model takes on disk at the least: its weights.
[[nodiscard]] std::uint64_t saved_bytes(LanguageModel const& model, SaveFormat format,
                                        std::optional<model::TensorType> dtype = std::nullopt);

/// Checks before a run that the form can hold such a model, as far as configuration and tokenizer go.
/// @param scratch a name beside which a file may be made, and is removed again
/// @throws InvalidArgument if not, InvalidFile as ModelSource::keep_files() does.
void check_form(LanguageModel const& model, SaveFormat format, std::filesystem::path const& scratch);

/// Saves the model as the folder `directory`, in place of an earlier one: safetensors with configuration and tokenizer
/// as Hugging Face transformers loads them, model.gguf, or both.
///
/// A model that came as a Hugging Face folder keeps its config.json, but for the type of the weights, and its
/// tokenizer's files as they are; one that came as GGUF keeps its metadata: all as it was when
/// ModelSource::keep_files() was called. The folder gets its name when everything is in it.
/// @param dtype of the weights: f32, f16 or bf16; nothing: each tensor in the type that it is held in
/// @throws InvalidFile if it cannot be written; nothing incomplete is left under a final name.
/// @throws InvalidArgument if the form cannot hold such a model.
void save_model(LanguageModel const& model, SaveFormat format, std::optional<model::TensorType> dtype,
                std::filesystem::path const& directory);

/// Saves the model as one GGUF file; else as above.
void save_gguf_file(LanguageModel const& model, std::optional<model::TensorType> dtype,
                    std::filesystem::path const& file);

/// Saves the model's adapter as the folder `directory`, in place of an earlier one, as PEFT loads it.
/// @throws InvalidFile if it cannot be written; nothing incomplete is left under a final name.
void save_adapter(LanguageModel const& model, std::filesystem::path const& directory);

}  // namespace zeroth::cli

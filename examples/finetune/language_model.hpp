// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>

#include <zeroth/executor.hpp>
#include <zeroth/model/any_decoder.hpp>
#include <zeroth/model/decoder_weights.hpp>
#include <zeroth/model/format/gguf.hpp>
#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>

#include "options.hpp"

namespace zeroth::cli {

/// The GGUF file that a --model option means: the file itself, or model.gguf in the folder of a fine-tuned model.
/// @throws InvalidFile if the folder holds no such file.
[[nodiscard]] std::filesystem::path model_file(std::filesystem::path const& path);

/// A model in memory, and the file it came from, mapped, for what a saved model takes over from it.
struct LanguageModel {
  model::GgufFile file;
  model::BytePairTokenizer tokenizer;
  model::DecoderWeights weights;

  /// @param path see model_file
  /// @throws InvalidFile naming file, field or tensor, if the file is not a model that can be run.
  explicit LanguageModel(std::filesystem::path const& path);
};

/// A decoder over those weights on that backend.
[[nodiscard]] model::AnyDecoder make_decoder(model::DecoderWeights const& weights, DecoderBackend backend,
                                             AnyExecutor executor);

}  // namespace zeroth::cli

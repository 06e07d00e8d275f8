// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>

#include <zeroth/executor.hpp>
#include <zeroth/model/any_decoder.hpp>
#include <zeroth/model/decoder_weights.hpp>

#include "model_source.hpp"
#include "options.hpp"
#include "tokenizer.hpp"

namespace zeroth::cli {

/// The tokenizer that lies beside a model's weights.
/// @throws InvalidFile naming file and key, if it is of a kind that is not known.
[[nodiscard]] Tokenizer tokenizer_of(ModelSource const& source);

/// A model in memory, and where it came from, mapped, for what a saved model takes over from it.
struct LanguageModel {
  ModelSource source;
  Tokenizer tokenizer;
  model::DecoderWeights weights;

  /// @param path see ModelSource
  /// @param dtype of the matrices, see model::DecoderWeights
  /// @throws InvalidFile naming file, field or tensor, if the file is not a model that can be run.
  explicit LanguageModel(std::filesystem::path const& path, DataType dtype = DataType::f32);
};

/// A decoder over those weights on that backend.
[[nodiscard]] model::AnyDecoder make_decoder(model::DecoderWeights const& weights, DecoderBackend backend,
                                             AnyExecutor executor);

}  // namespace zeroth::cli

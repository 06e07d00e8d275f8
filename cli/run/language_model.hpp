// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <zeroth/executor.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/decoder/any_decoder.hpp>
#include <zeroth_model/io/peft/load_peft.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

#include "device/gpu.hpp"
#include "model_source.hpp"
#include "options/options.hpp"
#include "tokenizer.hpp"

namespace zeroth::cli {

/// The tokenizer that is stored with a model's weights.
/// @throws InvalidFile naming file and key, if it is of an unknown kind.
[[nodiscard]] Tokenizer tokenizer_of(ModelSource const& source);

/// A model in memory and its source, from which a saved model takes its metadata and tokenizer files.
struct LanguageModel {
  std::shared_ptr<Gpu const> gpu;  ///< where the weights are; null: in the host's memory
  ModelSource source;
  Tokenizer tokenizer;
  std::vector<std::int32_t> end_tokens;  ///< at which a generation ends, the tokenizer's eos first
  model::DecoderWeights weights;
  std::optional<model::LoraAdapter> adapter;
  std::string base_model;  ///< what a loaded adapter calls its base model; may be empty

  /// @param dtype of the matrices, see model::DecoderWeights; an adapter is f32
  /// @param cuda_device see open_gpu
  /// @throws InvalidFile naming file, field or tensor, if the files are not a model that can be run or not an adapter
  ///   of it; and as open_gpu does
  explicit LanguageModel(ModelOptions const& options, DataType dtype = DataType::f32,
                         std::optional<std::uint32_t> cuda_device = {});

  /// The model that a run begins with; with `random_model`, one of that shape with random weights and the tokenizer of
  /// `model`. If it is to be saved, the metadata and files that saving takes over are in memory: see
  /// ModelSource::keep_files().
  /// @throws InvalidArgument if there is no such shape, and as above
  explicit LanguageModel(FinetuneOptions const& options);

  /// Loads it again with those options, from the files that were opened at first. The present weights are freed before
  /// that; nothing may refer to them.
  /// @throws InvalidFile if the files were written to since.
  void load_again(FinetuneOptions const& options);

  /// Whether a generation ends at that token.
  [[nodiscard]] bool is_end(std::int32_t token) const noexcept {
    return std::find(end_tokens.begin(), end_tokens.end(), token) != end_tokens.end();
  }

  /// What is tuned: the adapter if there is one, otherwise all weights.
  [[nodiscard]] ParameterSet const& tuned() const noexcept {
    return adapter ? adapter->parameters() : weights.parameters();
  }

  /// Bytes of the adapter; 0 if there is none.
  [[nodiscard]] std::uint64_t adapter_bytes() const noexcept { return adapter ? adapter->parameters().bytes() : 0; }

  /// Merges the adapter into the weights, for a model that is to be saved. Decoders over it become invalid.
  void merge_adapter();

 private:
  [[nodiscard]] model::DecoderWeights first_weights(FinetuneOptions const& options) const;
  void check_vocabulary() const;
  void load_adapter();

  std::optional<model::PeftFolder> adapter_files_;  // of a loaded adapter
};

/// A decoder over the model, its adapter included, on that backend. Refers to the model.
/// @throws InvalidArgument naming the option, if the backend is not in this build or cannot multiply in that type.
[[nodiscard]] model::AnyDecoder make_decoder(LanguageModel const& model, ComputeOptions const& options,
                                             AnyExecutor executor);

}  // namespace zeroth::cli

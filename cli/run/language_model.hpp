// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <zeroth/executor.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth_model/adapter/block_scales.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/adapter/sparse_delta.hpp>
#include <zeroth_model/decoder/any_decoder.hpp>
#include <zeroth_model/io/model_source.hpp>
#include <zeroth_model/io/peft/load_peft.hpp>
#include <zeroth_model/open_model.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

#include "device/gpu.hpp"
#include "options/options.hpp"
#include "tokenizer.hpp"

namespace zeroth::cli {

/// The tokenizer that is stored with a model's weights, of any kind that this build supports.
/// @throws InvalidFile naming file and key, if it is of an unknown kind.
[[nodiscard]] Tokenizer tokenizer_of(model::ModelSource const& source);

/// What holds the weights of a model. A base of LanguageModel, so that it outlives them.
struct WeightsHolder {
  std::shared_ptr<Gpu const> gpu;  ///< null: the host's memory
};

/// A model in memory, and what lies beside its weights and changes them.
struct LanguageModel : WeightsHolder, model::Model {
  // At most one of these.
  std::optional<model::LoraAdapter> adapter;
  std::optional<model::SparseDelta> delta;
  std::optional<model::BlockScales> scales;

  std::string base_model;  ///< what a loaded adapter calls its base model; may be empty

  /// @param dtype of the matrices, see model::DecoderWeights; an adapter is f32
  /// @param cuda_device see open_gpu
  /// @param as_stored the weights are only read: they stay in the files, see model::ModelSource::map()
  /// @throws InvalidFile naming file, field or tensor, if the files are not a model that can be run or not an adapter
  ///   of it; and as open_gpu does
  explicit LanguageModel(ModelOptions const& options, DataType dtype = DataType::f32,
                         std::optional<std::uint32_t> cuda_device = {}, bool as_stored = false);

  /// The model that a run begins with; with `random_model`, one of that shape with random weights and the tokenizer of
  /// `model`. If it is to be saved, the metadata and files that saving takes over are in memory: see
  /// ModelSource::keep_files().
  /// @throws InvalidArgument if there is no such shape, and as above
  explicit LanguageModel(FinetuneOptions const& options);

  /// Loads it again with those options, from the files that were opened at first. The present weights are freed before
  /// that; nothing may refer to them.
  /// @throws InvalidFile if the files were written to since.
  void load_again(FinetuneOptions const& options);

  /// What is tuned: what lies beside the weights if there is something, otherwise all of them.
  [[nodiscard]] ParameterSet const& tuned() const noexcept {
    if (adapter) return adapter->parameters();
    if (delta) return delta->parameters();
    return scales ? scales->parameters() : weights.parameters();
  }

  /// Whether the weights are only read, and what is tuned lies beside them.
  [[nodiscard]] bool tunes_beside() const noexcept { return adapter || delta || scales; }

  /// Bytes of what lies beside the weights; 0 if there is nothing.
  [[nodiscard]] std::uint64_t beside_bytes() const noexcept {
    return delta ? delta->bytes() : tunes_beside() ? tuned().bytes() : 0;
  }

  /// Lets the weights be read with what is tuned beside them: merges an adapter into the weights, for a model that is
  /// to be saved; weights that stayed in their files are loaded for it. Decoders over it become invalid.
  /// @throws InvalidFile if the files were written to since they were opened
  void merge();

 private:
  void load_adapter();

  std::optional<model::PeftFolder> adapter_files_;  // of a loaded adapter
};

/// A decoder over the model, its adapter included, on that backend. Refers to the model.
/// @throws InvalidArgument naming the option, if the backend is not in this build or cannot multiply in that type.
[[nodiscard]] model::AnyDecoder make_decoder(LanguageModel const& model, ComputeOptions const& options,
                                             AnyExecutor executor);

}  // namespace zeroth::cli

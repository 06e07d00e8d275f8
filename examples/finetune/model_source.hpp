// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include <zeroth/model/decoder_weights.hpp>
#include <zeroth/model/format/gguf.hpp>
#include <zeroth/model/format/json_file.hpp>
#include <zeroth/model/format/safetensors_checkpoint.hpp>

namespace zeroth::cli {

/// A tensor as it lies on disk.
struct StoredTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  ///< the slowest size first
  std::string dtype;
  std::uint64_t bytes;
};

/// A folder as Hugging Face transformers saves a model.
struct HuggingFaceFolder {
  std::filesystem::path path;
  model::JsonValue config;  ///< config.json
  model::SafetensorsCheckpoint checkpoint;
};

/// What a --model option names: a GGUF file, or a folder with model.gguf or with config.json and safetensors.
///
/// Opening it reads headers and configuration; weights are read by load().
class ModelSource {
 public:
  /// @throws InvalidFile naming file, key or tensor, if it is not a model that can be run.
  explicit ModelSource(std::filesystem::path const& path);

  /// The GGUF file or the folder, for messages.
  [[nodiscard]] std::string path() const;

  /// "GGUF" or "safetensors".
  [[nodiscard]] std::string format() const;

  [[nodiscard]] model::DecoderConfig const& config() const noexcept { return config_; }

  [[nodiscard]] std::vector<StoredTensor> tensors() const;

  /// The weights, matrices as `dtype`, in that memory.
  [[nodiscard]] model::DecoderWeights load(DataType dtype, model::WeightMemory memory) const;

  /// The file, or null if the model is a Hugging Face folder.
  [[nodiscard]] model::GgufFile const* gguf() const noexcept { return std::get_if<model::GgufFile>(&source_); }

  /// The folder, or null if the model is a GGUF file.
  [[nodiscard]] HuggingFaceFolder const* folder() const noexcept { return std::get_if<HuggingFaceFolder>(&source_); }

 private:
  std::variant<model::GgufFile, HuggingFaceFolder> source_;
  model::DecoderConfig config_;
};

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/safetensors/safetensors_checkpoint.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::cli {

/// A tensor as stored on disk.
struct StoredTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  ///< slowest dimension first
  std::string dtype;
  std::uint64_t bytes;
};

/// A folder as Hugging Face transformers saves a model.
struct HuggingFaceFolder {
  /// @throws InvalidFile if config.json or the safetensors cannot be opened.
  explicit HuggingFaceFolder(std::filesystem::path const& folder);

  std::filesystem::path path;
  std::filesystem::path absolute_path;
  std::string config_text;  ///< config.json
  model::JsonValue config;
  model::SafetensorsCheckpoint checkpoint;
  std::optional<std::map<std::string, std::string>> files;  ///< what ModelSource::keep_files() read
};

/// What the option --model names: a GGUF file, or a folder with model.gguf or with config.json and safetensors.
///
/// Opening it reads headers and configuration. Each call of load() reads the weights, from the files that were opened:
/// if they are removed or replaced meanwhile, nothing changes.
class ModelSource {
 public:
  /// @throws InvalidFile naming file, key or tensor, if it is not a supported model.
  explicit ModelSource(std::filesystem::path const& path);

  /// The GGUF file or the folder, for messages.
  [[nodiscard]] std::string path() const;

  /// "GGUF" or "safetensors".
  [[nodiscard]] std::string format() const;

  [[nodiscard]] model::DecoderConfig const& config() const noexcept { return config_; }

  [[nodiscard]] std::vector<StoredTensor> tensors() const;

  /// Reads what a saved model takes over into memory, so that the files may be changed or removed: the metadata of
  /// GGUF, or the tokenizer's and similar files of a folder.
  /// @throws InvalidFile as model::read_carried_files() does.
  void keep_files();

  /// @throws InvalidFile if the files with the weights were written to since they were opened.
  void require_unchanged() const;

  /// The weights in that memory, with matrices stored as `dtype`.
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

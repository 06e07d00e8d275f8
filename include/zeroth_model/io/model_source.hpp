// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/file_status.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>
#include <zeroth_model/io/hugging_face/folder_files.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_tensors.hpp>
#include <zeroth_model/io/hugging_face/load_hugging_face.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/mapped_file.hpp>
#include <zeroth_model/io/safetensors/safetensors_checkpoint.hpp>
#include <zeroth_model/weights/decoder_config.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>
#include <zeroth_model/weights/weight_memory.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A tensor as stored on disk.
struct StoredTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  ///< slowest dimension first
  std::string dtype;
  std::uint64_t bytes;
};

/// A folder in the format of Hugging Face transformers' saved models.
struct HuggingFaceFolder {
  /// @throws InvalidFile if config.json or the safetensors cannot be opened.
  explicit HuggingFaceFolder(std::filesystem::path const& folder)
      : path(folder),
        absolute_path(std::filesystem::absolute(folder)),
        config_text(read_file((folder / "config.json").string(), JsonLimits{}.bytes)),
        config(JsonValue::parse(config_text, (folder / "config.json").string())),
        checkpoint(folder) {}

  std::filesystem::path path;
  std::filesystem::path absolute_path;
  std::string config_text;  ///< config.json
  JsonValue config;
  SafetensorsCheckpoint checkpoint;
  std::optional<std::map<std::string, std::string>> files;  ///< read by ModelSource::keep_files()

  /// The files that a saved model carries over: the kept ones, otherwise those that exist now.
  [[nodiscard]] std::map<std::string, std::string> carried_files() const {
    return files ? *files : read_carried_files(path);
  }
};

/// The files of a model: a GGUF file, or a folder with model.gguf or with config.json and safetensors.
///
/// Opening it reads headers and configuration. Each call of load() reads the weights from the files opened then:
/// removing or replacing them in the meantime changes nothing.
class ModelSource {
 public:
  /// @throws InvalidFile naming file, key or tensor, if this is not a supported model.
  explicit ModelSource(std::filesystem::path const& path) : files_(open(path)), config_(read_config()) {}

  /// The GGUF file or the folder, for messages.
  [[nodiscard]] std::string path() const { return gguf() != nullptr ? gguf()->path() : folder()->path.string(); }

  /// "GGUF" or "safetensors".
  [[nodiscard]] std::string format() const { return gguf() != nullptr ? "GGUF" : "safetensors"; }

  [[nodiscard]] DecoderConfig const& config() const noexcept { return config_; }

  [[nodiscard]] std::vector<StoredTensor> tensors() const {
    std::vector<StoredTensor> list;
    if (gguf() != nullptr) {
      for (GgufTensor const& tensor : gguf()->tensors())
        list.push_back({std::string(tensor.name),
                        // Rows first; GGUF stores the sizes in the opposite order.
                        {tensor.dims.rbegin(), tensor.dims.rend()},
                        std::string(find_tensor_type(static_cast<std::uint32_t>(tensor.type))->name),
                        tensor.bytes});
    } else {
      for (SafetensorsTensor const& tensor : folder()->checkpoint.tensors())
        list.push_back({tensor.name, tensor.shape, tensor.dtype, tensor.bytes});
    }
    return list;
  }

  /// The parameters of the loaded weights, by the names that the files give their tensors; a tied head is the
  /// embedding.
  [[nodiscard]] std::map<std::string, std::size_t> parameters_by_name() const {
    std::map<std::string, std::size_t> parameters;
    DecoderTensors tensors;
    std::vector<TensorSpec> const specs = tensor_specs(config_, &tensors);
    if (gguf() != nullptr) {
      for (std::size_t i = 0; i < specs.size(); ++i) parameters[specs[i].name] = i;
      return parameters;
    }
    for (HuggingFaceTensor const& tensor : detail::checkpoint_tensors(folder()->checkpoint, config_, tensors))
      parameters[tensor.name] = tensor.parameter;
    if (config_.tied_head) parameters[std::string(detail::hugging_face_head)] = tensors.embedding;
    return parameters;
  }

  /// Reads everything that a saved model carries over into memory, so that the files may be changed or removed: the
  /// metadata of GGUF, or the tokenizer's and similar files of a folder.
  /// @throws InvalidFile as read_carried_files() does.
  void keep_files() {
    if (auto* const gguf = std::get_if<GgufFile>(&files_)) return gguf->keep_header();
    auto& folder = std::get<HuggingFaceFolder>(files_);
    if (!folder.files) folder.files = read_carried_files(folder.path);
  }

  /// @throws InvalidFile if the weight files were written to since they were opened.
  void require_unchanged() const {
    if (gguf() != nullptr) return gguf()->require_unchanged();
    folder()->checkpoint.require_unchanged();
  }

  /// The weights in that memory, with matrices stored as `dtype`.
  [[nodiscard]] DecoderWeights load(DataType dtype = DataType::f32, WeightMemory memory = {}) const {
    if (gguf() != nullptr) return load_gguf(*gguf(), dtype, std::move(memory));
    return load_hugging_face(folder()->checkpoint, config_, folder()->config.file_name(), dtype, std::move(memory));
  }

  /// The weights held as the files store them, which reads none: see DecoderWeights. This object, or the one that it is
  /// moved to, must outlive them.
  [[nodiscard]] DecoderWeights map() const {
    if (gguf() != nullptr) return map_gguf(*gguf());
    return map_hugging_face(folder()->checkpoint, config_, folder()->config.file_name());
  }

  /// The file, or null if the model is a Hugging Face folder.
  [[nodiscard]] GgufFile const* gguf() const noexcept { return std::get_if<GgufFile>(&files_); }

  /// The folder, or null if the model is a GGUF file.
  [[nodiscard]] HuggingFaceFolder const* folder() const noexcept { return std::get_if<HuggingFaceFolder>(&files_); }

 private:
  using Files = std::variant<GgufFile, HuggingFaceFolder>;

  static Files open(std::filesystem::path const& path) {
    if (!is_folder(path)) return GgufFile(path.string());
    // If a model was saved in both formats, use the GGUF file: its rows have the order of the GGUF file it came from.
    if (path_exists(path / "model.gguf")) return GgufFile((path / "model.gguf").string());
    if (path_exists(path / "config.json")) return HuggingFaceFolder(path);
    throw InvalidFile(path.string() + ": expected a GGUF file, or a folder with model.gguf or with config.json and " +
                      "safetensors, found a folder with neither");
  }

  [[nodiscard]] DecoderConfig read_config() const {
    if (gguf() != nullptr) return read_decoder_config(*gguf());
    return read_hugging_face_config(folder()->config, folder()->checkpoint);
  }

  Files files_;
  DecoderConfig config_;
};

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#include "model_source.hpp"

#include <utility>

#include <zeroth/error.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>
#include <zeroth_model/io/hugging_face/folder_files.hpp>
#include <zeroth_model/io/hugging_face/load_hugging_face.hpp>
#include <zeroth_model/io/mapped_file.hpp>
#include <zeroth_model/io/tensor_type.hpp>

#include "io/paths.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

std::variant<model::GgufFile, HuggingFaceFolder> open_source(fs::path const& path) {
  if (!is_folder(path)) return model::GgufFile(path.string());
  // If a model was saved in both formats, the GGUF file: its rows are in the order of the GGUF file it came from.
  if (path_exists(path / "model.gguf")) return model::GgufFile((path / "model.gguf").string());
  if (path_exists(path / "config.json")) return HuggingFaceFolder(path);
  throw InvalidFile(path.string() + ": expected a GGUF file, or a folder with model.gguf or with config.json and " +
                    "safetensors, found a folder with neither");
}

model::DecoderConfig config_of(std::variant<model::GgufFile, HuggingFaceFolder> const& source) {
  if (auto const* const gguf = std::get_if<model::GgufFile>(&source)) return model::read_decoder_config(*gguf);
  auto const& folder = std::get<HuggingFaceFolder>(source);
  return model::read_hugging_face_config(folder.config, folder.checkpoint);
}

std::string read_config(fs::path const& folder) {
  return model::read_file((folder / "config.json").string(), model::JsonLimits{}.bytes);
}

}  // namespace

HuggingFaceFolder::HuggingFaceFolder(fs::path const& folder)
    : path(folder),
      absolute_path(fs::absolute(folder)),
      config_text(read_config(folder)),
      config(model::JsonValue::parse(config_text, (folder / "config.json").string())),
      checkpoint(folder) {}

ModelSource::ModelSource(fs::path const& path) : source_(open_source(path)), config_(config_of(source_)) {}

std::string ModelSource::path() const {
  return gguf() != nullptr ? gguf()->path() : folder()->path.string();
}

std::string ModelSource::format() const {
  return gguf() != nullptr ? "GGUF" : "safetensors";
}

std::vector<StoredTensor> ModelSource::tensors() const {
  std::vector<StoredTensor> list;
  if (gguf() != nullptr) {
    for (model::GgufTensor const& tensor : gguf()->tensors())
      list.push_back({std::string(tensor.name),
                      // Rows first; GGUF stores the sizes the other way round.
                      {tensor.dims.rbegin(), tensor.dims.rend()},
                      std::string(model::find_tensor_type(static_cast<std::uint32_t>(tensor.type))->name),
                      tensor.bytes});
  } else {
    for (model::SafetensorsTensor const& tensor : folder()->checkpoint.tensors())
      list.push_back({tensor.name, tensor.shape, tensor.dtype, tensor.bytes});
  }
  return list;
}

void ModelSource::keep_files() {
  if (auto* const gguf = std::get_if<model::GgufFile>(&source_)) return gguf->keep_header();
  auto& folder = std::get<HuggingFaceFolder>(source_);
  if (!folder.files) folder.files = model::read_carried_files(folder.path);
}

void ModelSource::require_unchanged() const {
  if (gguf() != nullptr) return gguf()->require_unchanged();
  folder()->checkpoint.require_unchanged();
}

model::DecoderWeights ModelSource::load(DataType dtype, model::WeightMemory memory) const {
  if (gguf() != nullptr) return model::load_gguf(*gguf(), dtype, std::move(memory));
  return model::load_hugging_face(folder()->checkpoint, config_, folder()->config.file_name(), dtype,
                                  std::move(memory));
}

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/decoder_weights.hpp>
#include <zeroth/model/format/json_file.hpp>
#include <zeroth/model/format/safetensors_checkpoint.hpp>
#include <zeroth/model/hugging_face_config.hpp>
#include <zeroth/model/hugging_face_tensors.hpp>
#include <zeroth/model/load_tensor.hpp>

namespace zeroth::model {

namespace detail {

/// Tensors of older checkpoints that repeat what the configuration says.
inline bool is_derived_tensor(std::string_view name) noexcept {
  return name.ends_with("rotary_emb.inv_freq");
}

inline std::string sizes_text(std::span<std::uint64_t const> sizes) {
  if (sizes.empty()) return "a scalar";
  std::string text;
  for (std::uint64_t size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

}  // namespace detail

/// Loads the decoder of a Hugging Face checkpoint, F32, F16 or BF16, part by part, rounded to nearest where matrices
/// are to be of another type; the files' pages do not stay in memory. A checkpoint of the bare model, whose names lack
/// the first "model.", is loaded too.
///
/// @param json its config.json
/// @param dtype of the matrices, see DecoderWeights
/// @param memory where they are to lie
/// @throws InvalidFile as read_hugging_face_config() does, and if a tensor is missing, has another shape or type, or is
///   not part of the architecture.
[[nodiscard]] inline DecoderWeights load_hugging_face(SafetensorsCheckpoint const& checkpoint, JsonValue const& json,
                                                      DataType dtype = DataType::f32, WeightMemory memory = {}) {
  DecoderConfig config = read_hugging_face_config(json);
  if (config.layers > checkpoint.tensors().size())
    throw json.get("num_hidden_layers")
        .mismatch("no more layers than tensors, " + std::to_string(checkpoint.tensors().size()));
  DecoderTensors tensors;
  std::vector<TensorSpec> const specs = tensor_specs(config, &tensors);

  std::vector<HuggingFaceTensor> list = hugging_face_tensors(config, tensors);
  constexpr std::string_view root = "model.";
  if (checkpoint.find_tensor(list.front().name) == nullptr &&
      checkpoint.find_tensor(list.front().name.substr(root.size())) != nullptr)
    for (HuggingFaceTensor& tensor : list)
      if (tensor.name.starts_with(root)) tensor.name.erase(0, root.size());

  std::unordered_set<std::string_view> known;
  for (HuggingFaceTensor const& wanted : list) {
    SafetensorsTensor const& found = checkpoint.tensor(wanted.name);
    TensorSpec const& spec = specs[wanted.parameter];
    std::vector<std::uint64_t> expected{spec.shape.columns};
    if (spec.role != Role::vector) expected.insert(expected.begin(), spec.shape.rows);
    if (found.shape != expected)
      throw InvalidFile(checkpoint.path() + ": tensor '" + wanted.name + "': expected " + detail::sizes_text(expected) +
                        ", found " + detail::sizes_text(found.shape));
    if (found.dtype != "F32" && found.dtype != "F16" && found.dtype != "BF16")
      throw InvalidFile(checkpoint.path() + ": tensor '" + wanted.name + "': expected F32, F16 or BF16, found " +
                        found.dtype);
    known.insert(wanted.name);
  }
  if (config.tied_head) known.insert("lm_head.weight");  // a copy of the embedding, in some checkpoints
  for (SafetensorsTensor const& tensor : checkpoint.tensors())
    if (!known.contains(tensor.name) && !detail::is_derived_tensor(tensor.name))
      throw InvalidFile(checkpoint.path() + ": tensor '" + detail::printable(tensor.name) +
                        "' is not part of a decoder of architecture '" + config.architecture + "' with this " +
                        "config.json");

  DecoderWeights weights(std::move(config), json.file_name(), dtype, std::move(memory));
  for (HuggingFaceTensor const& wanted : list) {
    SafetensorsTensor const& tensor = checkpoint.tensor(wanted.name);
    TensorType const type = tensor.dtype == "F32"   ? TensorType::f32
                            : tensor.dtype == "F16" ? TensorType::f16
                                                    : TensorType::bf16;
    detail::load_tensor(type, checkpoint.bytes(tensor), weights, wanted.parameter, checkpoint.path());
    checkpoint.release(tensor);
  }
  return weights;
}

/// Loads the decoder of a folder as Hugging Face transformers saves it: config.json and safetensors in one file or
/// several.
/// @throws InvalidFile as above and as SafetensorsCheckpoint does.
[[nodiscard]] inline DecoderWeights load_hugging_face(std::filesystem::path const& folder,
                                                      DataType dtype = DataType::f32, WeightMemory memory = {}) {
  JsonValue const config = JsonValue::load((folder / "config.json").string());
  return load_hugging_face(SafetensorsCheckpoint(folder), config, dtype, std::move(memory));
}

}  // namespace zeroth::model

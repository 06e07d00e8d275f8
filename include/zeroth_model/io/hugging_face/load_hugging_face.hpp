// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_config.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_tensors.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/load_tensor.hpp>
#include <zeroth_model/io/safetensors/safetensors_checkpoint.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/weights/decoder_config.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Tensors of older checkpoints that only repeat the configuration.
inline bool is_derived_tensor(std::string_view name) noexcept {
  return name.ends_with("rotary_emb.inv_freq");
}

inline std::string sizes_text(std::span<std::uint64_t const> sizes) {
  if (sizes.empty()) return "a scalar";
  std::string text;
  for (std::uint64_t size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

/// The head of a checkpoint, which lies outside the decoder proper.
inline constexpr std::string_view hugging_face_head = "lm_head.weight";

/// The type of a tensor whose values will be read.
/// @throws InvalidFile naming the tensor, if it is not one that is read
inline TensorType weights_type(SafetensorsCheckpoint const& checkpoint, SafetensorsTensor const& tensor) {
  if (tensor.dtype == "F32") return TensorType::f32;
  if (tensor.dtype == "F16") return TensorType::f16;
  if (tensor.dtype == "BF16") return TensorType::bf16;
  throw InvalidFile(checkpoint.path() + ": tensor '" + printable(tensor.name) + "': expected F32, F16 or BF16, found " +
                    printable(tensor.dtype));
}

/// A tensor of the checkpoint, if it has the shape that the decoder expects.
inline SafetensorsTensor const& tensor_of_shape(SafetensorsCheckpoint const& checkpoint, std::string const& name,
                                                TensorSpec const& spec) {
  SafetensorsTensor const& found = checkpoint.tensor(name);
  std::vector<std::uint64_t> expected{spec.shape.columns};
  if (spec.role != Role::vector) expected.insert(expected.begin(), spec.shape.rows);
  if (found.shape != expected)
    throw InvalidFile(checkpoint.path() + ": tensor '" + name + "': expected " + sizes_text(expected) + ", found " +
                      sizes_text(found.shape));
  static_cast<void>(weights_type(checkpoint, found));
  return found;
}

/// Whether two tensors of the same shape have the same values, whatever their types. Reads them part by part, up to the
/// first difference.
inline bool same_values(SafetensorsCheckpoint const& checkpoint, SafetensorsTensor const& a,
                        SafetensorsTensor const& b) {
  if (&a == &b) return true;
  TensorType const types[] = {weights_type(checkpoint, a), weights_type(checkpoint, b)};
  constexpr std::size_t part_values = 16384;
  std::vector<float> parts[] = {std::vector<float>(std::min(part_values, a.values)), {}};
  parts[1].resize(parts[0].size());
  bool same = true;
  for (std::size_t first = 0; same && first < a.values; first += part_values) {
    std::size_t const count = std::min(part_values, a.values - first);
    SafetensorsTensor const* const tensors[] = {&a, &b};
    for (std::size_t i = 0; i < 2; ++i) {
      std::size_t const size = tensors[i]->bytes / tensors[i]->values;
      dequantize(types[i], checkpoint.bytes(*tensors[i]).subspan(first * size, count * size),
                 std::span(parts[i]).first(count));
    }
    same = std::equal(parts[0].begin(), parts[0].begin() + static_cast<std::ptrdiff_t>(count), parts[1].begin());
  }
  checkpoint.release(a);
  checkpoint.release(b);
  return same;
}

/// The tensors that a checkpoint with that configuration must have. In a checkpoint of the bare model, names lack the
/// first "model."; of a tied head and its embedding, either one may be present.
inline std::vector<HuggingFaceTensor> checkpoint_tensors(SafetensorsCheckpoint const& checkpoint,
                                                         DecoderConfig const& config, DecoderTensors const& tensors) {
  std::vector<HuggingFaceTensor> list = hugging_face_tensors(config, tensors);
  constexpr std::string_view root = "model.";
  for (HuggingFaceTensor const& tensor : list) {
    if (checkpoint.find_tensor(tensor.name) != nullptr) break;
    if (!tensor.name.starts_with(root) || checkpoint.find_tensor(tensor.name.substr(root.size())) == nullptr) continue;
    for (HuggingFaceTensor& wanted : list)
      if (wanted.name.starts_with(root)) wanted.name.erase(0, root.size());
    break;
  }
  if (config.tied_head && checkpoint.find_tensor(list.front().name) == nullptr &&
      checkpoint.find_tensor(hugging_face_head) != nullptr)
    list.front().name = hugging_face_head;
  return list;
}

}  // namespace detail

/// The configuration of the decoder of a Hugging Face checkpoint, from its config.json and its weights: as in
/// transformers 5, a head that differs from the embedding is a head of its own, even if config.json has
/// `tie_word_embeddings`.
///
/// @throws InvalidFile as read_hugging_face_config() of config.json does, and if the checkpoint cannot have that many
///   layers, or a tied head has another shape or type.
[[nodiscard]] inline DecoderConfig read_hugging_face_config(JsonValue const& json,
                                                            SafetensorsCheckpoint const& checkpoint) {
  DecoderConfig config = read_hugging_face_config(json);
  if (config.layers > checkpoint.tensors().size())
    throw json.get("num_hidden_layers")
        .mismatch("no more layers than tensors, " + std::to_string(checkpoint.tensors().size()));
  if (!config.tied_head || checkpoint.find_tensor(detail::hugging_face_head) == nullptr) return config;
  DecoderTensors tensors;
  std::vector<TensorSpec> const specs = tensor_specs(config, &tensors);
  TensorSpec const& spec = specs[tensors.embedding];
  std::string const embedding = detail::checkpoint_tensors(checkpoint, config, tensors).front().name;
  config.tied_head =
      detail::same_values(checkpoint, detail::tensor_of_shape(checkpoint, embedding, spec),
                          detail::tensor_of_shape(checkpoint, std::string(detail::hugging_face_head), spec));
  return config;
}

namespace detail {

/// The tensors of a checkpoint that hold the weights of a decoder, in the order of hugging_face_tensors().
/// @throws InvalidFile if one is missing, has another shape or type, or is not part of the decoder
inline std::vector<HuggingFaceTensor> require_tensors(SafetensorsCheckpoint const& checkpoint,
                                                      DecoderConfig const& config) {
  DecoderTensors tensors;
  std::vector<TensorSpec> const specs = tensor_specs(config, &tensors);
  std::vector<HuggingFaceTensor> list = checkpoint_tensors(checkpoint, config, tensors);
  std::unordered_set<std::string_view> known;
  for (HuggingFaceTensor const& wanted : list) {
    static_cast<void>(tensor_of_shape(checkpoint, wanted.name, specs[wanted.parameter]));
    known.insert(wanted.name);
  }
  if (config.tied_head) known.insert(hugging_face_head);  // a copy of the embedding, in some checkpoints
  for (SafetensorsTensor const& tensor : checkpoint.tensors())
    if (!known.contains(tensor.name) && !is_derived_tensor(tensor.name))
      throw InvalidFile(checkpoint.path() + ": tensor '" + printable(tensor.name) +
                        "' is not part of a decoder of architecture '" + config.architecture + "' with this " +
                        "config.json");
  return list;
}

}  // namespace detail

/// Loads the decoder of a Hugging Face checkpoint, F32, F16 or BF16, part by part, rounded to nearest for matrices of
/// another type; the files' pages do not stay in memory. A checkpoint of the bare model, whose names lack the first
/// "model.", is also loaded.
///
/// @param config result of read_hugging_face_config() for the checkpoint
/// @param source what messages about `config` name: its config.json
/// @param dtype of the matrices, see DecoderWeights
/// @param memory where the weights lie
/// @throws InvalidFile if a tensor is missing, has another shape or type, or is not part of the architecture.
[[nodiscard]] inline DecoderWeights load_hugging_face(SafetensorsCheckpoint const& checkpoint, DecoderConfig config,
                                                      std::string const& source, DataType dtype = DataType::f32,
                                                      WeightMemory memory = {}) {
  std::vector<HuggingFaceTensor> const list = detail::require_tensors(checkpoint, config);
  DecoderWeights weights(std::move(config), source, dtype, std::move(memory));
  for (HuggingFaceTensor const& wanted : list) {
    SafetensorsTensor const& tensor = checkpoint.tensor(wanted.name);
    detail::load_tensor(detail::weights_type(checkpoint, tensor), checkpoint.bytes(tensor), weights, wanted.parameter,
                        checkpoint.path());
    checkpoint.release(tensor);
  }
  return weights;
}

/// The decoder of a Hugging Face checkpoint with its weights held as the files store them: see map_gguf().
/// @param checkpoint must outlive the weights; it may be moved
/// @throws InvalidFile as load_hugging_face() does
[[nodiscard]] inline DecoderWeights map_hugging_face(SafetensorsCheckpoint const& checkpoint, DecoderConfig config,
                                                     std::string const& source) {
  std::vector<StoredValues> stored(tensor_specs(config).size());
  for (HuggingFaceTensor const& wanted : detail::require_tensors(checkpoint, config)) {
    SafetensorsTensor const& tensor = checkpoint.tensor(wanted.name);
    stored[wanted.parameter] = {detail::weights_type(checkpoint, tensor), checkpoint.bytes(tensor)};
  }
  return {std::move(config), source, stored};
}

/// As above, with the configuration read from config.json and the weights.
/// @param json the checkpoint's config.json
/// @throws InvalidFile as above and as read_hugging_face_config() does
[[nodiscard]] inline DecoderWeights load_hugging_face(SafetensorsCheckpoint const& checkpoint, JsonValue const& json,
                                                      DataType dtype = DataType::f32, WeightMemory memory = {}) {
  return load_hugging_face(checkpoint, read_hugging_face_config(json, checkpoint), json.file_name(), dtype,
                           std::move(memory));
}

/// Loads the decoder of a folder as Hugging Face transformers saves it: config.json and safetensors in one file or
/// several.
/// @throws InvalidFile as above and as SafetensorsCheckpoint does.
[[nodiscard]] inline DecoderWeights load_hugging_face(std::filesystem::path const& folder,
                                                      DataType dtype = DataType::f32, WeightMemory memory = {}) {
  JsonValue const config = JsonValue::load((folder / "config.json").string());
  return load_hugging_face(SafetensorsCheckpoint(folder), config, dtype, std::move(memory));
}

}  // namespace zeroth::ZEROTH_ISA::model

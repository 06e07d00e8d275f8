// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_config.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_tensors.hpp>
#include <zeroth_model/io/safetensors/safetensors_folder_writer.hpp>
#include <zeroth_model/io/stored_rows.hpp>
#include <zeroth_model/weights/decoder_config.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The contents of a Hugging Face folder other than the weights.
struct HuggingFaceExtras {
  /// Text of a config.json to carry over, with the type of the weights updated; empty: a new one is written.
  std::string config_json;
  /// Files to write unchanged, by name: tokenizer.json, tokenizer_config.json, ...
  std::map<std::string, std::string> files;
  /// Token ids for a new config.json and generation_config.json. Generation ends at each of `eos`.
  std::optional<std::int32_t> bos;
  std::vector<std::int32_t> eos;
  std::optional<std::int32_t> padding;
};

namespace detail {

/// PyTorch's name for a type that a checkpoint can have.
inline char const* torch_dtype(TensorType type) noexcept {
  return type == TensorType::f16 ? "float16" : type == TensorType::bf16 ? "bfloat16" : "float32";
}

/// One id as a number, several as a list, none as null.
inline nlohmann::ordered_json ids_json(std::vector<std::int32_t> const& ids) {
  if (ids.empty()) return nullptr;
  return ids.size() == 1 ? nlohmann::ordered_json(ids[0]) : nlohmann::ordered_json(ids);
}

inline nlohmann::ordered_json config_json(DecoderConfig const& config, HuggingFaceExtras const& extras,
                                          TensorType type) {
  nlohmann::ordered_json json;
  if (extras.config_json.empty()) {
    auto const id = [](std::optional<std::int32_t> token) {
      return token ? nlohmann::ordered_json(*token) : nlohmann::ordered_json(nullptr);
    };
    json = hugging_face_config(config);
    json.update({{"bos_token_id", id(extras.bos)},
                 {"eos_token_id", ids_json(extras.eos)},
                 {"pad_token_id", id(extras.padding)}});
  } else {
    json = nlohmann::ordered_json::parse(extras.config_json, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) throw InvalidArgument("config.json to take over: expected a JSON object");
    // If config.json tied a head that the weights do not tie, versions before transformers 5 would lose the head.
    auto const tied = json.find("tie_word_embeddings");
    bool const otherwise = config.family().config.default_tied_head;
    bool const says_tied = tied == json.end() ? otherwise : *tied == true;
    if (says_tied && !config.tied_head) json["tie_word_embeddings"] = false;
  }
  // transformers 5 calls it dtype, transformers 4 torch_dtype.
  json[json.contains("dtype") ? "dtype" : "torch_dtype"] = torch_dtype(type);
  return json;
}

inline nlohmann::ordered_json generation_config_json(HuggingFaceExtras const& extras) {
  nlohmann::ordered_json json{{"_from_model_config", true}};
  if (extras.bos) json["bos_token_id"] = *extras.bos;
  if (!extras.eos.empty()) json["eos_token_id"] = ids_json(extras.eos);
  if (extras.padding) json["pad_token_id"] = *extras.padding;
  return json;
}

}  // namespace detail

/// Writes a folder that Hugging Face transformers loads: config.json, generation_config.json, model.safetensors (rows
/// of Q and K in Hugging Face's order), and what `extras` adds. The folder appears complete or not at all.
///
/// @param type to which all weights are rounded: F32, F16 or BF16; by default none: each tensor keeps its type in
///   memory, F32 tensors come first, and config.json names the type of the matrices
/// @param part_bytes most bytes of weights per file; larger models are split over several, see SafetensorsFolderWriter
/// @param add_files adds other files to the folder before it gets its name, at the paths that AtomicDirectory::file()
///   returns
/// @throws InvalidFile if it cannot be written, or if the folder exists and holds more than files; InvalidArgument as
///   hugging_face_config() does, and for any other type.
inline void save_hugging_face(std::filesystem::path const& folder, DecoderWeights const& weights,
                              HuggingFaceExtras const& extras = {}, std::optional<TensorType> type = std::nullopt,
                              std::uint64_t part_bytes = SafetensorsFolderWriter::default_part_bytes,
                              std::function<void(AtomicDirectory const&)> const& add_files = {}) {
  TensorType const matrices = type.value_or(tensor_type_of(weights.dtype()));
  AtomicDirectory directory(folder);
  auto write_text = [&](std::string const& name, std::string_view text) {
    AtomicFile file(directory.file(name));
    file.write(text);
    file.commit();
  };
  write_text("config.json", detail::config_json(weights.config(), extras, matrices).dump(2) + "\n");
  if (!extras.files.contains("generation_config.json"))
    write_text("generation_config.json", detail::generation_config_json(extras).dump(2) + "\n");
  for (auto const& [name, text] : extras.files) write_text(name, text);

  auto type_of = [&](HuggingFaceTensor const& tensor) {
    Role const role = weights.weight_tensors()[tensor.parameter].role;
    return type.value_or(tensor_type_of(DecoderWeights::dtype_of(role, weights.dtype())));
  };
  std::vector<HuggingFaceTensor> tensors = hugging_face_tensors(weights.config(), weights.tensors());
  // A file has no gaps, so tensors with the wider alignment come first.
  std::stable_partition(tensors.begin(), tensors.end(),
                        [&](HuggingFaceTensor const& tensor) { return type_of(tensor) == TensorType::f32; });
  SafetensorsFolderWriter writer(directory, part_bytes);
  for (HuggingFaceTensor const& tensor : tensors) {
    Shape const shape = weights.weight_tensors()[tensor.parameter].shape;
    std::array<std::uint64_t, 2> const sizes{shape.rows, shape.columns};
    bool const vector = weights.weight_tensors()[tensor.parameter].role == Role::vector;
    writer.add_tensor(tensor.name, std::span(sizes).last(vector ? 1 : 2), type_of(tensor));
  }
  DecoderConfig const& config = weights.config();
  for (HuggingFaceTensor const& tensor : tensors) {
    auto const stored_row = [&](std::size_t row) {
      return tensor.rotary ? stored_rotary_row(row, config.head_dim, config.pairing) : row;
    };
    float const added = tensor.gain ? config.gain_offset - (config.family().gains_less_one ? 1.0F : 0.0F) : 0.0F;
    detail::for_each_row(
        weights, tensor.parameter, stored_row, [&](std::span<float const> row) { writer.write(tensor.name, row); },
        added);
  }
  writer.commit();
  if (add_files) add_files(directory);
  directory.commit();
}

}  // namespace zeroth::ZEROTH_ISA::model

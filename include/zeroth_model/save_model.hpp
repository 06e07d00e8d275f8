// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/gguf/export_gguf.hpp>
#include <zeroth_model/io/gguf/gguf_writer.hpp>
#include <zeroth_model/io/hugging_face/export_hugging_face.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_config.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/model_format.hpp>
#include <zeroth_model/open_model.hpp>
#include <zeroth_model/tokenizer/from_gguf.hpp>

namespace zeroth::ZEROTH_ISA::model {
namespace detail {

/// The parts of the model's Hugging Face folder other than its weights.
inline HuggingFaceExtras extras_of(Model const& model) {
  HuggingFaceExtras extras;
  if (GgufFile const* const gguf = model.source.gguf()) {
    for (TokenizerFile const& file :
         model.tokenizer.hugging_face_files(model.weights.config().context_length, chat_template_from_gguf(*gguf)))
      extras.files[file.name] = file.text;
    extras.bos = model.tokenizer.bos();
    extras.eos = model.end_tokens;
    extras.padding = model.tokenizer.padding();
    return extras;
  }
  extras.config_json = model.source.folder()->config_text;
  extras.files = model.source.folder()->carried_files();
  return extras;
}

/// The chat template (Jinja) of a Hugging Face folder, if it has one.
inline std::optional<std::string> chat_template_of(HuggingFaceFolder const& folder) {
  auto const files = folder.carried_files();
  if (auto const found = files.find("chat_template.jinja"); found != files.end()) return found->second;
  auto const text = files.find("tokenizer_config.json");
  if (text == files.end()) return std::nullopt;
  auto const config = JsonValue::parse(text->second, (folder.path / text->first).string());
  auto const found = config.find("chat_template");
  if (!found || !found->json().is_string()) return std::nullopt;
  return found->as<std::string>();
}

/// Adds the parts of a Hugging Face folder other than the decoder's configuration to a GGUF file.
/// @param path of the file, for messages
inline void add_folder_metadata(Model const& model, std::string const& path, GgufWriter& writer) {
  HuggingFaceFolder const& folder = *model.source.folder();
  writer.set("general.name", folder.absolute_path.lexically_normal().filename().string());
  try {
    model.tokenizer.set_gguf_metadata(writer, model.weights.config().vocabulary, chat_template_of(folder));
  } catch (InvalidArgument const& error) {
    throw InvalidArgument(path + ": GGUF cannot hold the tokenizer of " + folder.path.string() + ": " + error.what());
  }
  set_end_tokens(writer, model.end_tokens, model.tokenizer);
}

}  // namespace detail

/// The least disk space that a saved model takes, in bytes: its weights.
/// @param type of the weights: f32, f16 or bf16; none: each tensor keeps its type in memory
[[nodiscard]] inline std::uint64_t saved_bytes(DecoderWeights const& weights, ModelFormat format,
                                               std::optional<TensorType> type = std::nullopt) {
  std::uint64_t bytes = 0;
  for (WeightTensor const& tensor : weights.weight_tensors())
    bytes +=
        tensor.size() * size_of(type ? data_type_of(*type) : DecoderWeights::dtype_of(tensor.role, weights.dtype()));
  return bytes * (format == ModelFormat::both ? 2 : 1);
}

/// Checks, before a long computation, that the format can represent the model's configuration and tokenizer.
/// @param scratch a path next to which a temporary file may be created
/// @throws InvalidArgument if it cannot, InvalidFile as ModelSource::keep_files() does.
inline void check_format(Model const& model, ModelFormat format, std::filesystem::path const& scratch) {
  DecoderConfig const& config = model.weights.config();
  bool const is_gguf = model.source.gguf() != nullptr;
  if (format != ModelFormat::safetensors && is_gguf && config != model.source.config())
    throw InvalidArgument(scratch.string() + ": expected safetensors, as the metadata of GGUF would come from " +
                          model.source.path() + ", which has another configuration");
  if (format != ModelFormat::gguf && is_gguf) {
    static_cast<void>(hugging_face_config(config));
    static_cast<void>(detail::extras_of(model));
  }
  if (format == ModelFormat::safetensors || is_gguf) return;
  require_gguf_form(config, scratch.string());
  GgufWriter writer(scratch.string() + ".part-form");
  detail::add_folder_metadata(model, scratch.string(), writer);
}

/// Saves the model as one GGUF file; see save_model().
inline void save_gguf_file(Model const& model, std::filesystem::path const& file,
                           std::optional<TensorType> type = std::nullopt) {
  std::string const path = file.string();
  if (model.source.gguf() != nullptr)
    return save_gguf(path, *model.source.gguf(), model.source.config(), model.weights, type);
  save_gguf(
      path, model.weights, [&](GgufWriter& writer) { detail::add_folder_metadata(model, path, writer); }, type);
}

/// Saves the model as the folder `directory`, replacing an earlier one: safetensors with configuration and tokenizer in
/// the form that Hugging Face transformers loads, or model.gguf, or both. open_model() reads it.
///
/// A model from a Hugging Face folder keeps its config.json, except for the type of the weights, and its tokenizer
/// files; a model from GGUF keeps its metadata: all as they were when ModelSource::keep_files() was called. The folder
/// gets its name once it is complete.
/// @param type of the weights: f32, f16 or bf16; none: each tensor keeps its type in memory
/// @throws InvalidFile if it cannot be written; nothing incomplete is left under a final name.
/// @throws InvalidArgument if the format cannot represent the model.
inline void save_model(Model const& model, std::filesystem::path const& directory,
                       ModelFormat format = ModelFormat::safetensors, std::optional<TensorType> type = std::nullopt) {
  constexpr char const* gguf_name = "model.gguf";
  if (format == ModelFormat::gguf) {
    AtomicDirectory folder(directory);
    save_gguf_file(model, folder.file(gguf_name), type);
    return folder.commit();
  }
  std::function<void(AtomicDirectory const&)> add_gguf;
  if (format == ModelFormat::both)
    add_gguf = [&](AtomicDirectory const& folder) { save_gguf_file(model, folder.file(gguf_name), type); };
  save_hugging_face(directory, model.weights, detail::extras_of(model), type,
                    SafetensorsFolderWriter::default_part_bytes, add_gguf);
}

}  // namespace zeroth::ZEROTH_ISA::model

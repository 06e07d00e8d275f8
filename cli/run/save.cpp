// SPDX-License-Identifier: MIT
#include "save.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/gguf/export_gguf.hpp>
#include <zeroth_model/io/gguf/gguf_writer.hpp>
#include <zeroth_model/io/hugging_face/export_hugging_face.hpp>
#include <zeroth_model/io/hugging_face/folder_files.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_config.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/peft/export_peft.hpp>
#include <zeroth_model/tokenizer/end_tokens.hpp>
#include <zeroth_model/tokenizer/from_gguf.hpp>

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

constexpr char const* gguf_name = "model.gguf";

/// The files kept by ModelSource::keep_files() or, if that was not called, those that exist now.
std::map<std::string, std::string> files_of(HuggingFaceFolder const& folder) {
  return folder.files ? *folder.files : model::read_carried_files(folder.path);
}

model::HuggingFaceExtras extras_of(LanguageModel const& model) {
  model::HuggingFaceExtras extras;
  Tokenizer const& tokenizer = model.tokenizer;
  if (model::GgufFile const* const gguf = model.source.gguf()) {
    for (model::TokenizerFile const& file :
         tokenizer.hugging_face_files(model.weights.config().context_length, model::chat_template_from_gguf(*gguf)))
      extras.files[file.name] = file.text;
    extras.bos = tokenizer.bos();
    extras.eos = model.end_tokens;
    extras.padding = tokenizer.padding();
    return extras;
  }
  HuggingFaceFolder const& folder = *model.source.folder();
  extras.config_json = folder.config_text;
  extras.files = files_of(folder);
  return extras;
}

/// The chat template (Jinja) of a Hugging Face folder, if it has one.
std::optional<std::string> chat_template_of(HuggingFaceFolder const& folder) {
  auto const files = files_of(folder);
  if (auto const found = files.find("chat_template.jinja"); found != files.end()) return found->second;
  auto const text = files.find("tokenizer_config.json");
  if (text == files.end()) return std::nullopt;
  auto const config = model::JsonValue::parse(text->second, (folder.path / text->first).string());
  auto const found = config.find("chat_template");
  if (!found || !found->json().is_string()) return std::nullopt;
  return found->as<std::string>();
}

/// Adds to a GGUF file what a Hugging Face folder has in addition to the decoder's configuration.
/// @param path of the file, for messages
void add_metadata(LanguageModel const& model, std::string const& path, model::GgufWriter& writer) {
  HuggingFaceFolder const& folder = *model.source.folder();
  writer.set("general.name", folder.absolute_path.lexically_normal().filename().string());
  try {
    model.tokenizer.set_gguf_metadata(writer, model.weights.config().vocabulary, chat_template_of(folder));
  } catch (InvalidArgument const& error) {
    throw InvalidArgument(path + ": GGUF cannot hold the tokenizer of " + folder.path.string() + ": " + error.what());
  }
  model::set_end_tokens(writer, model.end_tokens, model.tokenizer);
}

}  // namespace

void check_form(LanguageModel const& model, SaveFormat format, fs::path const& scratch) {
  model::DecoderConfig const& config = model.weights.config();
  bool const is_gguf = model.source.gguf() != nullptr;
  if (format != SaveFormat::safetensors && is_gguf && config != model.source.config())
    throw InvalidArgument(scratch.string() + ": expected safetensors, as the metadata of GGUF would come from " +
                          model.source.path() + ", which has another configuration");
  if (format != SaveFormat::gguf && is_gguf) {
    static_cast<void>(model::hugging_face_config(config));
    static_cast<void>(extras_of(model));
  }
  if (format == SaveFormat::safetensors || is_gguf) return;
  model::require_gguf_form(config, scratch.string());
  model::GgufWriter writer(scratch.string() + ".part-form");
  add_metadata(model, scratch.string(), writer);
}

void save_gguf_file(LanguageModel const& model, std::optional<model::TensorType> dtype, fs::path const& file) {
  std::string const path = file.string();
  if (model.source.gguf() != nullptr)
    return model::save_gguf(path, *model.source.gguf(), model.source.config(), model.weights, dtype);
  model::save_gguf(
      path, model.weights, [&](model::GgufWriter& writer) { add_metadata(model, path, writer); }, dtype);
}

std::uint64_t saved_bytes(LanguageModel const& model, SaveFormat format, std::optional<model::TensorType> dtype) {
  ParameterSet const& parameters = model.weights.parameters();
  std::uint64_t const bytes =
      dtype ? parameters.weights() * (*dtype == model::TensorType::f32 ? 4 : 2) : parameters.bytes();
  return bytes * (format == SaveFormat::both ? 2 : 1);
}

void save_model(LanguageModel const& model, SaveFormat format, std::optional<model::TensorType> dtype,
                fs::path const& directory) {
  if (format == SaveFormat::gguf) {
    model::AtomicDirectory folder(directory);
    save_gguf_file(model, dtype, folder.file(gguf_name));
    return folder.commit();
  }
  std::function<void(model::AtomicDirectory const&)> add_gguf;
  if (format == SaveFormat::both)
    add_gguf = [&](model::AtomicDirectory const& folder) { save_gguf_file(model, dtype, folder.file(gguf_name)); };
  model::save_hugging_face(directory, model.weights, extras_of(model), dtype,
                           model::SafetensorsFolderWriter::default_part_bytes, add_gguf);
}

void save_adapter(LanguageModel const& model, fs::path const& directory) {
  std::string base = model.base_model;
  if (base.empty() && model.source.folder() != nullptr)
    base = model.source.folder()->absolute_path.lexically_normal().string();
  model::save_peft(directory, *model.adapter, model.weights, base);
}

}  // namespace zeroth::cli

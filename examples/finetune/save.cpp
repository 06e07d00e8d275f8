// SPDX-License-Identifier: MIT
#include "save.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>
#include <zeroth/model/export_gguf.hpp>
#include <zeroth/model/export_hugging_face.hpp>
#include <zeroth/model/export_peft.hpp>
#include <zeroth/model/format/atomic_file.hpp>
#include <zeroth/model/tokenizer/from_gguf.hpp>

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

constexpr char const* gguf_name = "model.gguf";

// What a Hugging Face folder may hold beside weights and config.json, and what must come along.
constexpr std::array<std::string_view, 9> carried_files{
    "tokenizer.json",  "tokenizer_config.json", "special_tokens_map.json",
    "tokenizer.model", "added_tokens.json",     "vocab.json",
    "merges.txt",      "chat_template.jinja",   "generation_config.json",
};

std::string read_text(fs::path const& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw InvalidFile(path.string() + ": cannot be read");
  return text;
}

model::HuggingFaceExtras extras_of(LanguageModel const& model) {
  model::HuggingFaceExtras extras;
  Tokenizer const& tokenizer = model.tokenizer;
  if (model::GgufFile const* const gguf = model.source.gguf()) {
    for (model::TokenizerFile const& file :
         tokenizer.hugging_face_files(model.weights.config().context_length, model::chat_template_from_gguf(*gguf)))
      extras.files[file.name] = file.text;
    extras.bos = tokenizer.bos();
    extras.eos = tokenizer.eos();
    extras.padding = tokenizer.padding();
    return extras;
  }
  fs::path const& folder = model.source.folder()->path;
  extras.config_json = read_text(folder / "config.json");
  for (std::string_view name : carried_files)
    if (fs::exists(folder / name)) extras.files[std::string(name)] = read_text(folder / name);
  return extras;
}

/// The Jinja template of a chat of a Hugging Face folder, if it has one.
std::optional<std::string> chat_template_of(fs::path const& folder) {
  if (fs::exists(folder / "chat_template.jinja")) return read_text(folder / "chat_template.jinja");
  if (!fs::exists(folder / "tokenizer_config.json")) return std::nullopt;
  auto const config = model::JsonValue::load((folder / "tokenizer_config.json").string());
  auto const found = config.find("chat_template");
  if (!found || !found->json().is_string()) return std::nullopt;
  return found->as<std::string>();
}

}  // namespace

void save_gguf_file(LanguageModel const& model, std::optional<model::TensorType> dtype, fs::path const& file) {
  std::string const path = file.string();
  if (model.source.gguf() != nullptr) return model::save_gguf(path, *model.source.gguf(), model.weights, dtype);
  fs::path const& folder = model.source.folder()->path;
  model::save_gguf(
      path, model.weights,
      [&](model::GgufWriter& writer) {
        writer.set("general.name", fs::absolute(folder).lexically_normal().filename().string());
        try {
          model.tokenizer.set_gguf_metadata(writer, model.weights.config().vocabulary, chat_template_of(folder));
        } catch (InvalidArgument const& error) {
          throw InvalidArgument(path + ": GGUF has no form for the tokenizer of " + folder.string() + ": " +
                                error.what());
        }
      },
      dtype);
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
  model::save_hugging_face(directory, model.weights, extras_of(model), dtype);
  if (format == SaveFormat::both) save_gguf_file(model, dtype, directory / gguf_name);
}

void save_adapter(LanguageModel const& model, fs::path const& directory) {
  std::string base = model.base_model;
  if (base.empty() && model.source.folder() != nullptr)
    base = fs::absolute(model.source.folder()->path).lexically_normal().string();
  model::save_peft(directory, *model.adapter, model.weights, base);
}

}  // namespace zeroth::cli

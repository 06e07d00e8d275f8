// SPDX-License-Identifier: MIT
#include "save.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <zeroth/model/export_gguf.hpp>
#include <zeroth/model/export_hugging_face.hpp>
#include <zeroth/model/format/atomic_file.hpp>
#include <zeroth/model/tokenizer/from_gguf.hpp>
#include <zeroth/model/tokenizer/hugging_face.hpp>

namespace zeroth::cli {
namespace {

constexpr char const* gguf_name = "model.gguf";

void save_safetensors(LanguageModel const& model, std::filesystem::path const& directory) {
  model::BytePairTokenizer const& tokenizer = model.tokenizer;
  zeroth::model::save_hugging_face(
      directory, model.weights,
      {.tokenizer_json = zeroth::model::hugging_face_tokenizer_json(tokenizer),
       .tokenizer_config_json = zeroth::model::hugging_face_tokenizer_config_json(
           tokenizer, model.weights.config().context_length, zeroth::model::chat_template_from_gguf(model.file)),
       .bos = tokenizer.bos(),
       .eos = tokenizer.eos(),
       .padding = tokenizer.padding()});
}

}  // namespace

std::uint64_t saved_bytes(LanguageModel const& model, SaveFormat format) {
  return model.weights.parameters().bytes() * (format == SaveFormat::both ? 2 : 1);
}

void save_model(LanguageModel const& model, SaveFormat format, std::filesystem::path const& directory) {
  if (format == SaveFormat::gguf) {
    model::AtomicDirectory folder(directory);
    zeroth::model::save_gguf(folder.file(gguf_name), model.file, model.weights);
    return folder.commit();
  }
  save_safetensors(model, directory);
  if (format == SaveFormat::both) zeroth::model::save_gguf((directory / gguf_name).string(), model.file, model.weights);
}

}  // namespace zeroth::cli

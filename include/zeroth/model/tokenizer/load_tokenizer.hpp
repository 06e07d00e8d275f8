// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/configured_tokens.hpp>
#include <zeroth/model/format/gguf.hpp>
#include <zeroth/model/format/json_file.hpp>
#include <zeroth/model/format/mapped_file.hpp>
#include <zeroth/model/format/printable.hpp>
#include <zeroth/model/tokenizer/any_tokenizer.hpp>
#include <zeroth/model/tokenizer/from_gguf.hpp>
#include <zeroth/model/tokenizer/from_hugging_face.hpp>
#include <zeroth/model/tokenizer/sentencepiece_merges.hpp>
#include <zeroth/model/tokenizer/sentencepiece_model.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Makes a tokenizer of a SentencePiece model, and keeps `files` for AnyTokenizer; throws InvalidArgument if the model
/// contradicts itself. sentencepiece_tokenizer() of the component zeroth::sentencepiece is one. An empty one is none:
/// models that need it are then refused.
using SentencePieceMaker = std::function<AnyTokenizer(SentencePieceModel, std::vector<TokenizerFile>)>;

namespace detail {

inline std::string read_text(const std::filesystem::path& path) {
  const MappedFile file(path.string());
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// A tokenizer from a SentencePiece model; throws InvalidFile, naming `path`.
inline AnyTokenizer make_sentencepiece_tokenizer(SentencePieceModel model, std::vector<TokenizerFile> files,
                                                 const SentencePieceMaker& maker, const std::string& path) {
  try {
    if (is_plain_byte_pair(model)) return AnyTokenizer(byte_fallback_tokenizer(model), std::move(files));
    if (maker) return maker(std::move(model), std::move(files));
  } catch (const InvalidArgument& error) {
    throw InvalidFile(path + ": " + error.what());
  }
  throw InvalidFile(path + ": expected a tokenizer without " +
                    (model.kind == SentencePieceModel::Kind::unigram ? "the unigram model" : "the normalisation") +
                    " of SentencePiece, which this build lacks; install libsentencepiece-dev and build again");
}

/// A tokenizer from what a tokenizer.json describes; throws InvalidFile, naming `path`.
inline AnyTokenizer make_hugging_face_tokenizer(HuggingFaceTokenizer tokenizer, std::vector<TokenizerFile> files,
                                                const SentencePieceMaker& maker, const std::string& path) {
  if (auto* const byte_level = std::get_if<BytePairTokenizer>(&tokenizer)) {
    return AnyTokenizer(std::move(*byte_level), std::move(files));
  }
  if (auto* const byte_fallback = std::get_if<ByteFallbackTokenizer>(&tokenizer)) {
    return AnyTokenizer(std::move(*byte_fallback), std::move(files));
  }
  return make_sentencepiece_tokenizer(std::get<SentencePieceModel>(std::move(tokenizer)), std::move(files), maker,
                                      path);
}

/// The text of a special token, written as a string or as an object with "content".
inline std::optional<std::string> special_token_text(const std::optional<JsonValue>& value) {
  if (!value) return std::nullopt;
  return value->is_object() ? value->get<std::string>("content") : value->as<std::string>();
}

/// The id of a model's configuration: of a list the first.
inline std::optional<std::int32_t> configured_id(const std::optional<JsonValue>& value) {
  const std::vector<std::int32_t> ids = configured_tokens(value);
  return ids.empty() ? std::nullopt : std::optional(ids[0]);
}

/// What the files of a folder say of special tokens. tokenizer_config.json comes before special_tokens_map.json, and
/// ids of generation_config.json and config.json, in this order, count only for a token that neither of these names.
inline SpecialTokens read_special_tokens(const std::filesystem::path& folder) {
  SpecialTokens special;
  struct Name {
    std::string key;
    std::optional<std::string>* text;
    std::optional<std::int32_t>* id;
    bool settled = false;
  };
  std::vector<Name> names{{"bos_token", &special.bos, &special.bos_id},
                          {"eos_token", &special.eos, &special.eos_id},
                          {"unk_token", &special.unknown, nullptr},
                          {"pad_token", &special.padding, &special.padding_id}};
  const auto with_file = [&](const char* name, const auto& use) {
    const std::filesystem::path path = folder / name;
    if (std::filesystem::exists(path)) use(JsonValue::load(path.string(), tokenizer_json_limits));
  };
  for (const char* file : {"tokenizer_config.json", "special_tokens_map.json"}) {
    with_file(file, [&](const JsonValue& root) {
      for (Name& name : names) {
        if (name.settled || !root.json().contains(name.key)) continue;
        *name.text = special_token_text(root.find(name.key));
        name.settled = true;
      }
      for (const auto& [key, flag] :
           {std::pair("add_bos_token", &special.add_bos), std::pair("add_eos_token", &special.add_eos)}) {
        if (!*flag) *flag = root.find<bool>(key);
      }
    });
  }
  for (const char* file : {"generation_config.json", "config.json"}) {
    with_file(file, [&](const JsonValue& root) {
      for (Name& name : names) {
        if (name.settled || name.id == nullptr || *name.id) continue;
        *name.id = configured_id(root.find(name.key + "_id"));
      }
    });
  }
  return special;
}

/// The id of the piece with that text, or `otherwise`.
inline std::optional<std::int32_t> piece_id(const SentencePieceModel& model, const std::optional<std::string>& text,
                                            std::optional<std::int32_t> otherwise) {
  for (std::size_t i = 0; text && i < model.pieces.size(); ++i) {
    if (model.pieces[i].text == *text) return static_cast<std::int32_t>(i);
  }
  return otherwise;
}

inline SentencePieceModel sentencepiece_model_from_gguf(const GgufFile& file, SentencePieceModel::Kind kind) {
  const auto fail = [&](const std::string& what) {
    throw InvalidFile(file.path() + ": metadata key 'tokenizer.ggml." + what);
  };
  const auto tokens = file.get_array<std::string_view>("tokenizer.ggml.tokens");
  const auto scores = file.get_array<float>("tokenizer.ggml.scores");
  const auto types = file.get_array<std::int32_t>("tokenizer.ggml.token_type");
  for (const auto& [key, size] : {std::pair("scores", scores.size()), std::pair("token_type", types.size())}) {
    if (size != tokens.size()) {
      fail(std::string(key) + "': expected " + std::to_string(tokens.size()) + ", one for each token, found " +
           std::to_string(size));
    }
  }
  SentencePieceModel model;
  model.kind = kind;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (types[i] < 1 || types[i] > 6) {
      fail("token_type': expected 1 to 6, found " + std::to_string(types[i]));
    }
    model.pieces.push_back({std::string(tokens[i]), scores[i], static_cast<TokenType>(types[i])});
    bytes += types[i] == static_cast<std::int32_t>(TokenType::byte) ? 1 : 0;
  }
  const bool byte_pair = kind == SentencePieceModel::Kind::byte_pair;
  model.byte_fallback = bytes > 0;
  model.add_dummy_prefix = file.find<bool>("tokenizer.ggml.add_space_prefix").value_or(true);
  model.remove_extra_whitespaces = file.find<bool>("tokenizer.ggml.remove_extra_whitespaces").value_or(false);
  for (const std::int32_t byte :
       file.find_array<std::int32_t>("tokenizer.ggml.precompiled_charsmap").value_or(std::vector<std::int32_t>{})) {
    // Written as signed or as unsigned bytes.
    if (byte < -128 || byte > 255) fail("precompiled_charsmap': expected bytes, found " + std::to_string(byte));
    model.charsmap += static_cast<char>(byte);
  }
  model.bos = file.find<std::int32_t>("tokenizer.ggml.bos_token_id");
  model.eos = file.find<std::int32_t>("tokenizer.ggml.eos_token_id");
  model.padding = file.find<std::int32_t>("tokenizer.ggml.padding_token_id");
  model.add_bos = file.find<bool>("tokenizer.ggml.add_bos_token").value_or(byte_pair && model.bos);
  model.add_eos = file.find<bool>("tokenizer.ggml.add_eos_token").value_or(!byte_pair && model.eos);
  return model;
}

/// The tokenizer of a GGUF file that has the text of tokenizer.json.
inline AnyTokenizer tokenizer_from_gguf_json(const GgufFile& file, std::string_view json,
                                             const SentencePieceMaker& maker) {
  const std::string path = file.path() + ": metadata key 'tokenizer.huggingface.json'";
  const auto tokens = file.get_array<std::string_view>("tokenizer.ggml.tokens");
  SpecialTokens special;
  special.bos_id = file.find<std::int32_t>("tokenizer.ggml.bos_token_id");
  special.eos_id = file.find<std::int32_t>("tokenizer.ggml.eos_token_id");
  special.padding_id = file.find<std::int32_t>("tokenizer.ggml.padding_token_id");
  if (const auto unknown = file.find<std::int32_t>("tokenizer.ggml.unknown_token_id");
      unknown && *unknown >= 0 && static_cast<std::size_t>(*unknown) < tokens.size()) {
    special.unknown = std::string(tokens[static_cast<std::size_t>(*unknown)]);
  }
  AnyTokenizer tokenizer = make_hugging_face_tokenizer(parse_tokenizer_json(json, path, special), {}, maker, path);
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const std::string_view text = tokenizer.token_text(static_cast<std::int32_t>(i));
    if (text.empty() || (i < tokens.size() && text == tokens[i])) continue;
    throw InvalidFile(path + ": expected the token " + std::to_string(i) + " of tokenizer.ggml.tokens, " +
                      (i < tokens.size() ? quoted_token(printable(tokens[i])) : "none") + ", found " +
                      quoted_token(printable(text)));
  }
  return tokenizer;
}

}  // namespace detail

/// The tokenizer of a GGUF file: by its key `tokenizer.huggingface.json` if it has that, else by
/// `tokenizer.ggml.model`: "gpt2" (see tokenizer_from_gguf()), "llama", a byte-pair encoding of SentencePiece, or "t5",
/// its unigram model.
///
/// Throws InvalidFile, naming the file, the key, what was expected and what was found.
inline AnyTokenizer load_tokenizer(const GgufFile& file, const SentencePieceMaker& maker = {}) {
  if (const auto json = file.find<std::string_view>("tokenizer.huggingface.json")) {
    return detail::tokenizer_from_gguf_json(file, *json, maker);
  }
  const auto kind = file.get<std::string_view>("tokenizer.ggml.model");
  if (kind == "gpt2") return AnyTokenizer(tokenizer_from_gguf(file));
  if (kind != "llama" && kind != "t5") {
    throw InvalidFile(file.path() +
                      ": metadata key 'tokenizer.ggml.model': expected \"gpt2\", \"llama\" or \"t5\", found \"" +
                      detail::printable(kind) + "\"");
  }
  using Kind = SentencePieceModel::Kind;
  return detail::make_sentencepiece_tokenizer(
      detail::sentencepiece_model_from_gguf(file, kind == "llama" ? Kind::byte_pair : Kind::unigram), {}, maker,
      file.path());
}

/// The tokenizer of a Hugging Face folder: its tokenizer.json or, where that is missing, its tokenizer.model, with the
/// special tokens of tokenizer_config.json and special_tokens_map.json or, of a token that neither names, of
/// generation_config.json and config.json. See parse_tokenizer_json() for what is known. `path` is the folder or one of
/// the two files.
///
/// Throws InvalidFile, naming the file, the field, what was expected and what was found.
inline AnyTokenizer load_tokenizer(const std::filesystem::path& path, const SentencePieceMaker& maker = {}) {
  const bool is_folder = std::filesystem::is_directory(path);
  const std::filesystem::path folder = is_folder ? path : path.parent_path();
  std::filesystem::path file = path;
  if (is_folder) {
    file = folder / "tokenizer.json";
    if (!std::filesystem::exists(file)) file = folder / "tokenizer.model";
    if (!std::filesystem::exists(file)) {
      throw InvalidFile(folder.string() + ": expected tokenizer.json or tokenizer.model, found neither");
    }
  }
  const SpecialTokens special = detail::read_special_tokens(folder);
  const std::string text = detail::read_text(file);
  std::vector<TokenizerFile> files{{file.filename().string(), text}};
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"}) {
    if (std::filesystem::exists(folder / name)) files.push_back({name, detail::read_text(folder / name)});
  }
  if (file.extension() != ".json") {
    SentencePieceModel model = parse_sentencepiece_model(text, file.string());
    const bool byte_pair = model.kind == SentencePieceModel::Kind::byte_pair;
    model.bos = detail::piece_id(model, special.bos, model.bos);
    model.eos = detail::piece_id(model, special.eos, model.eos);
    model.padding = detail::piece_id(model, special.padding, model.padding);
    // The defaults of LLaMA's and T5's classes in transformers.
    model.add_bos = special.add_bos.value_or(byte_pair) && model.bos;
    model.add_eos = special.add_eos.value_or(!byte_pair) && model.eos;
    return detail::make_sentencepiece_tokenizer(std::move(model), std::move(files), maker, file.string());
  }
  return detail::make_hugging_face_tokenizer(parse_tokenizer_json(text, file.string(), special), std::move(files),
                                             maker, file.string());
}

}  // namespace zeroth::ZEROTH_ISA::model

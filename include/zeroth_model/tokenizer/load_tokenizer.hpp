// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/mapped_file.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/tokenizer/any_tokenizer.hpp>
#include <zeroth_model/tokenizer/from_gguf.hpp>
#include <zeroth_model/tokenizer/from_hugging_face.hpp>
#include <zeroth_model/tokenizer/sentencepiece_merges.hpp>
#include <zeroth_model/tokenizer/sentencepiece_model.hpp>
#include <zeroth_model/tokenizer/special_tokens.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Makes a tokenizer from a SentencePiece model, and passes `files` on to AnyTokenizer; throws InvalidArgument if the
/// model contradicts itself. sentencepiece_tokenizer() of the component zeroth::sentencepiece is one. If it is empty,
/// models that need it are rejected.
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

/// Makes a tokenizer from the description in a tokenizer.json, with the other files unless `is_whole`; throws
/// InvalidFile, naming `path`.
inline AnyTokenizer make_hugging_face_tokenizer(HuggingFaceTokenizer tokenizer, std::vector<TokenizerFile> files,
                                                const SentencePieceMaker& maker, const std::string& path,
                                                bool is_whole = true) {
  if (auto* const byte_level = std::get_if<BytePairTokenizer>(&tokenizer)) {
    return AnyTokenizer(std::move(*byte_level), std::move(files), is_whole);
  }
  if (auto* const byte_fallback = std::get_if<ByteFallbackTokenizer>(&tokenizer)) {
    return AnyTokenizer(std::move(*byte_fallback), std::move(files), is_whole);
  }
  if (auto* const unigram = std::get_if<UnigramTokenizer>(&tokenizer)) {
    return AnyTokenizer(std::move(*unigram), std::move(files), is_whole);
  }
  return make_sentencepiece_tokenizer(std::get<SentencePieceModel>(std::move(tokenizer)), std::move(files), maker,
                                      path);
}

/// Adds the tokens of the files next to a tokenizer.model, and the ids of its special tokens, to the model. Added
/// tokens are found in the original text, since they do not contain the spaces that SentencePiece writes; in the class
/// `LlamaTokenizer`, tokens to be normalised are found after the others. That class adds the model's own control and
/// user-defined pieces after the tokens of the files; if a file has `additional_special_tokens`, it adds none of these
/// pieces.
inline void add_tokens(SentencePieceModel& model, const SpecialTokens& special, const std::string& path) {
  std::unordered_map<std::string_view, std::int32_t> ids;
  std::vector<AddedToken> own;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePiece& piece = model.pieces[i];
    ids.insert_or_assign(piece.text, static_cast<std::int32_t>(i));
    if (piece.type != TokenType::control && piece.type != TokenType::user_defined) continue;
    own.push_back({.text = piece.text,
                   .special = piece.type == TokenType::control,
                   .normalized = false,
                   .id = {},
                   .place = path + ": pieces[" + std::to_string(i) + "]"});
  }
  const std::size_t size = model.pieces.size();
  AddedVocabulary added(std::move(ids), size);
  if (model.llama_prefix) {
    std::set<std::string_view> listed;
    for (const AddedToken& token : special.added.tokens) listed.insert(token.text);
    std::erase_if(own,
                  [&](const AddedToken& token) { return listed.contains(token.text) || !special.added.extra.empty(); });
    added.add(special.added);
    added.add(own);
  } else {
    added.add(own);
    added.add(special.added);
  }
  const auto id_of = [&](const std::optional<std::string>& text, std::optional<std::int32_t> otherwise) {
    return text ? added.find(*text) : otherwise;
  };
  model.bos = id_of(special.bos, model.bos);
  model.eos = id_of(special.eos, model.eos);
  model.padding = id_of(special.padding, model.padding);
  // The vocabulary's texts are views of the pieces, so change a copy.
  std::vector<SentencePiece> pieces = model.pieces;
  for (const auto& [id, token] : added.tokens()) {
    const auto at = static_cast<std::size_t>(id);
    if (at >= pieces.size()) {
      pieces.push_back({token.text, 0, TokenType::normal});
      model.only_added.push_back(id);
    }
    if (at < size && pieces[at].type == TokenType::normal) model.merged_too.push_back(id);
    const TokenType type = added.is_special(token.text) ? TokenType::control : TokenType::user_defined;
    if (type == TokenType::user_defined && pieces[at].type != type) model.found_first.push_back(id);
    if (pieces[at].type == TokenType::unknown) {
      model.added_unknown = type;
    } else {
      pieces[at].type = type;
    }
    const AddedTokenRule rule{.id = id,
                              .strip_left = token.strip_left,
                              .strip_right = token.strip_right,
                              .normalized = token.normalized && model.llama_prefix,
                              .single_word = token.single_word};
    if (rule.strip_left || rule.strip_right || rule.normalized || rule.single_word)
      model.added_token_rules.push_back(rule);
  }
  for (std::size_t i = 0; i < size && model.llama_prefix; ++i) {
    if (is_literal(pieces[i].type) && !added.tokens().contains(static_cast<std::int32_t>(i)))
      pieces[i].type = TokenType::normal;
  }
  model.pieces = std::move(pieces);
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
    // The file may store signed or unsigned bytes.
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

/// The tokenizer of a GGUF file that contains the text of a tokenizer.json.
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

/// The tokenizer of a GGUF file: from its key `tokenizer.huggingface.json` if present, otherwise by
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

namespace detail {

/// The merges of a merges.txt: views of its text.
inline std::vector<MergeTexts> parse_merges_txt(std::string_view text, const std::string& path) {
  std::vector<MergeTexts> merges;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("#version")) continue;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
      throw InvalidFile(path + ": line " + std::to_string(number) +
                        ": expected two tokens separated by one space, found " + quoted_token(printable(line)));
    }
    merges.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  return merges;
}

/// The tokenizer of a folder with vocab.json and merges.txt but no tokenizer.json, as published for GPT-2 and OPT.
inline AnyTokenizer load_gpt2_tokenizer(const std::filesystem::path& folder, std::vector<TokenizerFile> files) {
  const std::string vocabulary_path = (folder / "vocab.json").string();
  const std::string merges_path = (folder / "merges.txt").string();
  constexpr std::string_view end_of_text = "<|endoftext|>";
  const SpecialTokens special =
      read_special_tokens(folder, {.bos = end_of_text, .eos = end_of_text, .unknown = end_of_text});
  const bool is_gpt2 = special.tokenizer_class == "GPT2Tokenizer" || special.tokenizer_class == "GPT2TokenizerFast";
  const bool is_default = special.tokenizer_class.empty() &&
                          (special.model_type.empty() || special.model_type == "gpt2" || special.model_type == "opt");
  if (!is_gpt2 && !is_default) {
    const bool by_class = !special.tokenizer_class.empty();
    throw InvalidFile(
        (folder / (by_class ? "tokenizer_config.json" : "config.json")).string() + ": key '" +
        (by_class ? "tokenizer_class': expected \"GPT2Tokenizer\"" : "model_type': expected \"gpt2\" or \"opt\"") +
        " where a folder has vocab.json and merges.txt and no tokenizer.json, found \"" +
        printable(by_class ? special.tokenizer_class : special.model_type) +
        "\"; `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)` of transformers makes a tokenizer.json");
  }
  const std::string text = read_text(folder / "vocab.json");
  const JsonValue vocabulary = JsonValue::parse(text, vocabulary_path, tokenizer_json_limits);
  JsonTokenCollector collector;
  collect_vocabulary(vocabulary, collector);
  const JsonTokens tokens = collector.tokens(vocabulary, {}, special.added);
  TokenizerData data;
  static_cast<TokenTableData&>(data) = token_table_data(tokens);
  data.bos = special.bos ? tokens.find(*special.bos) : special.bos_id;
  data.eos = special.eos ? tokens.find(*special.eos) : special.eos_id;
  data.padding = special.padding ? tokens.find(*special.padding) : special.padding_id;
  data.unknown = special.unknown ? tokens.find(*special.unknown) : std::nullopt;
  data.add_bos = special.add_bos.value_or(false) && data.bos;
  data.add_eos = special.add_eos.value_or(false) && data.eos;
  data.add_prefix_space = special.add_prefix_space.value_or(false);
  data.pre_tokenizer = "gpt-2";
  const std::string merges_text = read_text(folder / "merges.txt");
  std::vector<std::string> joined;
  for (const MergeTexts& merge : parse_merges_txt(merges_text, merges_path)) {
    joined.push_back(std::string(merge.left).append(" ").append(merge.right));
  }
  data.merges.assign(joined.begin(), joined.end());
  files.insert(files.begin(), {{"vocab.json", text}, {"merges.txt", merges_text}});
  try {
    return AnyTokenizer(BytePairTokenizer(data), std::move(files));
  } catch (const InvalidArgument& error) {
    throw InvalidFile(vocabulary_path + " and merges.txt: " + error.what());
  }
}

/// How the class `LlamaTokenizer` of `transformers` adds spaces in a tokenizer.model's byte-pair encoding; nothing for
/// other classes: as in SentencePiece.
inline std::optional<SpacePrefix> llama_space_prefix(const SpecialTokens& special) {
  if (special.tokenizer_class != "LlamaTokenizer" && special.tokenizer_class != "LlamaTokenizerFast")
    return std::nullopt;
  if (!special.add_prefix_space.value_or(true)) return SpacePrefix::no_part;
  return special.legacy.value_or(false) ? SpacePrefix::each_part_without : SpacePrefix::first_part;
}

}  // namespace detail

/// The tokenizer of a Hugging Face folder: its tokenizer.json or, if that is missing, its tokenizer.model or its
/// vocab.json and merges.txt (GPT-2, OPT). Special and added tokens come from tokenizer_config.json and, if that lacks
/// `added_tokens_decoder`, also from special_tokens_map.json and added_tokens.json, as the classes of `transformers`
/// add them; the ids of a token that none of these name come from generation_config.json and config.json.
/// parse_tokenizer_json() lists what is supported. `path` is the folder, tokenizer.json or tokenizer.model.
///
/// Throws InvalidFile, naming the file, the field, what was expected and what was found.
inline AnyTokenizer load_tokenizer(const std::filesystem::path& path, const SentencePieceMaker& maker = {}) {
  const bool is_folder = std::filesystem::is_directory(path);
  const std::filesystem::path folder = is_folder ? path : path.parent_path();
  std::filesystem::path file = path;
  std::vector<TokenizerFile> files;
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"}) {
    if (std::filesystem::exists(folder / name)) files.push_back({name, detail::read_text(folder / name)});
  }
  if (is_folder) {
    file = folder / "tokenizer.json";
    if (!std::filesystem::exists(file)) file = folder / "tokenizer.model";
    if (!std::filesystem::exists(file)) {
      if (std::filesystem::exists(folder / "vocab.json") && std::filesystem::exists(folder / "merges.txt"))
        return detail::load_gpt2_tokenizer(folder, std::move(files));
      throw InvalidFile(folder.string() +
                        ": expected tokenizer.json, tokenizer.model, or vocab.json and merges.txt, found none");
    }
  }
  SpecialTokens special = detail::read_special_tokens(folder);
  const std::string text = detail::read_text(file);
  files.insert(files.begin(), {file.filename().string(), text});
  if (file.extension() != ".json") {
    SentencePieceModel model = parse_sentencepiece_model(text, file.string());
    const bool byte_pair = model.kind == SentencePieceModel::Kind::byte_pair;
    if (byte_pair) model.llama_prefix = detail::llama_space_prefix(special);
    // That class's defaults.
    if (model.llama_prefix)
      special = detail::read_special_tokens(folder, {.bos = "<s>", .eos = "</s>", .unknown = "<unk>"});
    detail::add_tokens(model, special, file.string());
    // The defaults of LLaMA's and T5's classes in transformers.
    model.add_bos = special.add_bos.value_or(byte_pair) && model.bos;
    model.add_eos = special.add_eos.value_or(!byte_pair) && model.eos;
    return detail::make_sentencepiece_tokenizer(std::move(model), std::move(files), maker, file.string());
  }
  bool is_whole = true;
  HuggingFaceTokenizer tokenizer = parse_tokenizer_json(text, file.string(), special, &is_whole);
  return detail::make_hugging_face_tokenizer(std::move(tokenizer), std::move(files), maker, file.string(), is_whole);
}

}  // namespace zeroth::ZEROTH_ISA::model

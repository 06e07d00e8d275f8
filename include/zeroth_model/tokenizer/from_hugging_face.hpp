// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth_model/tokenizer/byte_pair_tokenizer.hpp>
#include <zeroth_model/tokenizer/sentencepiece_model.hpp>
#include <zeroth_model/tokenizer/special_tokens.hpp>
#include <zeroth_model/tokenizer/tokenizer_json.hpp>
#include <zeroth_model/tokenizer/unigram_json.hpp>
#include <zeroth_model/tokenizer/unigram_tokenizer.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The tokenizers that a tokenizer.json can describe.
using HuggingFaceTokenizer =
    std::variant<BytePairTokenizer, ByteFallbackTokenizer, UnigramTokenizer, SentencePieceModel>;

namespace detail {

/// Adds the tokens of an object that maps texts to ids to `collector`.
inline void collect_vocabulary(const JsonValue& vocabulary, JsonTokenCollector& collector) {
  if (!vocabulary.is_object()) throw vocabulary.mismatch("an object");
  // As with merges, no token gets a JsonValue of its own unless it is wrong.
  for (const auto& token : vocabulary.json().get_ref<const nlohmann::json::object_t&>()) {
    const auto where = [&] { return vocabulary.get(token.first, "an id"); };
    const auto id = decode_token_id(token.second);
    collector.add(where, id ? *id : json_token_id(where()), token.first);
  }
}

/// The tokens, except the special ones.
inline TokenTableData token_table_data(const JsonTokens& tokens) {
  TokenTableData data;
  data.tokens = tokens.texts;
  data.token_types = tokens.types;
  data.added_token_rules = tokens.rules;
  data.only_added = tokens.only_added;
  return data;
}

/// Fills in the ids of special tokens, from the template and the other files.
inline void set_special_tokens(const JsonValue& root, const SpecialTokens& special, TokenTableData& data,
                               const JsonTokens& tokens) {
  const auto find = [&](const char* name, const std::optional<std::string>& text, std::optional<std::int32_t> id) {
    if (!text) return id;
    const auto found = tokens.find(*text);
    if (!found)
      throw root.get("model").get("vocab").mismatch(std::string("the ") + name + " token \"" + printable(*text) + "\"");
    return found;
  };
  data.bos = find("bos", special.bos, special.bos_id);
  data.eos = find("eos", special.eos, special.eos_id);
  data.padding = find("padding", special.padding, special.padding_id);
  data.unknown = find("unknown", special.unknown, std::nullopt);

  const JsonTemplate added = read_json_template(root);
  const auto add = [&](const char* name, std::optional<std::int32_t> id, std::optional<std::int32_t>& known,
                       bool& flag) {
    if (!id) return;
    if (known && known != id) {
      throw root.get("post_processor")
          .mismatch(std::string("a template with the ") + name + " token, " + std::to_string(*known));
    }
    known = id;
    flag = true;
  };
  add("bos", added.before, data.bos, data.add_bos);
  add("eos", added.after, data.eos, data.add_eos);
}

/// `byte_level` is the pre-tokenizer's step of that type.
inline BytePairTokenizer read_byte_level(const JsonValue& root, std::string_view pre_tokenizer,
                                         const JsonValue& byte_level, const JsonTokens& tokens, TokenTableData common) {
  const JsonValue model = root.get("model");
  if (model.find<bool>("byte_fallback").value_or(false)) {
    throw model.get("byte_fallback").mismatch("false with a \"ByteLevel\" pre-tokenizer");
  }
  TokenizerData data;
  static_cast<TokenTableData&>(data) = std::move(common);
  for (const JsonValue& step : unrolled_steps(root, "normalizer", "normalizers")) {
    if (!step.has("type", "NFC")) throw step.mismatch("null or \"NFC\"");
    data.normalization = Normalization::nfc;
  }
  if (const auto unknown = model.find("unk_token")) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string text = byte_alphabet_text(static_cast<unsigned char>(byte));
      if (tokens.find_of_model(text)) continue;
      throw unknown->mismatch("null, since the byte " + std::to_string(byte) + " has no token");
    }
  }
  data.pre_tokenizer = pre_tokenizer;
  data.ignore_merges = model.find<bool>("ignore_merges").value_or(false);
  data.add_prefix_space = byte_level.find<bool>("add_prefix_space").value_or(true);
  // The byte alphabet has no space, so joining with one is unambiguous.
  std::vector<std::string> joined;
  for (const MergeTexts& merge : read_json_merges(model)) {
    joined.push_back(std::string(merge.left) + " " + std::string(merge.right));
  }
  data.merges.assign(joined.begin(), joined.end());
  return BytePairTokenizer(data);
}

/// The prefix that normalizer and pre-tokenizer give to a text, and whether spaces begin words.
inline void read_written_spaces(const JsonValue& root, const std::vector<JsonValue>& pre_tokenizer,
                                ByteFallbackData& data) {
  const std::vector<JsonValue> normalizer = unrolled_steps(root, "normalizer", "normalizers");
  const bool prepends = normalizer.size() == 2 && normalizer[0].has("type", "Prepend");
  if (normalizer.size() > (prepends ? 2 : 1) || (!normalizer.empty() && !writes_spaces(normalizer.back()))) {
    throw root.get("normalizer")
        .mismatch(
            "null, a \"Replace\" of spaces with or without a \"Prepend\" before it, or, before a "
            "\"ByteLevel\" pre-tokenizer, \"NFC\"");
  }
  if (prepends && !normalizer[0].has("prepend", written_space)) {
    throw normalizer[0].get("prepend", "U+2581").mismatch("U+2581");
  }
  data.space_prefix = prepends ? SpacePrefix::each_part : SpacePrefix::none;
  if (pre_tokenizer.empty()) {
    constexpr std::string_view expected = "one that writes spaces as U+2581, or a \"Metaspace\" pre-tokenizer";
    if (normalizer.empty()) throw root.get("normalizer", expected).mismatch(expected);
    return;
  }
  const auto unknown_step = [&] {
    return root.get("pre_tokenizer")
        .mismatch("null, \"Metaspace\", or \"ByteLevel\" by itself or after \"Digits\" or an isolating \"Split\"");
  };
  if (pre_tokenizer.size() > 1) throw unknown_step();
  const JsonValue& step = pre_tokenizer[0];
  // Has no effect: it splits at spaces, of which the normalizer has left none (Gemma).
  if (step.has("type", "Split") && has_pattern(step, "String", " ") && !normalizer.empty()) return;
  if (!step.has("type", "Metaspace")) throw unknown_step();
  data.split_at_spaces = step.find<bool>("split").value_or(true);
  const SpacePrefix prefix = read_metaspace_prefix(step);
  if (normalizer.empty()) {
    data.space_prefix = prefix;
  } else if (prefix != SpacePrefix::no_part) {
    constexpr std::string_view expected = "\"never\" where the normalizer writes spaces";
    throw step.get("prepend_scheme", expected).mismatch(expected);
  }
}

inline ByteFallbackTokenizer read_byte_fallback(const JsonValue& root, const std::vector<JsonValue>& pre_tokenizer,
                                                const JsonTokens& tokens, TokenTableData common) {
  const JsonValue model = root.get("model");
  if (model.find<bool>("ignore_merges").value_or(false)) {
    throw model.get("ignore_merges").mismatch("false without a \"ByteLevel\" pre-tokenizer");
  }
  ByteFallbackData data;
  static_cast<TokenTableData&>(data) = std::move(common);
  read_written_spaces(root, pre_tokenizer, data);
  data.unknown.reset();
  if (const auto unknown = model.find("unk_token")) {
    data.unknown = tokens.find_of_model(unknown->as<std::string_view>());
    if (!data.unknown) throw unknown->mismatch("a token of the vocabulary");
  }
  data.merges = read_json_merges(model);
  data.fuse_unknown = model.find<bool>("fuse_unk").value_or(false);
  data.byte_fallback = model.find<bool>("byte_fallback").value_or(false);
  return ByteFallbackTokenizer(data);
}

}  // namespace detail

/// The tokenizer that the text of a tokenizer.json describes, with the ids of Hugging Face `tokenizers`:
///
/// - a byte-level BPE: pre-tokenizer `ByteLevel` (GPT-2), `Digits` and `ByteLevel` (SmolLM), or `Split` by the pattern
///   of LLaMA-3 or Qwen2 and `ByteLevel`; normalizer null or `NFC`;
/// - a BPE over characters, usually with byte fallback: spaces written by the normalizer (LLaMA-2, Gemma) or by
///   `Metaspace` (Mistral);
/// - a Unigram; with compiled normalisation rules it is returned as the SentencePiece model that it came from.
///
/// The post_processor decides whether bos or eos is added. `special` may add tokens; `is_whole`, if given, receives
/// whether it adds none. Throws InvalidFile, naming `path`, the field, what was expected and what was found, for
/// anything else.
inline HuggingFaceTokenizer parse_tokenizer_json(std::string_view text, const std::string& path,
                                                 const SpecialTokens& special = {}, bool* is_whole = nullptr) {
  const JsonValue root = JsonValue::parse(text, path, detail::tokenizer_json_limits);
  const JsonValue model = root.get("model", "an object");
  const bool unigram = model.has("type", "Unigram");
  if (!unigram && !model.has("type", "BPE") && (model.find("type") || !model.find("merges"))) {
    constexpr std::string_view expected = "\"BPE\" or \"Unigram\"";
    throw model.get("type", expected).mismatch(expected);
  }
  detail::JsonTokenCollector collector;
  const JsonValue vocabulary = model.get("vocab", "the tokens");
  if (unigram) {
    std::int32_t id = 0;
    for (const JsonValue& entry : vocabulary.elements()) {
      const std::vector<JsonValue> parts = entry.elements();
      if (parts.size() != 2) throw entry.mismatch("[\"piece\", score]");
      collector.add([&] { return entry; }, id++, parts[0].as<std::string_view>());
    }
  } else {
    detail::collect_vocabulary(vocabulary, collector);
  }
  const std::vector<AddedToken> own = detail::read_json_added_tokens(root);
  const detail::JsonTokens tokens = collector.tokens(vocabulary, own, special.added);
  if (is_whole != nullptr) *is_whole = tokens.is_whole;
  TokenTableData common = detail::token_table_data(tokens);
  detail::set_special_tokens(root, special, common, tokens);
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const auto value = model.find(key); value && !value->is("") && value->json() != 0.0) {
      throw value->mismatch("null");
    }
  }
  try {
    if (unigram && detail::has_charsmap(root)) return detail::read_unigram_model(root, std::move(common));
    if (unigram) return detail::read_unigram(root, std::move(common));
    const auto steps = detail::unrolled_steps(root, "pre_tokenizer", "pretokenizers");
    if (const auto name = detail::byte_level_pre_tokenizer(steps)) {
      return detail::read_byte_level(root, *name, steps.back(), tokens, std::move(common));
    }
    return detail::read_byte_fallback(root, steps, tokens, std::move(common));
  } catch (const InvalidArgument& error) {
    throw InvalidFile(path + ": " + error.what());
  }
}

}  // namespace zeroth::ZEROTH_ISA::model

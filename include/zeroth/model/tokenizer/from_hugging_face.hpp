// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/format/printable.hpp>
#include <zeroth/model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>
#include <zeroth/model/tokenizer/sentencepiece_model.hpp>
#include <zeroth/model/tokenizer/tokenizer_json.hpp>
#include <zeroth/model/tokenizer/unigram_json.hpp>

namespace zeroth::model {

/// What a tokenizer.json describes.
using HuggingFaceTokenizer = std::variant<BytePairTokenizer, ByteFallbackTokenizer, SentencePieceModel>;

/// What the files beside a tokenizer.json say of special tokens.
struct SpecialTokens {
  std::optional<std::string> bos = {};
  std::optional<std::string> eos = {};
  std::optional<std::string> unknown = {};
  std::optional<std::string> padding = {};
  // Where none of the files names the token itself:
  std::optional<std::int32_t> bos_id = {};
  std::optional<std::int32_t> eos_id = {};
  std::optional<std::int32_t> padding_id = {};
  std::optional<bool> add_bos = {};  ///< for a tokenizer.model, which does not say it itself
  std::optional<bool> add_eos = {};
};

namespace detail {

/// Fills in the ids of special tokens, from the template and the files beside.
inline void set_special_tokens(const JsonField& root, const SpecialTokens& special, TokenTableData& data,
                               const JsonTokens& tokens) {
  const auto find = [&](const char* name, const std::optional<std::string>& text, std::optional<std::int32_t> id) {
    if (!text) return id;
    const auto found = tokens.find(*text);
    if (!found) root["added_tokens"].fail(std::string("the ") + name + " token \"" + printable(*text) + "\"");
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
      root["post_processor"].fail(std::string("a template with the ") + name + " token, " + std::to_string(*known));
    }
    known = id;
    flag = true;
  };
  add("bos", added.before, data.bos, data.add_bos);
  add("eos", added.after, data.eos, data.add_eos);
}

inline BytePairTokenizer read_byte_level(const JsonField& root, std::string_view pre_tokenizer,
                                         const JsonTokens& tokens, TokenTableData common) {
  const JsonField model = root["model"];
  if (model["byte_fallback"].boolean(false)) model["byte_fallback"].fail("false with a \"ByteLevel\" pre-tokenizer");
  TokenizerData data;
  static_cast<TokenTableData&>(data) = std::move(common);
  for (const JsonField& step : unrolled_steps(root["normalizer"], "normalizers")) {
    if (!step["type"].is("NFC")) step.fail("null or \"NFC\"");
    data.normalization = Normalization::nfc;
  }
  if (!model["unk_token"].is_null()) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string text = byte_alphabet_text(static_cast<unsigned char>(byte));
      if (!tokens.find(text)) model["unk_token"].fail("null, since the byte " + std::to_string(byte) + " has no token");
    }
  }
  data.pre_tokenizer = pre_tokenizer;
  data.ignore_merges = model["ignore_merges"].boolean(false);
  // The byte alphabet has no space.
  std::vector<std::string> joined;
  for (const MergeTexts& merge : read_json_merges(model["merges"])) {
    joined.push_back(std::string(merge.left) + " " + std::string(merge.right));
  }
  data.merges.assign(joined.begin(), joined.end());
  return BytePairTokenizer(data);
}

/// The prefix that the normalizer and the pre-tokenizer give to a text, and whether spaces begin words.
inline void read_written_spaces(const JsonField& root, const std::vector<JsonField>& pre_tokenizer,
                                ByteFallbackData& data) {
  const std::vector<JsonField> normalizer = unrolled_steps(root["normalizer"], "normalizers");
  const bool prepends = normalizer.size() == 2 && normalizer[0]["type"].is("Prepend");
  if (normalizer.size() > (prepends ? 2 : 1) || (!normalizer.empty() && !writes_spaces(normalizer.back()))) {
    root["normalizer"].fail(
        "null, a \"Replace\" of spaces with or without a \"Prepend\" before it, or, before a "
        "\"ByteLevel\" pre-tokenizer, \"NFC\"");
  }
  if (prepends && !normalizer[0]["prepend"].is(written_space)) normalizer[0]["prepend"].fail("U+2581");
  data.space_prefix = prepends ? SpacePrefix::each_part : SpacePrefix::none;
  if (pre_tokenizer.empty()) {
    if (normalizer.empty())
      root["normalizer"].fail("one that writes spaces as U+2581, or a \"Metaspace\" pre-tokenizer");
    return;
  }
  const auto fail_unknown = [&] {
    root["pre_tokenizer"].fail(
        "null, \"Metaspace\", or \"ByteLevel\" alone or after \"Digits\" or an isolating \"Split\"");
  };
  if (pre_tokenizer.size() > 1) fail_unknown();
  const JsonField& step = pre_tokenizer[0];
  // Without effect: it cuts at spaces, of which the normalizer has left none (Gemma).
  if (step["type"].is("Split") && step["pattern"]["String"].is(" ") && !normalizer.empty()) return;
  if (!step["type"].is("Metaspace")) fail_unknown();
  if (!step["replacement"].is(written_space)) step["replacement"].fail("U+2581");
  data.split_at_spaces = step["split"].boolean(true);
  const JsonField scheme = step["prepend_scheme"];
  const bool never = scheme.is("never") || (scheme.is_null() && !step["add_prefix_space"].boolean(true));
  if (never) return;
  if (!normalizer.empty()) scheme.fail("\"never\" where the normalizer writes spaces");
  if (scheme.is("first")) {
    data.space_prefix = SpacePrefix::first_part;
  } else if (scheme.is("always") || scheme.is_null()) {
    data.space_prefix = SpacePrefix::each_part_without;
  } else {
    scheme.fail("\"first\", \"always\" or \"never\"");
  }
}

inline ByteFallbackTokenizer read_byte_fallback(const JsonField& root, const std::vector<JsonField>& pre_tokenizer,
                                                const JsonTokens& tokens, TokenTableData common) {
  const JsonField model = root["model"];
  if (model["ignore_merges"].boolean(false)) model["ignore_merges"].fail("false without a \"ByteLevel\" pre-tokenizer");
  ByteFallbackData data;
  static_cast<TokenTableData&>(data) = std::move(common);
  read_written_spaces(root, pre_tokenizer, data);
  data.unknown.reset();
  if (const JsonField unknown = model["unk_token"]; !unknown.is_null()) {
    data.unknown = tokens.find(unknown.text());
    if (!data.unknown) unknown.fail("a token of the vocabulary");
  }
  data.merges = read_json_merges(model["merges"]);
  data.fuse_unknown = model["fuse_unk"].boolean(false);
  data.byte_fallback = model["byte_fallback"].boolean(false);
  return ByteFallbackTokenizer(data);
}

}  // namespace detail

/// The tokenizer that the text of a tokenizer.json describes, with the ids of Hugging Face `tokenizers`:
///
/// - a byte-level BPE: pre-tokenizer `ByteLevel` (GPT-2), `Digits` and `ByteLevel` (SmolLM), or `Split` by the pattern
/// of
///   LLaMA-3 or Qwen2 and `ByteLevel`; normalizer null or `NFC`;
/// - a BPE of characters, mostly with byte fallback: spaces written by the normalizer (LLaMA-2, Gemma) or by
/// `Metaspace`
///   (Mistral);
/// - a Unigram: returned as the SentencePiece model that it came from.
///
/// Whether bos or eos is added its post_processor decides. Throws InvalidFile, naming `path`, the field, what was
/// expected and what was found, for anything else.
inline HuggingFaceTokenizer parse_tokenizer_json(std::string_view text, const std::string& path,
                                                 const SpecialTokens& special = {}) {
  const nlohmann::json json = detail::parse_json(text, path);
  const detail::JsonField root(json, path);
  const detail::JsonField model = root["model"];
  const bool unigram = model["type"].is("Unigram");
  if (!unigram && !model["type"].is("BPE") && !(model["type"].is_null() && !model["merges"].is_null())) {
    model["type"].fail("\"BPE\" or \"Unigram\"");
  }
  detail::JsonTokenCollector collector;
  if (unigram) {
    const detail::JsonField vocabulary = model["vocab"];
    for (std::size_t i = 0; i < vocabulary.size(); ++i) {
      const detail::JsonField entry = vocabulary[i];
      if (entry.size() != 2) entry.fail("[\"piece\", score]");
      collector.add(entry, static_cast<std::int32_t>(i), entry[std::size_t{0}].text());
    }
  } else {
    const detail::JsonField vocabulary = model["vocab"];
    if (!vocabulary.json().is_object()) vocabulary.fail("an object");
    for (const auto& [token, id] : vocabulary.json().items()) {
      collector.add(vocabulary, vocabulary[token].id(), token);
    }
  }
  const detail::JsonTokens tokens = detail::read_json_tokens(root, collector);
  TokenTableData common;
  common.tokens = tokens.texts;
  common.token_types = tokens.types;
  common.added_token_rules = tokens.rules;
  detail::set_special_tokens(root, special, common, tokens);
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const detail::JsonField field = model[key]; !field.is_null() && !field.is("") && field.json() != 0.0) {
      field.fail("null");
    }
  }
  try {
    if (unigram) return detail::read_unigram(root, common);
    const auto steps = detail::unrolled_steps(root["pre_tokenizer"], "pretokenizers");
    if (const auto name = detail::byte_level_pre_tokenizer(steps)) {
      return detail::read_byte_level(root, *name, tokens, std::move(common));
    }
    return detail::read_byte_fallback(root, steps, tokens, std::move(common));
  } catch (const InvalidArgument& error) {
    throw InvalidFile(path + ": " + error.what());
  }
}

}  // namespace zeroth::model

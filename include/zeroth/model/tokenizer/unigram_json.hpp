// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/model/tokenizer/sentencepiece_model.hpp>
#include <zeroth/model/tokenizer/token_table.hpp>
#include <zeroth/model/tokenizer/tokenizer_json.hpp>
#include <zeroth/model/tokenizer/written_bytes.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

inline constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes that `text` encodes in base 64; nothing if it is not that.
inline std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string result;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t digit = base64_digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    result += static_cast<char>((bits >> count) & 0xFF);
  }
  return result;
}

inline std::string to_base64(std::string_view bytes) {
  std::string result;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = (bits << 8) | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      result += i + j <= bytes.size() ? base64_digits[(bits >> (18 - 6 * j)) & 63u] : '=';
    }
  }
  return result;
}

/// The normalisation of a SentencePiece model, from the normalizer and the pre-tokenizer that Hugging Face made of it.
inline void read_unigram_normalization(const JsonValue& root, SentencePieceModel& model) {
  model.remove_extra_whitespaces = false;
  for (const JsonValue& step : unrolled_steps(root, "normalizer", "normalizers")) {
    if (step.has("type", "Precompiled")) {
      const JsonValue rules = step.get("precompiled_charsmap", "one, in base 64");
      const auto charsmap = from_base64(rules.as<std::string_view>());
      if (!charsmap || !model.charsmap.empty()) throw rules.mismatch("one, in base 64");
      model.charsmap = *charsmap;
    } else if (step.has("type", "Replace") && has_pattern(step, "Regex", " {2,}")) {
      model.remove_extra_whitespaces = true;
    } else if (!step.has("type", "Strip") && !writes_spaces(step)) {
      throw step.mismatch("\"Precompiled\", \"Strip\" or a \"Replace\" of spaces");
    }
  }
  bool metaspace = false;
  for (const JsonValue& step : unrolled_steps(root, "pre_tokenizer", "pretokenizers")) {
    if (step.has("type", "WhitespaceSplit")) {
      model.remove_extra_whitespaces = true;
      continue;
    }
    if (!step.has("type", "Metaspace") || metaspace) {
      throw step.mismatch("one \"Metaspace\", with or without \"WhitespaceSplit\"");
    }
    metaspace = true;
    if (!step.has("replacement", written_space)) throw step.get("replacement", "U+2581").mismatch("U+2581");
    const auto scheme = step.find<std::string_view>("prepend_scheme");
    model.add_dummy_prefix = scheme ? *scheme != "never" : step.find<bool>("add_prefix_space").value_or(true);
  }
  if (!metaspace) throw root.get("pre_tokenizer", "\"Metaspace\"").mismatch("\"Metaspace\"");
}

/// The SentencePiece model that the file was made from.
inline SentencePieceModel read_unigram(const JsonValue& root, const TokenTableData& common) {
  const JsonValue fields = root.get("model");
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::unigram;
  model.byte_fallback = fields.find<bool>("byte_fallback").value_or(false);
  const std::vector<JsonValue> vocabulary = fields.get("vocab").elements();
  for (std::size_t i = 0; i < common.tokens.size(); ++i) {
    SentencePiece piece{.text = std::string(common.tokens[i]), .type = static_cast<TokenType>(common.token_types[i])};
    if (i < vocabulary.size()) piece.score = vocabulary[i].elements()[1].as<float>();
    if (model.byte_fallback && piece.type == TokenType::normal && byte_of_token(piece.text))
      piece.type = TokenType::byte;
    model.pieces.push_back(std::move(piece));
  }
  const JsonValue unknown = fields.get("unk_id", "an id of the vocabulary");
  const auto unknown_id = static_cast<std::size_t>(json_token_id(unknown));
  if (unknown_id >= model.pieces.size()) throw unknown.mismatch("an id of the vocabulary");
  model.pieces[unknown_id].type = TokenType::unknown;
  read_unigram_normalization(root, model);
  model.bos = common.bos;
  model.eos = common.eos;
  model.padding = common.padding;
  model.add_bos = common.add_bos;
  model.add_eos = common.add_eos;
  return model;
}

}  // namespace zeroth::ZEROTH_ISA::model::detail

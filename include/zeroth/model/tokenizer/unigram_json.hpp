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

namespace zeroth::model::detail {

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
inline void read_unigram_normalization(const JsonField& root, SentencePieceModel& model) {
  model.remove_extra_whitespaces = false;
  for (const JsonField& step : unrolled_steps(root["normalizer"], "normalizers")) {
    if (step["type"].is("Precompiled")) {
      const auto charsmap = from_base64(step["precompiled_charsmap"].text());
      if (!charsmap || !model.charsmap.empty()) step["precompiled_charsmap"].fail("one, in base 64");
      model.charsmap = *charsmap;
    } else if (step["type"].is("Replace") && step["pattern"]["Regex"].is(" {2,}")) {
      model.remove_extra_whitespaces = true;
    } else if (!step["type"].is("Strip") && !writes_spaces(step)) {
      step.fail("\"Precompiled\", \"Strip\" or a \"Replace\" of spaces");
    }
  }
  bool metaspace = false;
  for (const JsonField& step : unrolled_steps(root["pre_tokenizer"], "pretokenizers")) {
    if (step["type"].is("WhitespaceSplit")) {
      model.remove_extra_whitespaces = true;
      continue;
    }
    if (!step["type"].is("Metaspace") || metaspace) step.fail("one \"Metaspace\", with or without \"WhitespaceSplit\"");
    metaspace = true;
    if (!step["replacement"].is(written_space)) step["replacement"].fail("U+2581");
    const JsonField scheme = step["prepend_scheme"];
    model.add_dummy_prefix = !scheme.is("never") && (!scheme.is_null() || step["add_prefix_space"].boolean(true));
  }
  if (!metaspace) root["pre_tokenizer"].fail("\"Metaspace\"");
}

/// The SentencePiece model that the file was made from.
inline SentencePieceModel read_unigram(const JsonField& root, const TokenTableData& common) {
  const JsonField fields = root["model"];
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::unigram;
  model.byte_fallback = fields["byte_fallback"].boolean(false);
  const JsonField vocabulary = fields["vocab"];
  for (std::size_t i = 0; i < common.tokens.size(); ++i) {
    SentencePiece piece{.text = std::string(common.tokens[i]), .type = static_cast<TokenType>(common.token_types[i])};
    if (i < vocabulary.size()) {
      const JsonField score = vocabulary[i][std::size_t{1}];
      if (!score.json().is_number()) score.fail("a number");
      piece.score = score.json().get<float>();
    }
    if (model.byte_fallback && piece.type == TokenType::normal && byte_of_token(piece.text))
      piece.type = TokenType::byte;
    model.pieces.push_back(std::move(piece));
  }
  const JsonField unknown = fields["unk_id"];
  const auto unknown_id = static_cast<std::size_t>(unknown.id());
  if (unknown_id >= model.pieces.size()) unknown.fail("an id of the vocabulary");
  model.pieces[unknown_id].type = TokenType::unknown;
  read_unigram_normalization(root, model);
  model.bos = common.bos;
  model.eos = common.eos;
  model.padding = common.padding;
  model.add_bos = common.add_bos;
  model.add_eos = common.add_eos;
  return model;
}

}  // namespace zeroth::model::detail

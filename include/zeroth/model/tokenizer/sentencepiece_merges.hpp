// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth/model/tokenizer/sentencepiece_model.hpp>
#include <zeroth/model/tokenizer/unicode.hpp>
#include <zeroth/model/tokenizer/vocabulary.hpp>

namespace zeroth::model {

/// Whether byte_fallback_tokenizer() can follow the model: a byte-pair encoding of the text as it is.
inline bool is_plain_byte_pair(const SentencePieceModel& model) {
  return model.kind == SentencePieceModel::Kind::byte_pair && model.charsmap.empty() &&
         !model.remove_extra_whitespaces && !model.whitespace_as_suffix;
}

/// The tokenizer that Hugging Face makes of such a SentencePiece model (LLaMA-2, Mistral): where SentencePiece joins
/// the two neighbours whose whole has the best score, it merges any two pieces that make a third, the best of these
/// first. The ids are SentencePiece's, but that a space goes before each part between user-defined tokens, not only the
/// first.
///
/// Throws InvalidArgument if the model contradicts itself, or if !is_plain_byte_pair(model).
inline ByteFallbackTokenizer byte_fallback_tokenizer(const SentencePieceModel& model) {
  if (!is_plain_byte_pair(model)) {
    throw InvalidArgument("sentencepiece model: expected a byte-pair encoding of text that is not normalised");
  }
  struct Scored {
    MergeTexts texts;
    float score;
    std::int32_t left;
    std::int32_t right;
  };
  ByteFallbackData data;
  for (const SentencePiece& piece : model.pieces) {
    if (!std::isfinite(piece.score)) {
      throw InvalidArgument("sentencepiece pieces[" + std::to_string(data.tokens.size()) +
                            "].score: expected a finite number");
    }
    if (piece.type == TokenType::unknown) data.unknown = static_cast<std::int32_t>(data.tokens.size());
    data.tokens.emplace_back(piece.text);
    data.token_types.push_back(static_cast<std::int32_t>(piece.type));
    // SentencePiece's own limit is some dozens; the search below is quadratic in it.
    if (piece.type == TokenType::normal && piece.text.size() > 4096) {
      throw InvalidArgument("sentencepiece pieces[" + std::to_string(data.tokens.size() - 1) +
                            "]: expected at most 4096 bytes, found " + std::to_string(piece.text.size()));
    }
  }
  const Vocabulary vocabulary(data.tokens);
  std::vector<Scored> merges;
  for (const SentencePiece& piece : model.pieces) {
    const std::string_view text = piece.text;
    // The text of the others is found whole or never.
    if (piece.type != TokenType::normal) continue;
    const std::size_t first = merges.size();
    for (std::size_t i = 0; i < text.size();) {
      i += next_character(text, i).length;
      if (i >= text.size()) break;
      const std::int32_t left = vocabulary.find(text.substr(0, i));
      const std::int32_t right = vocabulary.find(text.substr(i));
      if (left == Vocabulary::absent || right == Vocabulary::absent) continue;
      merges.push_back({{text.substr(0, i), text.substr(i)}, piece.score, left, right});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(),
              [](const Scored& a, const Scored& b) { return a.left != b.left ? a.left < b.left : a.right < b.right; });
  }
  std::stable_sort(merges.begin(), merges.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
  data.merges.reserve(merges.size());
  for (const Scored& merge : merges) data.merges.push_back(merge.texts);
  data.space_prefix = model.add_dummy_prefix ? SpacePrefix::each_part : SpacePrefix::none;
  data.byte_fallback = model.byte_fallback;
  data.bos = model.bos;
  data.eos = model.eos;
  data.padding = model.padding;
  data.add_bos = model.add_bos;
  data.add_eos = model.add_eos;
  return ByteFallbackTokenizer(data);
}

}  // namespace zeroth::model

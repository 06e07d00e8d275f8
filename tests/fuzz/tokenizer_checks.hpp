// SPDX-License-Identifier: MIT
#pragma once

// Shared by the targets for tokenizers: the requirements on an accepted tokenizer.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/any_tokenizer.hpp>
#include <zeroth_model/tokenizer/load_tokenizer.hpp>
#ifdef ZEROTH_SENTENCEPIECE
#include <zeroth_model/tokenizer/sentencepiece.hpp>
#endif

#include "fuzz_target.hpp"

namespace zeroth_fuzz {

/// For the tokenizers that need the library; without it they are rejected.
inline zeroth::model::SentencePieceMaker sentencepiece_maker() {
#ifdef ZEROTH_SENTENCEPIECE
  return zeroth::model::sentencepiece_tokenizer;
#else
  return {};
#endif
}

/// A text that contains every token, then words, digits, spaces and bytes that are not characters.
inline std::string text_with_everything(const zeroth::model::AnyTokenizer& tokenizer) {
  std::vector<std::int32_t> all;
  for (std::size_t id = 0; id < tokenizer.vocabulary_size(); ++id) all.push_back(static_cast<std::int32_t>(id));
  return tokenizer.decode(all) + "It's 42  abab\n\tc\xc3\xa9 \xe2\x82\xff";
}

/// Whether the reader of tokenizer.json supports what is written for the tokenizer. SentencePiece's byte-pair encoding
/// of text that it normalises is written only for transformers.
inline bool can_be_read_again(const zeroth::model::AnyTokenizer& tokenizer) {
#ifdef ZEROTH_SENTENCEPIECE
  using zeroth::model::SentencePieceModel;
  const auto* const library = tokenizer.get_if<zeroth::model::SentencePieceTokenizer>();
  return library == nullptr || library->model().kind != SentencePieceModel::Kind::byte_pair;
#else
  return tokenizer.vocabulary_size() > 0;
#endif
}

/// Whether every sum of scores in a text of that many bytes is exact, in float and double: otherwise SentencePiece and
/// tokenizers may choose between two segmentations by their rounding.
inline bool has_exact_scores(const zeroth::model::AnyTokenizer& tokenizer, std::size_t bytes) {
#ifdef ZEROTH_SENTENCEPIECE
  using namespace zeroth::model;
  const auto* const library = tokenizer.get_if<SentencePieceTokenizer>();
  if (library == nullptr) return true;
  constexpr double grid = 256;
  double most = 0;
  for (const SentencePiece& piece : library->model().pieces) {
    const double score = piece.score * grid;
    if (score != std::floor(score)) return false;
    most = std::max(most, std::abs(score));
  }
  constexpr double penalty = 10;  // for a character without a piece
  // A space takes three bytes.
  return (most + penalty * grid) * static_cast<double>(3 * bytes) < 0x1p24;
#else
  return tokenizer.vocabulary_size() > 0 && bytes > 0;
#endif
}

/// Encodes, decodes and exports; what it writes must read as a tokenizer that gives the same ids.
inline void check_tokenizer(const zeroth::model::AnyTokenizer& tokenizer) {
  using namespace zeroth::model;
  const std::string text = text_with_everything(tokenizer);
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (const std::int32_t id : ids) {
    require(id >= 0 && static_cast<std::size_t>(id) < tokenizer.vocabulary_size(), "an id is not in the vocabulary");
  }
  (void)tokenizer.decode(ids);

  std::vector<TokenizerFile> files;
  try {
    files = tokenizer.hugging_face_files(64);
  } catch (const zeroth::InvalidArgument&) {
    return;  // the format cannot express the tokenizer
  }
  for (const TokenizerFile& file : files) require(nlohmann::json::accept(file.text), file.name + " is not JSON");
  if (!can_be_read_again(tokenizer)) return;
  const AnyTokenizer again = read_again([&] {
    return detail::make_hugging_face_tokenizer(parse_tokenizer_json(files[0].text, "written"), {},
                                               sentencepiece_maker(), "written");
  });
  const std::vector<std::int32_t> again_ids = again.encode(text);
  require(again_ids == ids || !has_exact_scores(tokenizer, text.size()),
          "written as tokenizer.json, it gives other ids");
}

}  // namespace zeroth_fuzz

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/gguf/gguf_writer.hpp>
#include <zeroth_model/tokenizer/byte_alphabet.hpp>
#include <zeroth_model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth_model/tokenizer/byte_pair_tokenizer.hpp>
#include <zeroth_model/tokenizer/from_gguf.hpp>
#include <zeroth_model/tokenizer/sentencepiece_merges.hpp>
#include <zeroth_model/tokenizer/sentencepiece_model.hpp>
#include <zeroth_model/tokenizer/unigram_tokenizer.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// GGUF's row for a pre-tokenizer: the one that also matches `ignore_merges`, if there is one.
[[nodiscard]] constexpr const GgufPreTokenizer& gguf_pre_tokenizer(PreTokenizer words, bool ignore_merges) noexcept {
  const GgufPreTokenizer* found = nullptr;
  for (const GgufPreTokenizer& row : gguf_pre_tokenizers) {
    if (row.words != words) continue;
    if (row.ignore_merges == ignore_merges) return row;
    if (found == nullptr) found = &row;
  }
  return *found;
}

namespace detail {

/// Sets tokens and their types, and the scores of those that have one.
inline void set_gguf_tokens(GgufWriter& writer, std::vector<SentencePiece> pieces, std::size_t vocabulary,
                            bool scored) {
  const std::size_t known = pieces.size();
  if (vocabulary > known) pieces.resize(vocabulary, {.text = "", .score = 0, .type = TokenType::unused});
  std::vector<std::string_view> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    // llama.cpp requires a name for every row.
    if (pieces[i].text.empty()) pieces[i].text = (i < known ? "[UNUSED" : "[PAD") + std::to_string(i) + "]";
    texts.emplace_back(pieces[i].text);
    scores.push_back(pieces[i].score);
    types.push_back(static_cast<std::int32_t>(pieces[i].type));
  }
  writer.set_array<std::string_view>("tokenizer.ggml.tokens", texts);
  if (scored) writer.set_array<float>("tokenizer.ggml.scores", scores);
  writer.set_array<std::int32_t>("tokenizer.ggml.token_type", types);
}

template <class Tokenizer>
void set_gguf_special_tokens(GgufWriter& writer, const Tokenizer& tokenizer) {
  const auto set_id = [&](std::string_view key, std::optional<std::int32_t> id) {
    if (id) writer.set(key, static_cast<std::uint32_t>(*id));
  };
  set_id("tokenizer.ggml.bos_token_id", tokenizer.bos());
  set_id("tokenizer.ggml.eos_token_id", tokenizer.eos());
  set_id("tokenizer.ggml.unknown_token_id", tokenizer.unknown());
  set_id("tokenizer.ggml.padding_token_id", tokenizer.padding());
  writer.set("tokenizer.ggml.add_bos_token", tokenizer.add_bos());
  writer.set("tokenizer.ggml.add_eos_token", tokenizer.add_eos());
}

/// Whether a GGUF file of the tokenizer says which tokens the model's own vocabulary has, as far as this affects the
/// ids of a text.
inline bool gguf_has_own_vocabulary(const BytePairTokenizer& tokenizer) {
  std::vector<std::int32_t> types;
  std::vector<std::int32_t> only_added;
  bool is_symbol = false;
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    types.push_back(static_cast<std::int32_t>(tokenizer.token_type(id)));
    if (!tokenizer.is_only_added(id)) continue;
    only_added.push_back(id);
    const auto bytes = bytes_of_token(tokenizer.token_text(id));
    is_symbol = is_symbol || (bytes && bytes->size() == 1);
  }
  if (tokenizer.ignore_merges()) return only_added == last_literals(types);
  return !is_symbol;
}

/// The keys of a unigram model, "t5", without special tokens.
inline void set_gguf_unigram(GgufWriter& writer, const SentencePieceModel& model, std::size_t vocabulary) {
  if (model.kind != SentencePieceModel::Kind::unigram) {
    throw InvalidArgument(
        "sentencepiece model: expected a byte-pair encoding without normalisation, which GGUF's \"llama\" does not "
        "have");
  }
  if (model.byte_fallback)
    throw InvalidArgument("sentencepiece byte_fallback: expected none in a unigram model, as in GGUF's \"t5\"");
  if (model.whitespace_as_suffix)
    throw InvalidArgument("sentencepiece treat_whitespace_as_suffix: expected false, as in GGUF's \"t5\"");
  writer.set("tokenizer.ggml.model", std::string_view("t5"));
  writer.set("tokenizer.ggml.pre", std::string_view("default"));
  writer.set("tokenizer.ggml.add_space_prefix", model.add_dummy_prefix);
  writer.set("tokenizer.ggml.remove_extra_whitespaces", model.remove_extra_whitespaces);
  if (!model.charsmap.empty()) writer.set_bytes("tokenizer.ggml.precompiled_charsmap", model.charsmap);
  set_gguf_tokens(writer, model.pieces, vocabulary, true);
}

}  // namespace detail

/// Sets the keys from which load_tokenizer() and llama.cpp rebuild this tokenizer, as model "gpt2".
///
/// @param vocabulary tokens for which the model has a row, at least the tokenizer's; those beyond get names of their
///   own and the type `unused`, since llama.cpp requires a name for every row
/// @return whether the keys describe everything, so that a tokenizer read from them gives the same ids for every text.
///   GGUF has no keys for the rules of added tokens and none for normalisation; Qwen2's is implied.
/// @throws InvalidArgument if llama.cpp would tokenize plain text differently: `ignore_merges` with a pre-tokenizer
///   other than LLaMA-3's
inline bool set_tokenizer_metadata(GgufWriter& writer, const BytePairTokenizer& tokenizer, std::size_t vocabulary) {
  const GgufPreTokenizer& row = gguf_pre_tokenizer(tokenizer.pre_tokenizer(), tokenizer.ignore_merges());
  const std::string_view name = row.name;
  if (tokenizer.ignore_merges() != row.ignore_merges) {
    throw InvalidArgument("tokenizer ignore_merges: expected " + std::string(row.ignore_merges ? "true" : "false") +
                          ", as in GGUF's pre-tokenizer \"" + std::string(name) + "\", found " +
                          (row.ignore_merges ? "false" : "true"));
  }
  if (tokenizer.add_prefix_space()) {
    throw InvalidArgument("tokenizer add_prefix_space: expected false, as in GGUF's pre-tokenizer \"" +
                          std::string(name) + "\", found true");
  }
  const Normalization understood = row.nfc ? Normalization::nfc : Normalization::none;
  std::vector<SentencePiece> pieces;
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    pieces.push_back({std::string(tokenizer.token_text(id)), 0, tokenizer.token_type(id)});
  }
  std::vector<std::string> merges;
  for (const MergeTable::Merge& merge : tokenizer.merges()) {
    std::string& text = merges.emplace_back(tokenizer.token_text(merge.left));
    text.append(" ").append(tokenizer.token_text(merge.right));
  }
  const std::vector<std::string_view> merge_views(merges.begin(), merges.end());

  writer.set("tokenizer.ggml.model", std::string_view("gpt2"));
  writer.set("tokenizer.ggml.pre", name);
  detail::set_gguf_tokens(writer, std::move(pieces), vocabulary, false);
  writer.set_array<std::string_view>("tokenizer.ggml.merges", merge_views);
  detail::set_gguf_special_tokens(writer, tokenizer);
  return tokenizer.normalization() == understood && !has_added_token_rules(tokenizer) &&
         detail::gguf_has_own_vocabulary(tokenizer);
}

/// The same for a unigram tokenizer, as model "t5". The keys never describe everything: which spaces a text gets and
/// the double precision of scores are missing. Throws InvalidArgument if llama.cpp would tokenize plain text
/// differently: with byte fallback, or if words begin at spaces that a token crosses.
inline bool set_tokenizer_metadata(GgufWriter& writer, const UnigramTokenizer& tokenizer, std::size_t vocabulary) {
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::unigram;
  model.byte_fallback = tokenizer.byte_fallback();
  model.add_dummy_prefix = adds_space(tokenizer.space_prefix());
  model.remove_extra_whitespaces =
      tokenizer.split_at_white_space() ||
      std::any_of(tokenizer.normalizer().begin(), tokenizer.normalizer().end(),
                  [](SpaceStep step) { return step == SpaceStep::collapse || step == SpaceStep::collapse_to_written; });
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const std::string_view text = tokenizer.token_text(id);
    TokenType type = tokenizer.token_type(id);
    if (id == tokenizer.unknown()) type = TokenType::unknown;
    if (type == TokenType::normal && tokenizer.split_at_spaces() && text.find(written_space, 1) != text.npos) {
      throw InvalidArgument("tokenizer split_at_spaces: expected false with the token " + detail::quoted_token(text) +
                            ", found true");
    }
    const float score = i < tokenizer.scores().size() ? static_cast<float>(tokenizer.scores()[i]) : 0.0f;
    model.pieces.push_back({std::string(text), score, type});
  }
  detail::set_gguf_unigram(writer, model, vocabulary);
  detail::set_gguf_special_tokens(writer, tokenizer);
  return false;
}

/// The same for a tokenizer with byte fallback, as model "llama". sentencepiece_form() says what its keys cannot
/// express and which tokenizers are rejected.
inline bool set_tokenizer_metadata(GgufWriter& writer, const ByteFallbackTokenizer& tokenizer, std::size_t vocabulary) {
  SentencePieceForm form = sentencepiece_form(tokenizer);
  writer.set("tokenizer.ggml.model", std::string_view("llama"));
  writer.set("tokenizer.ggml.pre", std::string_view("default"));
  writer.set("tokenizer.ggml.add_space_prefix", form.model.add_dummy_prefix);
  detail::set_gguf_tokens(writer, std::move(form.model.pieces), vocabulary, true);
  detail::set_gguf_special_tokens(writer, tokenizer);
  return form.exact;
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth_model/tokenizer/byte_trie.hpp>
#include <zeroth_model/tokenizer/merge_table.hpp>
#include <zeroth_model/tokenizer/sentencepiece_model.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>
#include <zeroth_model/tokenizer/vocabulary.hpp>
#include <zeroth_model/tokenizer/written_bytes.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Two pieces and the normal piece that they form, by id.
struct ScoredMerge {
  MergeTable::Merge merge;
  float score;  ///< of the whole

  bool operator<(const ScoredMerge& other) const {
    if (score != other.score) return score > other.score;
    return std::tie(merge.result, merge.left, merge.right) <
           std::tie(other.merge.result, other.merge.left, other.merge.right);
  }
};

/// Every way to form a normal piece from two pieces, the best pieces first. O(B log B) for pieces of B bytes in total.
inline std::vector<ScoredMerge> scored_merges(std::span<const SentencePiece> pieces) {
  std::vector<std::string_view> texts;
  for (const SentencePiece& piece : pieces) texts.emplace_back(piece.text);
  const ByteTrie forwards(texts);
  const ByteTrie backwards(texts, ByteTrie::Direction::backwards);
  std::vector<ScoredMerge> merges;
  std::vector<std::int32_t> lefts;  // the pieces that begin the text, indexed by their size
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    // Pieces of other types are found whole or not at all.
    if (pieces[id].type != TokenType::normal) continue;
    const std::string_view text = texts[id];
    lefts.assign(text.size(), ByteTrie::none);
    ByteTrie::Node node = ByteTrie::root;
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
      node = forwards.child(node, text[i]);
      lefts[i + 1] = forwards.text(node);
    }
    // Of two pieces with the same text, the later has it.
    if (text.empty() || forwards.text(forwards.child(node, text.back())) != static_cast<std::int32_t>(id)) continue;
    node = ByteTrie::root;
    for (std::size_t i = text.size(); i-- > 1;) {
      node = backwards.child(node, text[i]);
      // A piece is UTF-8, or is rejected later.
      if (lefts[i] == ByteTrie::none || backwards.text(node) == ByteTrie::none) continue;
      merges.push_back({{lefts[i], backwards.text(node), static_cast<std::int32_t>(id)}, pieces[id].score});
    }
  }
  std::sort(merges.begin(), merges.end());
  return merges;
}

}  // namespace detail

/// Whether byte_fallback_tokenizer() supports the model: a byte-pair encoding of the unnormalised text.
inline bool is_plain_byte_pair(const SentencePieceModel& model) {
  return model.kind == SentencePieceModel::Kind::byte_pair && model.charsmap.empty() &&
         !model.remove_extra_whitespaces && !model.whitespace_as_suffix;
}

/// The tokenizer that Hugging Face derives from such a SentencePiece model (LLaMA-2, Mistral): while SentencePiece
/// joins the two neighbours whose union has the best score, this one merges any two pieces that form a third, the best
/// of these first. The ids are SentencePiece's, except that a space goes before each part between user-defined tokens,
/// not only before the first.
///
/// Throws InvalidArgument if the model contradicts itself, or if !is_plain_byte_pair(model).
inline ByteFallbackTokenizer byte_fallback_tokenizer(const SentencePieceModel& model) {
  if (!is_plain_byte_pair(model)) {
    throw InvalidArgument("sentencepiece model: expected a byte-pair encoding of text that is not normalised");
  }
  ByteFallbackData data;
  for (const SentencePiece& piece : model.pieces) {
    if (!std::isfinite(piece.score)) {
      throw InvalidArgument("sentencepiece pieces[" + std::to_string(data.tokens.size()) +
                            "].score: expected a finite number");
    }
    TokenType type = piece.type;
    if (type == TokenType::unknown) {
      data.unknown = static_cast<std::int32_t>(data.tokens.size());
      type = model.added_unknown.value_or(type);
    }
    data.tokens.emplace_back(piece.text);
    data.token_types.push_back(static_cast<std::int32_t>(type));
  }
  // Pieces that other files add come last, and are found whole or not at all.
  std::vector<SentencePiece> pieces(model.pieces.begin(),
                                    model.pieces.end() - static_cast<std::ptrdiff_t>(model.only_added.size()));
  for (const std::int32_t id : model.merged_too) pieces[static_cast<std::size_t>(id)].type = TokenType::normal;
  for (SentencePiece& piece : pieces) {
    if (model.llama_prefix) piece.type = TokenType::normal;
  }
  auto merges = detail::scored_merges(pieces);
  if (model.llama_prefix) {
    std::sort(merges.begin(), merges.end(), [&](const detail::ScoredMerge& a, const detail::ScoredMerge& b) {
      const auto left_size = [&](const detail::ScoredMerge& each) {
        return pieces[static_cast<std::size_t>(each.merge.left)].text.size();
      };
      return std::pair(a.merge.result, left_size(a)) < std::pair(b.merge.result, left_size(b));
    });
  }
  for (const auto& [merge, score] : merges) {
    data.merges_by_id.push_back(merge);
  }
  data.space_prefix = model.llama_prefix.value_or(model.add_dummy_prefix ? SpacePrefix::each_part : SpacePrefix::none);
  data.only_added = model.only_added;
  data.added_token_rules = model.added_token_rules;
  data.byte_fallback = model.byte_fallback;
  data.bos = model.bos;
  data.eos = model.eos;
  data.padding = model.padding;
  data.add_bos = model.add_bos;
  data.add_eos = model.add_eos;
  return ByteFallbackTokenizer(data);
}

namespace detail {

/// Whether the unknown token is searched for in a text, so that it is found or hides a token that overlaps it.
inline bool is_unknown_added(const ByteFallbackTokenizer& tokenizer) {
  const auto unknown = tokenizer.unknown();
  const TokenType type = unknown ? tokenizer.token_type(*unknown) : TokenType::normal;
  if (type != TokenType::control) return type == TokenType::user_defined;
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    if (tokenizer.token_type(static_cast<std::int32_t>(i)) == TokenType::user_defined) return true;
  }
  return false;
}

}  // namespace detail

/// A SentencePiece model for a tokenizer that may do more than such a model can express.
struct SentencePieceForm {
  SentencePieceModel model;
  bool exact = true;  ///< whether byte_fallback_tokenizer(model) gives the tokenizer's ids for every text
};

/// The SentencePiece model of a tokenizer with byte fallback: its pieces, scored by the rank of their merges.
///
/// It is not exact if the model cannot express what the tokenizer does: a space only before parts of a text that do not
/// begin with one, or only before the first part; rules of added tokens; which of two merges that form the same token
/// comes first.
///
/// Throws InvalidArgument, naming the field, for a tokenizer whose ids on plain text differ from those of every such
/// model: its merges are not all pairs that form a token, words begin at spaces that its tokens would cross, or it has
/// no byte fallback.
inline SentencePieceForm sentencepiece_form(const ByteFallbackTokenizer& tokenizer) {
  if (!tokenizer.byte_fallback()) {
    throw InvalidArgument("tokenizer byte_fallback: expected true, as SentencePiece's models have it, found false");
  }
  SentencePieceForm form;
  // Without added tokens that strip spaces, no_part is equivalent to none.
  const bool plain_prefix = is_normalizer(tokenizer.space_prefix()) || tokenizer.space_prefix() == SpacePrefix::no_part;
  SentencePieceModel& model = form.model;
  model.kind = SentencePieceModel::Kind::byte_pair;
  model.remove_extra_whitespaces = false;
  model.add_dummy_prefix = adds_space(tokenizer.space_prefix());
  model.byte_fallback = true;
  model.bos = tokenizer.bos();
  model.eos = tokenizer.eos();
  model.padding = tokenizer.padding();
  model.add_bos = tokenizer.add_bos();
  model.add_eos = tokenizer.add_eos();
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const std::string_view text = tokenizer.token_text(id);
    TokenType type = tokenizer.token_type(id);
    if (id == tokenizer.unknown()) type = TokenType::unknown;
    if (type == TokenType::normal && byte_of_token(text)) type = TokenType::byte;
    if (type == TokenType::normal && tokenizer.split_at_spaces() && text.find(written_space, 1) != text.npos) {
      throw InvalidArgument("tokenizer split_at_spaces: expected false with the token " + detail::quoted_token(text) +
                            ", found true");
    }
    model.pieces.push_back({std::string(text), 0, type});
  }

  const auto quoted = [&](std::int32_t id) { return detail::quoted_token(tokenizer.token_text(id)); };
  std::vector<bool> is_made(model.pieces.size());
  std::vector<detail::ScoredMerge> found;
  std::int32_t last = Vocabulary::absent;
  float score = 0;
  for (const MergeTable::Merge& merge : tokenizer.merges()) {
    const auto result = static_cast<std::size_t>(merge.result);
    SentencePiece& piece = model.pieces[result];
    // Pieces of other types are found whole or not at all.
    if (piece.type != TokenType::normal) continue;
    if (!is_made[result]) {
      piece.score = score--;
    } else if (merge.result != last) {
      throw InvalidArgument("tokenizer merges: expected all that form the token " + quoted(merge.result) +
                            " to be consecutive, found others between them");
    }
    is_made[result] = true;
    last = merge.result;
    found.push_back({merge, piece.score});
  }
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (model.pieces[i].type == TokenType::normal && !is_made[i]) model.pieces[i].score = score;
  }
  // The merges of the model's own vocabulary, and those that a reader would derive from the pieces.
  std::vector<SentencePiece> own = model.pieces;
  bool own_only = true;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (!tokenizer.is_only_added(static_cast<std::int32_t>(i)) || own[i].text.empty()) continue;
    own_only = own_only && next_character(own[i].text, 0).length < own[i].text.size();
    own[i].text.clear();
  }
  const std::vector<detail::ScoredMerge> expected = detail::scored_merges(own);
  own_only = own_only && detail::scored_merges(model.pieces).size() == expected.size();
  const auto same = [](const detail::ScoredMerge& a, const detail::ScoredMerge& b) { return !(a < b) && !(b < a); };
  const bool in_order = std::equal(found.begin(), found.end(), expected.begin(), expected.end(), same);
  form.exact = plain_prefix && own_only && !has_added_token_rules(tokenizer) && !detail::is_unknown_added(tokenizer) &&
               in_order && found.size() == tokenizer.merges().size();
  if (in_order) return form;
  std::sort(found.begin(), found.end());
  for (const detail::ScoredMerge& each : expected) {
    if (std::binary_search(found.begin(), found.end(), each)) continue;
    throw InvalidArgument("tokenizer merges: expected one for every two tokens that form a token, found none for " +
                          quoted(each.merge.left) + " and " + quoted(each.merge.right));
  }
  return form;
}

}  // namespace zeroth::ZEROTH_ISA::model

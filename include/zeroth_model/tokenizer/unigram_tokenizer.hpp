// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/added_tokens.hpp>
#include <zeroth_model/tokenizer/byte_trie.hpp>
#include <zeroth_model/tokenizer/space_prefix.hpp>
#include <zeroth_model/tokenizer/table_tokenizer.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>
#include <zeroth_model/tokenizer/written_bytes.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A step that changes the spaces of a text.
enum class SpaceStep : std::uint8_t {
  strip_left,           ///< no white space at the beginning; a normalizer `Strip`
  strip_right,          ///< none at the end
  collapse,             ///< one space for several; a normalizer `Replace` of " {2,}"
  collapse_to_written,  ///< U+2581 for several spaces
  write,                ///< U+2581 for a space; a normalizer `Replace` of " "
  strip_spaces,         ///< no spaces at either end; a `Replace` of "\\A +| +\\z"
  /// No spaces at the beginning, and neither spaces nor U+2581 at the end, as in SentencePiece; a `Replace` of
  /// "\\A +|[ U+2581]+\\z".
  strip_spaces_and_written,
  double_first,  ///< two U+2581 for one at the beginning, so that a Metaspace still adds one; of "\\A" and U+2581
};

/// The data of a UnigramTokenizer besides its tokens. Only the constructor reads the views.
struct UnigramData : TokenTableData {
  /// The score of each token of the model's own vocabulary, which comes first.
  std::vector<double> scores;
  std::vector<SpaceStep> normalizer;  ///< in order
  bool split_at_white_space = false;  ///< whether white space ends words and is dropped; `WhitespaceSplit`
  SpacePrefix space_prefix = SpacePrefix::each_part_without;  ///< `Metaspace`: one of the last three
  bool split_at_spaces = true;                                ///< whether each space begins a new word
  bool byte_fallback = false;  ///< whether text without tokens becomes tokens "<0x00>" to "<0xFF>"
};

/// A unigram tokenizer with the ids of Hugging Face `tokenizers`: a tokenizer.json without compiled normalisation
/// rules. Control tokens, the unknown token and byte tokens are not pieces of a text.
///
/// Immutable after construction and safe to use from several threads.
class UnigramTokenizer : public TableTokenizer {
 public:
  /// Throws InvalidArgument, naming the field, what was expected and what was found, if a token is not UTF-8, there is
  /// no unknown token, a score is not finite, or a byte has no token despite byte fallback.
  explicit UnigramTokenizer(const UnigramData& data)
      : TableTokenizer(data),
        scores_(data.scores),
        normalizer_(data.normalizer),
        split_at_white_space_(data.split_at_white_space),
        space_prefix_(data.space_prefix),
        split_at_spaces_(data.split_at_spaces),
        byte_fallback_(data.byte_fallback),
        trie_(make_trie()),
        raw_added_(table_.added_tokens(false, [](std::string_view text) { return std::string(text); })),
        normalized_added_(table_.added_tokens(true, [&](std::string_view text) { return normalized(text); })) {
    unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - 10;
    if (!unknown()) throw InvalidArgument("tokenizer unknown: expected an id, found none");
    if (is_normalizer(space_prefix_)) {
      throw InvalidArgument("tokenizer space_prefix: expected that of a Metaspace, found a normalizer's");
    }
    for (std::size_t byte = 0; byte_fallback_ && byte < byte_ids_.size(); ++byte) {
      const std::string text = byte_token_text(static_cast<unsigned char>(byte));
      byte_ids_[byte] = table_.find_symbol(text);
      if (byte_ids_[byte] == Vocabulary::absent) {
        throw InvalidArgument("tokenizer byte_fallback: expected the token \"" + text +
                              "\" in the vocabulary, found none");
      }
    }
  }

  /// The ids of `text`, without added special tokens.
  ///
  /// Text that looks like a control token ("</s>") is encoded as ordinary text; user-defined tokens are recognised
  /// anywhere. Bytes that are not UTF-8 count as U+FFFD. Of two segmentations with the same score, the first found
  /// wins, as in `tokenizers`. O(n L) in the length n of the text and L of the longest piece that begins in it, with 20
  /// bytes of memory per byte of the text; throws InvalidArgument beyond 2^29 bytes.
  std::vector<std::int32_t> encode(std::string_view text) const {
    std::string repaired;
    if (!is_utf8(text)) {
      repaired = replace_invalid_utf8(text);
      text = repaired;
    }
    // A space takes three bytes.
    if (text.size() > (std::size_t{std::numeric_limits<std::int32_t>::max()} >> 2)) {
      throw InvalidArgument("tokenizer text: expected less than 2^29 bytes, found " + std::to_string(text.size()));
    }
    std::vector<std::int32_t> ids;
    std::vector<Best> best;
    const auto append_token = [&](std::int32_t id) { ids.push_back(id); };
    raw_added_.split(
        text,
        [&](std::string_view part) {
          const std::string normal = normalized(part);
          const bool begins_text = part.data() == text.data();
          normalized_added_.split(
              normal,
              [&](std::string_view words) {
                encode_part(words, begins_text && words.data() == normal.data(), best, ids);
              },
              append_token);
        },
        append_token);
    return ids;
  }

  /// The bytes of `ids`, without the space that encode() puts before the text: not UTF-8 if they begin or end inside a
  /// character. Control and user-defined tokens yield their text. Throws InvalidArgument for an id outside the
  /// vocabulary.
  std::string decode(std::span<const std::int32_t> ids) const {
    std::string result;
    for (const std::int32_t id : ids) result += token_bytes(id);
    if (adds_space(space_prefix_) && result.starts_with(' ')) result.erase(0, 1);
    return result;
  }

  /// The bytes of one token, including its space. Throws InvalidArgument for an id outside the vocabulary.
  std::string token_bytes(std::int32_t id) const {
    const std::string_view text = token_text(id);
    if (table_.is_literal(id)) return std::string(text);
    if (token_type(id) == TokenType::byte) {
      if (const auto byte = byte_of_token(text)) return {static_cast<char>(*byte)};
    }
    return with_read_spaces(text);
  }

  std::span<const double> scores() const { return scores_; }
  std::span<const SpaceStep> normalizer() const { return normalizer_; }
  bool split_at_white_space() const { return split_at_white_space_; }
  SpacePrefix space_prefix() const { return space_prefix_; }
  bool split_at_spaces() const { return split_at_spaces_; }
  bool byte_fallback() const { return byte_fallback_; }

 private:
  /// The best segmentation up to a position in a word.
  struct Best {
    double score = 0;
    std::uint32_t begin = 0;  ///< beginning of its last piece
    std::int32_t id = -1;     ///< id of that piece, or none if no segmentation ends here
  };

  ByteTrie make_trie() const {
    if (scores_.size() > vocabulary_size() || scores_.empty()) {
      throw InvalidArgument("tokenizer scores: expected 1 to " + std::to_string(vocabulary_size()) + ", found " +
                            std::to_string(scores_.size()));
    }
    std::vector<std::string_view> texts;
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (!std::isfinite(scores_[i])) {
        throw InvalidArgument("tokenizer scores[" + std::to_string(i) + "]: expected a finite number");
      }
      const auto id = static_cast<std::int32_t>(i);
      const TokenType type = token_type(id);
      const bool is_piece = (type == TokenType::normal || type == TokenType::user_defined) && id != unknown();
      // An empty text is never found.
      texts.push_back(is_piece && !table_.is_only_added(id) ? token_text(id) : std::string_view());
    }
    return ByteTrie(texts);
  }

  static bool is_space(const Character& character) {
    return character_class(character.code_point) == CharacterClass::whitespace;
  }

  std::string normalized(std::string_view part) const {
    std::string text(part);
    for (const SpaceStep step : normalizer_) {
      if (step == SpaceStep::write) text = with_written_spaces(text);
      if (step == SpaceStep::double_first && text.starts_with(written_space)) text.insert(0, written_space);
      if (step == SpaceStep::strip_spaces) {
        text.erase(0, text.find_first_not_of(' '));
        text.erase(text.find_last_not_of(' ') + 1);
      }
      if (step == SpaceStep::strip_spaces_and_written) {
        text.erase(0, text.find_first_not_of(' '));
        while (text.ends_with(' ') || text.ends_with(written_space)) {
          text.resize(text.size() - (text.ends_with(' ') ? 1 : written_space.size()));
        }
      }
      if (step == SpaceStep::strip_left) {
        std::size_t begin = 0;
        while (begin < text.size()) {
          const Character character = next_character(text, begin);
          if (!is_space(character)) break;
          begin += character.length;
        }
        text.erase(0, begin);
      }
      if (step == SpaceStep::strip_right) {
        std::size_t end = 0;
        for (std::size_t i = 0; i < text.size();) {
          const Character character = next_character(text, i);
          i += character.length;
          if (!is_space(character)) end = i;
        }
        text.resize(end);
      }
      if (step == SpaceStep::collapse || step == SpaceStep::collapse_to_written) {
        std::string collapsed;
        for (std::size_t i = 0; i < text.size();) {
          const std::size_t end = std::min(text.find_first_not_of(' ', i), text.size());
          if (end > i + 1) {
            collapsed += step == SpaceStep::collapse ? std::string_view(" ") : written_space;
          } else {
            collapsed += text[i];
          }
          i = std::max(end, i + 1);
        }
        text = std::move(collapsed);
      }
    }
    return text;
  }

  void encode_part(std::string_view part, bool begins_text, std::vector<Best>& best,
                   std::vector<std::int32_t>& ids) const {
    if (!split_at_white_space_) return encode_words(part, begins_text, best, ids);
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= part.size();) {
      const Character character =
          i < part.size() ? next_character(part, i) : Character{.code_point = U' ', .length = 1};
      if (is_space(character)) {
        if (begin < i) encode_words(part.substr(begin, i - begin), begins_text && begin == 0, best, ids);
        begin = i + character.length;
      }
      i += character.length;
    }
  }

  void encode_words(std::string_view part, bool begins_text, std::vector<Best>& best,
                    std::vector<std::int32_t>& ids) const {
    std::string written = with_written_spaces(part);
    const bool wanted =
        space_prefix_ == SpacePrefix::each_part_without || (space_prefix_ == SpacePrefix::first_part && begins_text);
    if (wanted && !written.starts_with(written_space)) written.insert(0, written_space);
    const std::string_view words = written;
    if (!split_at_spaces_) return encode_word(words, best, ids);
    for (std::size_t begin = 0; begin < words.size();) {
      const std::size_t end = std::min(words.find(written_space, begin + 1), words.size());
      encode_word(words.substr(begin, end - begin), best, ids);
      begin = end;
    }
  }

  /// Viterbi search over the pieces of `word`.
  void encode_word(std::string_view word, std::vector<Best>& best, std::vector<std::int32_t>& ids) const {
    best.assign(word.size() + 1, Best{});
    for (std::size_t begin = 0; begin < word.size();) {
      const std::size_t size = next_character(word, begin).length;
      const double so_far = best[begin].score;
      const auto propose = [&](std::size_t end, double score, std::int32_t id) {
        Best& other = best[end];
        if (other.id >= 0 && so_far + score <= other.score) return;
        other = {so_far + score, static_cast<std::uint32_t>(begin), id};
      };
      bool has_character = false;
      ByteTrie::Node node = ByteTrie::root;
      for (std::size_t end = begin; end < word.size();) {
        node = trie_.child(node, word[end++]);
        if (node == ByteTrie::root) break;
        const std::int32_t id = trie_.text(node);
        if (id == ByteTrie::none) continue;
        propose(end, scores_[static_cast<std::size_t>(id)], id);
        has_character = has_character || end == begin + size;
      }
      if (!has_character) propose(begin + size, unknown_score_, *unknown());
      begin += size;
    }
    append_best(word, best, ids);
  }

  /// Appends the pieces of the best segmentation; adjacent unknown characters become one token, or the tokens of their
  /// bytes.
  void append_best(std::string_view word, const std::vector<Best>& best, std::vector<std::int32_t>& ids) const {
    const std::size_t first = ids.size();
    bool after_unknown = false;
    for (std::size_t end = word.size(); end > 0; end = best[end].begin) {
      const bool is_unknown = best[end].id == *unknown();
      if (is_unknown && byte_fallback_) {
        for (std::size_t i = end; i-- > best[end].begin;) ids.push_back(byte_ids_[static_cast<unsigned char>(word[i])]);
      } else if (!is_unknown || !after_unknown) {
        ids.push_back(best[end].id);
      }
      after_unknown = is_unknown;
    }
    std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end());
  }

  std::vector<double> scores_;
  std::vector<SpaceStep> normalizer_;
  bool split_at_white_space_;
  SpacePrefix space_prefix_;
  bool split_at_spaces_;
  bool byte_fallback_;
  ByteTrie trie_;
  double unknown_score_ = 0;      ///< score of a character without a piece
  AddedTokens raw_added_;         ///< searched for in the original text
  AddedTokens normalized_added_;  ///< searched for in the normalised text
  std::array<std::int32_t, 256> byte_ids_{};
};

}  // namespace zeroth::ZEROTH_ISA::model

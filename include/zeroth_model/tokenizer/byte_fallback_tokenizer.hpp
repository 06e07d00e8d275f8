// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
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
#include <zeroth_model/tokenizer/merge_table.hpp>
#include <zeroth_model/tokenizer/merging_tokenizer.hpp>
#include <zeroth_model/tokenizer/space_prefix.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>
#include <zeroth_model/tokenizer/written_bytes.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The data of a ByteFallbackTokenizer besides its tokens. Only the constructor reads the views.
struct ByteFallbackData : TokenTableData {
  std::vector<MergeTexts> merges;  ///< in order of rank; the first is applied first
  std::vector<MergeTable::Merge>
      merges_by_id;  ///< the same by id, for callers that have ids; used if `merges` is empty
  SpacePrefix space_prefix = SpacePrefix::none;
  bool split_at_spaces = false;  ///< whether each space begins a new word; otherwise a part is one word
  bool byte_fallback = true;     ///< whether a character without a token becomes tokens "<0x00>" to "<0xFF>"
  bool fuse_unknown = true;      ///< whether neighbours without either become one unknown token
};

/// A byte-pair tokenizer over characters, with spaces written as U+2581 and characters without a token as bytes, with
/// the ids of Hugging Face `tokenizers`: the tokenizer.json of LLaMA-2, Mistral and Gemma.
///
/// Immutable after construction and safe to use from several threads.
class ByteFallbackTokenizer : public MergingTokenizer {
 public:
  /// Throws InvalidArgument, naming the field, what was expected and what was found, if a token is not UTF-8, a merge
  /// is not two tokens that form a third, a byte has no token despite byte fallback, or an id is outside the
  /// vocabulary.
  explicit ByteFallbackTokenizer(const ByteFallbackData& data)
      : MergingTokenizer(data, data.merges, data.merges_by_id),
        space_prefix_(data.space_prefix),
        split_at_spaces_(data.split_at_spaces),
        byte_fallback_(data.byte_fallback),
        fuse_unknown_(data.fuse_unknown),
        raw_added_(table_.added_tokens(false, [](std::string_view text) { return std::string(text); })),
        normalized_added_(table_.added_tokens(true, [&](std::string_view text) { return normalized(text); })) {
    for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      byte_ids_[byte] = table_.find_symbol(byte_token_text(static_cast<unsigned char>(byte)));
      if (byte_fallback_ && byte_ids_[byte] == Vocabulary::absent) {
        throw InvalidArgument("tokenizer byte_fallback: expected the token \"" +
                              byte_token_text(static_cast<unsigned char>(byte)) + "\" in the vocabulary, found none");
      }
    }
  }

  /// The ids of `text`, without added special tokens.
  ///
  /// Text that looks like a control token ("</s>") is encoded as ordinary text; user-defined tokens are recognised
  /// anywhere. Bytes that are not UTF-8 count as U+FFFD. A character without a token or bytes becomes unknown(), or is
  /// left out if there is none. O(n log n) in the length of the text; throws InvalidArgument beyond 2^29 bytes.
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
    WordMerger merger;
    std::vector<std::int32_t> symbols;
    const auto encode_word = [&](std::string_view word) {
      symbols.clear();
      append_symbols(word, symbols);
      merger.append_merged(merges_, symbols, ids);
    };
    const auto append_token = [&](std::int32_t id) { ids.push_back(id); };
    const auto encode_written = [&](std::string_view part) {
      if (!split_at_spaces_) return encode_word(part);
      for (std::size_t begin = 0; begin < part.size();) {
        const std::size_t end = std::min(part.find(written_space, begin + 1), part.size());
        encode_word(part.substr(begin, end - begin));
        begin = end;
      }
    };
    const auto encode_metaspace = [&](std::string_view part) {
      const bool begins_text = part.data() == text.data();
      std::string written = with_written_spaces(part);
      const bool wanted =
          space_prefix_ == SpacePrefix::each_part_without || (space_prefix_ == SpacePrefix::first_part && begins_text);
      if (wanted && !written.starts_with(written_space)) written.insert(0, written_space);
      encode_written(written);
    };
    raw_added_.split(
        text,
        [&](std::string_view part) {
          if (is_normalizer(space_prefix_))
            return normalized_added_.split(normalized(part), encode_written, append_token);
          normalized_added_.split(part, encode_metaspace, append_token);
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
    if (const auto byte = byte_of_token(text)) return {static_cast<char>(*byte)};
    return with_read_spaces(text);
  }

  SpacePrefix space_prefix() const { return space_prefix_; }
  bool split_at_spaces() const { return split_at_spaces_; }
  bool byte_fallback() const { return byte_fallback_; }
  bool fuse_unknown() const { return fuse_unknown_; }

 private:
  std::string normalized(std::string_view part) const {
    if (!is_normalizer(space_prefix_)) return std::string(part);
    return (space_prefix_ == SpacePrefix::each_part ? std::string(written_space) : "") + with_written_spaces(part);
  }

  /// Appends one symbol per character, or one per byte of it, or an unknown token.
  void append_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const {
    bool after_unknown = false;
    for (std::size_t i = 0; i < word.size();) {
      const std::string_view character = word.substr(i, next_character(word, i).length);
      i += character.size();
      const std::int32_t id = table_.find_symbol(character);
      const bool is_unknown = id == Vocabulary::absent && !byte_fallback_;
      if (id != Vocabulary::absent) {
        symbols.push_back(id);
      } else if (byte_fallback_) {
        for (const char c : character) symbols.push_back(byte_ids_[static_cast<unsigned char>(c)]);
      } else if (unknown() && !(after_unknown && fuse_unknown_)) {
        symbols.push_back(*unknown());
      }
      after_unknown = is_unknown;
    }
  }

  SpacePrefix space_prefix_;
  bool split_at_spaces_;
  bool byte_fallback_;
  bool fuse_unknown_;
  AddedTokens raw_added_;         ///< searched for in the original text
  AddedTokens normalized_added_;  ///< searched for in the normalised text
  std::array<std::int32_t, 256> byte_ids_{};
};

}  // namespace zeroth::ZEROTH_ISA::model

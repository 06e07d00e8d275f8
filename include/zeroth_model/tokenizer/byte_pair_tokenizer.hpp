// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/added_tokens.hpp>
#include <zeroth_model/tokenizer/byte_alphabet.hpp>
#include <zeroth_model/tokenizer/merge_table.hpp>
#include <zeroth_model/tokenizer/merging_tokenizer.hpp>
#include <zeroth_model/tokenizer/normalization.hpp>
#include <zeroth_model/tokenizer/pre_tokenizer.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>
#include <zeroth_model/tokenizer/vocabulary.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The data of a BytePairTokenizer besides its tokens: normal tokens in GPT-2's byte alphabet, control and user-defined
/// ones as plain text. Only the constructor reads the views.
struct TokenizerData : TokenTableData {
  /// "left right", in order of rank; the first is applied first.
  std::vector<std::string_view> merges;
  std::string_view pre_tokenizer;  ///< see parse_pre_tokenizer()
  Normalization normalization = Normalization::none;
  /// Whether a word that is itself a token of the model's own vocabulary becomes that token, whatever the merges would
  /// produce (LLaMA-3).
  bool ignore_merges = false;
  /// Whether each part of a text between added tokens gets a leading space if it has none. Only for "gpt-2".
  bool add_prefix_space = false;
};

/// A byte-level byte-pair tokenizer as introduced by GPT-2, with the ids of Hugging Face `tokenizers`.
///
/// Immutable after construction and safe to use from several threads. Memory for SmolLM2's 49152 tokens and 48900
/// merges: about 2.3 MB.
class BytePairTokenizer : public MergingTokenizer {
 public:
  /// Throws InvalidArgument, naming the field, what was expected and what was found, if the pre-tokenizer is unknown, a
  /// token is not UTF-8, a merge is not two tokens that form a third, or an id is outside the vocabulary.
  explicit BytePairTokenizer(const TokenizerData& data)
      : MergingTokenizer(data, detail::split_merges(data.merges)),
        pre_tokenizer_(parse_pre_tokenizer(data.pre_tokenizer)),
        normalization_(data.normalization),
        ignore_merges_(data.ignore_merges),
        add_prefix_space_(data.add_prefix_space),
        raw_added_(table_.added_tokens(false, [](std::string_view text) { return std::string(text); })),
        normalized_added_(table_.added_tokens(true, [&](std::string_view text) { return normalized(text); })) {
    if (add_prefix_space_ && pre_tokenizer_ != PreTokenizer::gpt2) {
      throw InvalidArgument(
          "tokenizer add_prefix_space: expected false with a pre-tokenizer other than \"gpt-2\", found true");
    }
    for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      byte_ids_[byte] = table_.find_symbol(byte_alphabet_text(static_cast<unsigned char>(byte)));
    }
  }

  /// The ids of `text`, without added special tokens.
  ///
  /// Text that looks like a control token ("<|im_end|>") is encoded as ordinary text. User-defined tokens are not
  /// special and are recognised anywhere, the leftmost first, then the longest; the rest is normalised. Bytes that are
  /// not UTF-8 count as U+FFFD, as with Python's `errors="replace"`. A byte without a token of its own is left out, and
  /// its neighbours may merge, as in Hugging Face without an unknown token; SmolLM2 lacks 21 bytes, most of which never
  /// occur in UTF-8. O(n log n) in the length of the text; throws InvalidArgument beyond 2^31 bytes.
  std::vector<std::int32_t> encode(std::string_view text) const {
    std::string repaired;
    if (!is_utf8(text)) {
      repaired = replace_invalid_utf8(text);
      text = repaired;
    }
    if (text.size() > std::size_t{std::numeric_limits<std::int32_t>::max()}) {
      throw InvalidArgument("tokenizer text: expected less than 2^31 bytes, found " + std::to_string(text.size()));
    }

    std::vector<std::int32_t> ids;
    WordMerger merger;
    std::vector<std::int32_t> word_ids;
    const auto encode_word = [&](std::string_view word) {
      if (ignore_merges_) {
        if (const std::int32_t id = whole_word(word); id != Vocabulary::absent) return ids.push_back(id);
      }
      word_ids.clear();
      for (const char c : word) {
        const std::int32_t id = byte_ids_[static_cast<unsigned char>(c)];
        if (id != Vocabulary::absent) word_ids.push_back(id);
      }
      merger.append_merged(merges_, word_ids, ids);
    };
    const auto append_token = [&](std::int32_t id) { ids.push_back(id); };
    const auto encode_words = [&](std::string_view words) {
      if (add_prefix_space_ && !words.starts_with(' ')) {
        return for_each_word(pre_tokenizer_, ' ' + std::string(words), encode_word);
      }
      for_each_word(pre_tokenizer_, words, encode_word);
    };
    const auto encode_normalized = [&](std::string_view part) {
      normalized_added_.split(part, encode_words, append_token);
    };
    raw_added_.split(
        text,
        [&](std::string_view part) {
          if (normalization_ == Normalization::none || is_plainly_nfc(part)) return encode_normalized(part);
          encode_normalized(nfc(part));
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
    if (add_prefix_space_ && result.starts_with(' ')) result.erase(0, 1);
    return result;
  }

  /// The bytes of one token. Throws InvalidArgument for an id outside the vocabulary.
  std::string token_bytes(std::int32_t id) const {
    const std::string_view text = token_text(id);
    auto bytes = table_.is_literal(id) ? std::nullopt : bytes_of_token(text);
    return bytes ? *std::move(bytes) : std::string(text);
  }

  PreTokenizer pre_tokenizer() const { return pre_tokenizer_; }
  Normalization normalization() const { return normalization_; }
  bool ignore_merges() const { return ignore_merges_; }
  bool add_prefix_space() const { return add_prefix_space_; }

 private:
  std::string normalized(std::string_view text) const {
    return normalization_ == Normalization::nfc ? nfc(text) : std::string(text);
  }

  /// The token of the model's own vocabulary that equals `word`, or Vocabulary::absent.
  std::int32_t whole_word(std::string_view word) const {
    std::string token;
    for (const char c : word) token += byte_alphabet_text(static_cast<unsigned char>(c));
    return table_.find_symbol(token);
  }

  PreTokenizer pre_tokenizer_;
  Normalization normalization_;
  bool ignore_merges_;
  bool add_prefix_space_;
  AddedTokens raw_added_;         ///< searched for in the original text
  AddedTokens normalized_added_;  ///< searched for in the normalised text
  std::array<std::int32_t, 256> byte_ids_{};
};

}  // namespace zeroth::ZEROTH_ISA::model

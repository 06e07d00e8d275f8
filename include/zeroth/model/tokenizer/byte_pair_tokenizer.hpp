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
#include <zeroth/model/tokenizer/byte_alphabet.hpp>
#include <zeroth/model/tokenizer/merge_table.hpp>
#include <zeroth/model/tokenizer/pre_tokenizer.hpp>
#include <zeroth/model/tokenizer/unicode.hpp>
#include <zeroth/model/tokenizer/vocabulary.hpp>

namespace zeroth::model {

/// What a token is for, numbered as in GGUF's `tokenizer.ggml.token_type`.
enum class TokenType : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// What a BytePairTokenizer is made from. The views are read by the constructor only.
struct TokenizerData {
  /// The vocabulary in order of id, UTF-8: normal tokens in GPT-2's byte alphabet, control and user-defined tokens as
  /// they are written.
  std::vector<std::string_view> tokens;
  /// A TokenType for each token; empty means that all are normal.
  std::vector<std::int32_t> token_types;
  /// "left right", in order of rank, the first to be applied first.
  std::vector<std::string_view> merges;
  std::string_view pre_tokenizer;  ///< see parse_pre_tokenizer()
  std::optional<std::int32_t> bos;
  std::optional<std::int32_t> eos;
  std::optional<std::int32_t> unknown;
  std::optional<std::int32_t> padding;
  bool add_bos = false;  ///< whether the model wants bos before each text; encode() leaves that to the caller
};

/// A byte-level byte-pair tokenizer as GPT-2 introduced it, with the ids of Hugging Face `tokenizers`.
///
/// Immutable after construction and safe to use from several threads. Memory for SmolLM2's 49152 tokens and 48900
/// merges: about 2.3 MB.
class BytePairTokenizer {
 public:
  /// Throws InvalidArgument, naming the field, what was expected and what was found, if the pre-tokenizer is unknown, a
  /// token is not UTF-8, a merge is not two tokens that make a third, or an id is outside the vocabulary.
  explicit BytePairTokenizer(const TokenizerData& data)
      : pre_tokenizer_(parse_pre_tokenizer(data.pre_tokenizer)),
        add_bos_(data.add_bos),
        vocabulary_(data.tokens),
        merges_(resolve_merges(data.merges)) {
    check_and_store_types(data);
    for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      byte_ids_[byte] = vocabulary_.find(byte_alphabet_text(static_cast<unsigned char>(byte)));
    }
    bos_ = checked_id("bos", data.bos);
    eos_ = checked_id("eos", data.eos);
    unknown_ = checked_id("unknown", data.unknown);
    padding_ = checked_id("padding", data.padding);
    if (add_bos_ && !bos_) throw InvalidArgument("tokenizer add_bos: expected a bos id beside it, found none");
  }

  /// The ids of `text`, with no special token added.
  ///
  /// Text that looks like a control token ("<|im_end|>") is encoded as ordinary text. User-defined tokens are not
  /// special and are recognised wherever they stand, the leftmost first, then the longest. Bytes that are not UTF-8
  /// count as U+FFFD, as after Python's `errors="replace"`. A byte that has no token of its own is left out, and its
  /// neighbours may merge, as Hugging Face does without an unknown token; SmolLM2 lacks 21 bytes, most of which never
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
      word_ids.clear();
      for (const char c : word) {
        const std::int32_t id = byte_ids_[static_cast<unsigned char>(c)];
        if (id != Vocabulary::absent) word_ids.push_back(id);
      }
      merger.append_merged(merges_, word_ids, ids);
    };
    std::size_t begin = 0;
    if (!user_defined_.empty()) {
      for (std::size_t i = 0; i < text.size();) {
        const std::int32_t id = user_defined_at(text.substr(i));
        if (id == Vocabulary::absent) {
          ++i;
          continue;
        }
        for_each_word(pre_tokenizer_, text.substr(begin, i - begin), encode_word);
        ids.push_back(id);
        i += token_text(id).size();
        begin = i;
      }
    }
    for_each_word(pre_tokenizer_, text.substr(begin), encode_word);
    return ids;
  }

  /// The bytes that `ids` stand for: not UTF-8 where they begin or end inside a character. Control and user-defined
  /// tokens give their text. Throws InvalidArgument for an id outside the vocabulary.
  std::string decode(std::span<const std::int32_t> ids) const {
    std::string result;
    for (const std::int32_t id : ids) {
      const std::string_view text = token_text(id);
      const TokenType type = token_type(id);
      const bool literal = type == TokenType::control || type == TokenType::user_defined;
      const auto bytes = literal ? std::nullopt : bytes_of_token(text);
      result += bytes ? std::string_view(*bytes) : text;
    }
    return result;
  }

  std::size_t vocabulary_size() const { return vocabulary_.size(); }

  /// The text of a token as the vocabulary has it. Throws InvalidArgument for an id outside the vocabulary.
  std::string_view token_text(std::int32_t id) const {
    check_id("id", id);
    return vocabulary_[id];
  }

  /// Throws InvalidArgument for an id outside the vocabulary.
  TokenType token_type(std::int32_t id) const {
    check_id("id", id);
    return types_[static_cast<std::size_t>(id)];
  }

  /// The id of the token with exactly this text in the vocabulary (GPT-2's byte alphabet for normal tokens), if any.
  std::optional<std::int32_t> find_token(std::string_view text) const {
    const std::int32_t id = vocabulary_.find(text);
    return id == Vocabulary::absent ? std::nullopt : std::optional(id);
  }

  std::optional<std::int32_t> bos() const { return bos_; }
  std::optional<std::int32_t> eos() const { return eos_; }
  std::optional<std::int32_t> unknown() const { return unknown_; }
  std::optional<std::int32_t> padding() const { return padding_; }

  /// Whether the model wants bos() before each text.
  bool add_bos() const { return add_bos_; }

  PreTokenizer pre_tokenizer() const { return pre_tokenizer_; }

  /// The merges in order of rank.
  std::span<const MergeTable::Merge> merges() const { return merges_.merges(); }

 private:
  static std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text.substr(0, 80)) result += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return result + (text.size() > 80 ? "...\"" : "\"");
  }

  void check_and_store_types(const TokenizerData& data) {
    if (!data.token_types.empty() && data.token_types.size() != data.tokens.size()) {
      throw InvalidArgument("tokenizer token_types: expected " + std::to_string(data.tokens.size()) +
                            ", one for each token, found " + std::to_string(data.token_types.size()));
    }
    types_.reserve(data.tokens.size());
    for (std::size_t i = 0; i < data.tokens.size(); ++i) {
      if (!is_utf8(data.tokens[i])) {
        throw InvalidArgument("tokenizer tokens[" + std::to_string(i) + "]: expected UTF-8, found other bytes");
      }
      const std::int32_t type = data.token_types.empty() ? 1 : data.token_types[i];
      if (type < 1 || type > 6) {
        throw InvalidArgument("tokenizer token_types[" + std::to_string(i) + "]: expected 1 to 6, found " +
                              std::to_string(type));
      }
      types_.push_back(static_cast<TokenType>(type));
      if (types_.back() == TokenType::user_defined && !data.tokens[i].empty()) {
        user_defined_.push_back(static_cast<std::int32_t>(i));
      }
    }
  }

  std::vector<MergeTable::Merge> resolve_merges(std::span<const std::string_view> merges) const {
    std::vector<MergeTable::Merge> resolved;
    resolved.reserve(merges.size());
    std::string joined;
    for (std::size_t i = 0; i < merges.size(); ++i) {
      const std::string_view merge = merges[i];
      const auto fail = [&](const std::string& expected) {
        throw InvalidArgument("tokenizer merges[" + std::to_string(i) + "]: expected " + expected + ", found " +
                              quoted(merge));
      };
      const std::size_t space = merge.find(' ');
      if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) {
        fail("two tokens separated by one space");
      }
      const std::string_view left = merge.substr(0, space);
      const std::string_view right = merge.substr(space + 1);
      joined.assign(left).append(right);
      const auto id_of = [&](std::string_view text) {
        const std::int32_t id = vocabulary_.find(text);
        if (id == Vocabulary::absent) fail("the token " + quoted(text) + " in the vocabulary");
        return id;
      };
      resolved.push_back({id_of(left), id_of(right), id_of(joined)});
    }
    return resolved;
  }

  void check_id(const char* name, std::int32_t id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary_size()) {
      throw InvalidArgument("tokenizer " + std::string(name) + ": expected 0 to " +
                            std::to_string(vocabulary_size() - 1) + ", found " + std::to_string(id));
    }
  }

  std::optional<std::int32_t> checked_id(const char* name, std::optional<std::int32_t> id) const {
    if (id) check_id(name, *id);
    return id;
  }

  /// The longest user-defined token that `text` begins with, or Vocabulary::absent.
  std::int32_t user_defined_at(std::string_view text) const {
    std::int32_t best = Vocabulary::absent;
    std::size_t length = 0;
    for (const std::int32_t id : user_defined_) {
      const std::string_view token = vocabulary_[id];
      if (token.size() > length && text.substr(0, token.size()) == token) {
        best = id;
        length = token.size();
      }
    }
    return best;
  }

  PreTokenizer pre_tokenizer_;
  bool add_bos_;
  Vocabulary vocabulary_;
  MergeTable merges_;
  std::vector<TokenType> types_;
  std::vector<std::int32_t> user_defined_;
  std::array<std::int32_t, 256> byte_ids_{};
  std::optional<std::int32_t> bos_;
  std::optional<std::int32_t> eos_;
  std::optional<std::int32_t> unknown_;
  std::optional<std::int32_t> padding_;
};

}  // namespace zeroth::model

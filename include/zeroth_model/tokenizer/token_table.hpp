// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/added_tokens.hpp>
#include <zeroth_model/tokenizer/merge_table.hpp>
#include <zeroth_model/tokenizer/vocabulary.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// What a token is for, numbered as in GGUF's `tokenizer.ggml.token_type`.
enum class TokenType : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// Whether the text of such a token is literal: that of control and user-defined tokens.
inline bool is_literal(TokenType type) {
  return type == TokenType::control || type == TokenType::user_defined;
}

/// How a control or user-defined token is found in a text, beyond matching its text.
struct AddedTokenRule {
  std::int32_t id = 0;
  bool strip_left = false;   ///< takes the white space before it
  bool strip_right = false;  ///< takes the white space after it
  bool normalized = false;   ///< searched for in the normalised text, after the others
  bool single_word = false;  ///< found only if no word character precedes or follows it
};

/// The data of every tokenizer, however it splits words. Only the constructor reads the views.
struct TokenTableData {
  /// The vocabulary in order of id, UTF-8.
  std::vector<std::string_view> tokens;
  /// A TokenType for each token; empty: all are normal.
  std::vector<std::int32_t> token_types;
  std::vector<AddedTokenRule> added_token_rules;
  /// Control and user-defined tokens missing from the model's own vocabulary: no symbol of a text is one of them.
  std::vector<std::int32_t> only_added;
  std::optional<std::int32_t> bos;
  std::optional<std::int32_t> eos;
  std::optional<std::int32_t> unknown;
  std::optional<std::int32_t> padding;
  bool add_bos = false;  ///< whether the model expects bos before each text; encode() leaves it to the caller
  bool add_eos = false;  ///< whether it expects eos after each text; encode() leaves it to the caller
};

/// The tokens of a tokenizer, their types, and the ids of the special ones.
class TokenTable {
 public:
  /// Throws InvalidArgument, naming the field, what was expected and what was found, if a token is not UTF-8, a type is
  /// unknown, or an id is outside the vocabulary.
  explicit TokenTable(const TokenTableData& data)
      : vocabulary_(data.tokens),
        rules_(data.added_token_rules),
        only_added_(data.tokens.size()),
        add_bos_(data.add_bos),
        add_eos_(data.add_eos) {
    check_and_store_types(data);
    for (const AddedTokenRule& rule : rules_) check_id("added token", rule.id);
    std::stable_sort(rules_.begin(), rules_.end(), before);
    for (const std::int32_t id : data.only_added) {
      check_id("added token", id);
      only_added_[static_cast<std::size_t>(id)] = true;
    }
    bos_ = checked_id("bos", data.bos);
    eos_ = checked_id("eos", data.eos);
    unknown_ = checked_id("unknown", data.unknown);
    padding_ = checked_id("padding", data.padding);
    if (add_bos_ && !bos_) throw InvalidArgument("tokenizer add_bos: expected a bos id with it, found none");
    if (add_eos_ && !eos_) throw InvalidArgument("tokenizer add_eos: expected an eos id with it, found none");
  }

  std::size_t size() const { return vocabulary_.size(); }

  /// The text of a token as in the vocabulary. Throws InvalidArgument for an id outside the vocabulary.
  std::string_view text(std::int32_t id) const {
    check_id("id", id);
    return vocabulary_[id];
  }

  /// Throws InvalidArgument for an id outside the vocabulary.
  TokenType type(std::int32_t id) const {
    check_id("id", id);
    return types_[static_cast<std::size_t>(id)];
  }

  /// Whether the token's text is literal: control and user-defined tokens.
  bool is_literal(std::int32_t id) const { return model::is_literal(type(id)); }

  /// The id of the token with exactly this text, or Vocabulary::absent.
  std::int32_t find(std::string_view text) const { return vocabulary_.find(text); }

  /// The id of the token with exactly this text in the model's own vocabulary, or Vocabulary::absent.
  std::int32_t find_symbol(std::string_view text) const {
    const std::int32_t id = find(text);
    return id == Vocabulary::absent || only_added_[static_cast<std::size_t>(id)] ? Vocabulary::absent : id;
  }

  /// Whether the model's own vocabulary lacks the token. Throws InvalidArgument for an id outside the vocabulary.
  bool is_only_added(std::int32_t id) const {
    check_id("id", id);
    return only_added_[static_cast<std::size_t>(id)];
  }

  /// How the token `id` is found in a text.
  AddedTokenRule rule(std::int32_t id) const {
    const auto found = std::lower_bound(rules_.begin(), rules_.end(), AddedTokenRule{.id = id}, before);
    return found == rules_.end() || found->id != id ? AddedTokenRule{.id = id} : *found;
  }

  /// The control and user-defined tokens whose rule has that `normalized`, each text changed by `change`. Throws
  /// InvalidArgument if two texts become equal, because it is undefined which one is found, or if nothing remains of
  /// one that should be found.
  template <class Change>
  AddedTokens added_tokens(bool normalized, const Change& change) const {
    std::vector<AddedTokens::Token> tokens;
    for (std::size_t i = 0; i < size(); ++i) {
      const auto id = static_cast<std::int32_t>(i);
      if (!is_literal(id)) continue;
      const AddedTokenRule rule = this->rule(id);
      if (rule.normalized != normalized) continue;
      tokens.push_back({.text = change(vocabulary_[id]),
                        .id = id,
                        .skip = types_[i] == TokenType::control,
                        .strip_left = rule.strip_left,
                        .strip_right = rule.strip_right,
                        .single_word = rule.single_word});
    }
    if (normalized) check_distinct(tokens);
    return AddedTokens(std::move(tokens));
  }

  std::optional<std::int32_t> bos() const { return bos_; }
  std::optional<std::int32_t> eos() const { return eos_; }
  std::optional<std::int32_t> unknown() const { return unknown_; }
  std::optional<std::int32_t> padding() const { return padding_; }
  bool add_bos() const { return add_bos_; }
  bool add_eos() const { return add_eos_; }

 private:
  static bool before(const AddedTokenRule& a, const AddedTokenRule& b) { return a.id < b.id; }

  static void check_distinct(const std::vector<AddedTokens::Token>& tokens) {
    std::unordered_map<std::string_view, const AddedTokens::Token*> known;
    for (const AddedTokens::Token& token : tokens) {
      const auto [entry, is_new] = known.try_emplace(token.text, &token);
      if (token.text.empty() && !token.skip) {
        throw InvalidArgument("tokenizer added token " + std::to_string(token.id) +
                              ": expected a text that is not empty after normalisation, found one that is; its "
                              "\"normalized\" must be false");
      }
      if (is_new || token.text.empty() || (entry->second->skip && token.skip)) continue;
      throw InvalidArgument("tokenizer added token " + std::to_string(token.id) +
                            ": expected a text that differs from those of other added tokens after normalisation, "
                            "found that of token " +
                            std::to_string(entry->second->id));
    }
  }

  void check_and_store_types(const TokenTableData& data) {
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
    }
  }

  void check_id(const char* name, std::int32_t id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= size()) {
      throw InvalidArgument("tokenizer " + std::string(name) + ": expected 0 to " + std::to_string(size() - 1) +
                            ", found " + std::to_string(id));
    }
  }

  std::optional<std::int32_t> checked_id(const char* name, std::optional<std::int32_t> id) const {
    if (id) check_id(name, *id);
    return id;
  }

  Vocabulary vocabulary_;
  std::vector<TokenType> types_;
  std::vector<AddedTokenRule> rules_;  ///< in order of id
  std::vector<bool> only_added_;
  std::optional<std::int32_t> bos_;
  std::optional<std::int32_t> eos_;
  std::optional<std::int32_t> unknown_;
  std::optional<std::int32_t> padding_;
  bool add_bos_;
  bool add_eos_;
};

/// Whether anything besides their text determines where the added tokens of `tokenizer` are found: a rule of a
/// user-defined token, or one that searches for a control token after normalisation, which matters where user-defined
/// tokens overlap it.
template <class Tokenizer>
bool has_added_token_rules(const Tokenizer& tokenizer) {
  bool any_found = false;
  bool any_normalized_control = false;
  for (std::size_t i = 0; i < tokenizer.vocabulary_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const TokenType type = tokenizer.token_type(id);
    if (type != TokenType::control && type != TokenType::user_defined) continue;
    const AddedTokenRule rule = tokenizer.added_token_rule(id);
    if (type == TokenType::control) {
      any_normalized_control = any_normalized_control || rule.normalized;
      continue;
    }
    any_found = true;
    if (rule.strip_left || rule.strip_right || rule.normalized || rule.single_word) return true;
  }
  return any_found && any_normalized_control;
}

/// The texts of two tokens to merge.
struct MergeTexts {
  std::string_view left;
  std::string_view right;
};

namespace detail {

/// A text for an error message, on one line and not too long.
inline std::string quoted_token(std::string_view text) {
  std::string result = "\"";
  for (const char c : text.substr(0, 80)) result += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return result + (text.size() > 80 ? "...\"" : "\"");
}

[[noreturn]] inline void fail_merge(std::size_t i, const std::string& expected, const std::string& found) {
  throw InvalidArgument("tokenizer merges[" + std::to_string(i) + "]: expected " + expected + ", found " + found);
}

/// The two sides of each "left right".
inline std::vector<MergeTexts> split_merges(std::span<const std::string_view> merges) {
  std::vector<MergeTexts> result;
  result.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string_view merge = merges[i];
    const std::size_t space = merge.find(' ');
    if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos) {
      fail_merge(i, "two tokens separated by one space", quoted_token(merge));
    }
    result.push_back({merge.substr(0, space), merge.substr(space + 1)});
  }
  return result;
}

/// Throws InvalidArgument if a merge is not two tokens that form a third.
inline std::vector<MergeTable::Merge> resolve_merges(const TokenTable& table, std::span<const MergeTexts> merges) {
  std::vector<MergeTable::Merge> resolved;
  resolved.reserve(merges.size());
  std::string joined;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto& [left, right] = merges[i];
    joined.assign(left).append(right);
    const auto id_of = [&, left = left, right = right](std::string_view text) {
      const std::int32_t id = table.find_symbol(text);
      if (id == Vocabulary::absent) {
        fail_merge(i, "the token " + quoted_token(text) + " in the vocabulary",
                   quoted_token(std::string(left) + " " + std::string(right)));
      }
      return id;
    };
    resolved.push_back({id_of(left), id_of(right), id_of(joined)});
  }
  return resolved;
}

/// Throws InvalidArgument if a merge has an id outside the vocabulary.
inline std::vector<MergeTable::Merge> checked_merges(const TokenTable& table, std::vector<MergeTable::Merge> merges) {
  for (const MergeTable::Merge& merge : merges) {
    for (const std::int32_t id : {merge.left, merge.right, merge.result}) table.type(id);
  }
  return merges;
}

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA::model

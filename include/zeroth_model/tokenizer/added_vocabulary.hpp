// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A token added to a model's vocabulary, as a tokenizer file describes it.
struct AddedToken {
  std::string text;
  bool special = false;  ///< a control token
  bool normalized = true;
  bool strip_left = false;
  bool strip_right = false;
  bool single_word = false;
  std::optional<std::int32_t> id;  ///< if the file has it
  std::string place;               ///< its place, for messages: "FILE: key 'added_tokens[3]'"

  /// Whether text and flags are the same.
  [[nodiscard]] bool is_same(const AddedToken& other) const {
    return text == other.text && special == other.special && normalized == other.normalized &&
           strip_left == other.strip_left && strip_right == other.strip_right && single_word == other.single_word;
  }
};

/// The tokens that other files add to a vocabulary, in the order in which Hugging Face `transformers` adds them.
struct AddedTokenFiles {
  std::vector<AddedToken> tokens;  ///< from added_tokens_decoder or added_tokens.json, in order of id
  std::vector<AddedToken> named;   ///< bos_token, eos_token and the like
  std::vector<AddedToken> extra;   ///< additional_special_tokens
  /// Whether older versions wrote the files, without added_tokens_decoder, which would describe every token completely.
  bool is_older = false;
};

/// A model's vocabulary and the tokens added to it, with the ids that Hugging Face `tokenizers` gives them: a token of
/// the model keeps its id; another one gets the next id after the vocabulary's size and the ids added so far.
/// `tokenizers` ignores the id in the file; here the two must agree.
class AddedVocabulary {
 public:
  /// The model's tokens; the views must stay valid.
  AddedVocabulary(std::unordered_map<std::string_view, std::int32_t> model, std::size_t size)
      : model_(std::move(model)), size_(size) {}

  /// Adds the tokens of a file; known tokens get the flags given here. Throws InvalidFile, naming the token's place, if
  /// the file gives it an id other than the one it gets.
  void add(std::span<const AddedToken> tokens) {
    auto next = static_cast<std::int64_t>(size_);
    if (!by_id_.empty() && by_id_.rbegin()->first >= next) next = std::int64_t{by_id_.rbegin()->first} + 1;
    for (const AddedToken& token : tokens) {
      if (token.text.empty()) continue;
      const auto known = find(token.text);
      const std::int64_t id = known ? *known : next++;
      if (token.id && *token.id != id) {
        throw InvalidFile(token.place + ": expected the id " + std::to_string(id) + ", which tokenizers gives \"" +
                          detail::printable(token.text) + "\"" +
                          (known ? "" : ", the next after the vocabulary; another one must stand in the vocabulary") +
                          ", found " + std::to_string(*token.id));
      }
      ids_.insert_or_assign(token.text, static_cast<std::int32_t>(id));
      by_id_.insert_or_assign(static_cast<std::int32_t>(id), token);
      if (token.special) special_.insert(token.text);
    }
  }

  /// Adds the tokens of other files, as the class `PreTrainedTokenizerFast` of `transformers` does, and returns whether
  /// there were any. Throws as add() does.
  bool add(const AddedTokenFiles& files) {
    std::set<std::string_view> named;
    for (const AddedToken& token : files.named) named.insert(token.text);
    std::vector<AddedToken> listed;
    for (const AddedToken& token : files.tokens) {
      // What tokenizer.json says about an id overrides what an older file says.
      if (!files.is_older || !token.id || !by_id_.contains(*token.id)) listed.push_back(token);
    }
    if (files.is_older) {
      for (const auto& [id, token] : by_id_) listed.push_back(token);
    }
    std::vector<AddedToken> tokens;
    std::set<std::string_view> texts;
    for (AddedToken& token : listed) {
      texts.insert(token.text);
      token.special = token.special || named.contains(token.text);
      const auto known = ids_.find(token.text);
      const bool is_there = known != ids_.end() && by_id_.at(known->second).is_same(token);
      // A different id is always reported.
      if (!is_there || (token.id && *token.id != known->second)) tokens.push_back(token);
    }
    for (const auto* const list : {&files.named, &files.extra}) {
      for (const AddedToken& token : *list) {
        if (ids_.contains(token.text) || !texts.insert(token.text).second) continue;
        tokens.push_back(token);
        if (list == &files.named) tokens.back().special = true;
      }
    }
    add(tokens);
    return !tokens.empty();
  }

  /// The id of a token, added or not.
  [[nodiscard]] std::optional<std::int32_t> find(const std::string& text) const {
    if (const auto added = ids_.find(text); added != ids_.end()) return added->second;
    if (const auto token = model_.find(text); token != model_.end()) return token->second;
    return std::nullopt;
  }

  /// Whether the model itself has the token.
  [[nodiscard]] bool is_of_model(std::string_view text) const { return model_.contains(text); }

  /// Whether the token was ever added as a special one; `tokenizers` ignores that it no longer is.
  [[nodiscard]] bool is_special(const std::string& text) const { return special_.contains(text); }

  /// The added tokens by id.
  [[nodiscard]] const std::map<std::int32_t, AddedToken>& tokens() const noexcept { return by_id_; }

 private:
  std::unordered_map<std::string_view, std::int32_t> model_;
  std::size_t size_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::map<std::int32_t, AddedToken> by_id_;
  std::set<std::string> special_;
};

}  // namespace zeroth::ZEROTH_ISA::model

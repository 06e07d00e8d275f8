// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <zeroth_model/tokenizer/token_table.hpp>
#include <zeroth_model/tokenizer/vocabulary.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The tokens of a tokenizer, independent of what they represent and how words are split.
class TableTokenizer {
 public:
  [[nodiscard]] std::size_t vocabulary_size() const { return table_.size(); }

  /// The text of a token as in the vocabulary. Throws InvalidArgument for an id outside the vocabulary.
  [[nodiscard]] std::string_view token_text(std::int32_t id) const { return table_.text(id); }

  /// Throws InvalidArgument for an id outside the vocabulary.
  [[nodiscard]] TokenType token_type(std::int32_t id) const { return table_.type(id); }

  /// How a control or user-defined token is found in a text.
  [[nodiscard]] AddedTokenRule added_token_rule(std::int32_t id) const { return table_.rule(id); }

  /// Whether the model's own vocabulary lacks the token, so that it is found in a text only as a whole, if at all.
  [[nodiscard]] bool is_only_added(std::int32_t id) const { return table_.is_only_added(id); }

  /// The id of the token with exactly this text in the vocabulary, if any: normal tokens as stored there, in GPT-2's
  /// byte alphabet or with U+2581 for a space.
  [[nodiscard]] std::optional<std::int32_t> find_token(std::string_view text) const {
    std::int32_t const id = table_.find(text);
    return id == Vocabulary::absent ? std::nullopt : std::optional(id);
  }

  [[nodiscard]] std::optional<std::int32_t> bos() const { return table_.bos(); }
  [[nodiscard]] std::optional<std::int32_t> eos() const { return table_.eos(); }
  [[nodiscard]] std::optional<std::int32_t> unknown() const { return table_.unknown(); }
  [[nodiscard]] std::optional<std::int32_t> padding() const { return table_.padding(); }

  /// Whether the model expects bos() before each text.
  [[nodiscard]] bool add_bos() const { return table_.add_bos(); }

  /// Whether the model expects eos() after each text.
  [[nodiscard]] bool add_eos() const { return table_.add_eos(); }

 protected:
  explicit TableTokenizer(TokenTableData const& data) : table_(data) {}

  TokenTable table_;
};

}  // namespace zeroth::ZEROTH_ISA::model

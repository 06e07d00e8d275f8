// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/model/tokenizer/unicode.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Finds tokens that are taken from a text whole, before it is cut into words, as Hugging Face `tokenizers` finds its
/// added tokens: the leftmost first, then the longest.
class AddedTokens {
 public:
  /// A token to be found.
  struct Token {
    std::string text;
    std::int32_t id = 0;
    /// Found, but left in the text: a control token, whose text is ordinary text. What overlaps it is not found.
    bool skip = false;
    bool strip_left = false;   ///< takes the white space before it as well
    bool strip_right = false;  ///< takes the white space after it as well
  };

  AddedTokens() = default;

  /// Of two tokens of one text the later counts; empty texts do not.
  explicit AddedTokens(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
    std::erase_if(tokens_, [](const Token& token) { return token.text.empty(); });
    std::reverse(tokens_.begin(), tokens_.end());
    std::stable_sort(tokens_.begin(), tokens_.end(), [](const Token& a, const Token& b) {
      return a.text[0] != b.text[0] ? first_byte(a) < first_byte(b) : a.text.size() > b.text.size();
    });
    for (const Token& token : tokens_) {
      ++begins_[first_byte(token) + 1u];
      any_found_ = any_found_ || !token.skip;
    }
    for (std::size_t byte = 0; byte < 256; ++byte) begins_[byte + 1] += begins_[byte];
  }

  /// Calls `use_text(std::string_view)` with each stretch of `text` that holds no token, none of them empty, and
  /// `use_token(std::int32_t)` with each token between them, in order.
  template <class UseText, class UseToken>
  void split(std::string_view text, UseText&& use_text, UseToken&& use_token) const {
    std::size_t begin = 0;
    const auto use_until = [&](std::size_t end) {
      if (end > begin) use_text(text.substr(begin, end - begin));
    };
    for (std::size_t i = 0; any_found_ && i < text.size();) {
      const Token* const token = longest_at(text.substr(i));
      if (token == nullptr) {
        ++i;
        continue;
      }
      std::size_t end = i + token->text.size();
      if (token->skip) {
        i = end;
        continue;
      }
      use_until(token->strip_left ? begin_of_space(text, begin, i) : i);
      if (token->strip_right) end = end_of_space(text, end);
      use_token(token->id);
      i = begin = end;
    }
    use_until(text.size());
  }

 private:
  static unsigned char first_byte(const Token& token) { return static_cast<unsigned char>(token.text[0]); }

  const Token* longest_at(std::string_view text) const {
    const auto byte = static_cast<unsigned char>(text[0]);
    for (std::size_t i = begins_[byte]; i < begins_[byte + 1u]; ++i) {
      if (text.starts_with(tokens_[i].text)) return &tokens_[i];
    }
    return nullptr;
  }

  /// Where the white space that ends before `end` begins, not before `begin`.
  static std::size_t begin_of_space(std::string_view text, std::size_t begin, std::size_t end) {
    while (end > begin) {
      std::size_t last = end - 1;
      while (last > begin && (static_cast<unsigned char>(text[last]) & 0xC0u) == 0x80) --last;
      if (character_class(next_character(text, last).code_point) != CharacterClass::whitespace) break;
      end = last;
    }
    return end;
  }

  static std::size_t end_of_space(std::string_view text, std::size_t begin) {
    while (begin < text.size()) {
      const Character character = next_character(text, begin);
      if (character_class(character.code_point) != CharacterClass::whitespace) break;
      begin += character.length;
    }
    return begin;
  }

  std::vector<Token> tokens_;                ///< by first byte, then the longest first
  std::array<std::uint32_t, 257> begins_{};  ///< where the tokens with a first byte begin
  bool any_found_ = false;
};

}  // namespace zeroth::ZEROTH_ISA::model

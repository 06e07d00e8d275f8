// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/token_finder.hpp>
#include <zeroth_model/tokenizer/word_tables.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Whether the regular expression `\w` matches the code point: letters, marks, decimal digits, connectors and joiners.
inline bool is_word_character(char32_t code_point) {
  const auto* const next =
      std::upper_bound(std::begin(word_runs), std::end(word_runs), static_cast<std::uint32_t>(code_point));
  return (next - std::begin(word_runs)) % 2 == 1;
}

/// Finds tokens that are taken out of a text whole, before it is split into words, as Hugging Face `tokenizers` finds
/// its added tokens: the leftmost first, then the longest. Memory: the texts, and what TokenFinder needs.
class AddedTokens {
 public:
  /// A token to find.
  struct Token {
    std::string text;
    std::int32_t id = 0;
    /// Found, but left in the text: a control token, whose text is ordinary text. Tokens that overlap it are not found.
    bool skip = false;
    bool strip_left = false;   ///< also takes the white space before it
    bool strip_right = false;  ///< also takes the white space after it
    bool single_word = false;  ///< left in the text if a word character precedes or follows it
  };

  AddedTokens() = default;

  /// Of two tokens with the same text the later wins; empty texts are ignored.
  explicit AddedTokens(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
    std::vector<std::string_view> texts;
    for (const Token& token : tokens_) {
      texts.emplace_back(token.text);
      any_found_ = any_found_ || (!token.skip && !token.text.empty());
    }
    // If no token is ever taken out of a text, do not search.
    if (any_found_) finder_ = TokenFinder(texts);
  }

  /// Calls `use_text(std::string_view)` with each nonempty stretch of `text` without a token, and
  /// `use_token(std::int32_t)` with each token between them, in order. O(text), with 16 bytes of memory for each place
  /// at which a token begins.
  ///
  /// The search continues after the last token, not after the white space that this token takes, so a token that begins
  /// with white space may be found there; whatever of that white space such a token leaves is text.
  template <class UseText, class UseToken>
  void split(std::string_view text, UseText&& use_text, UseToken&& use_token) const {
    struct Place {
      std::size_t position;
      std::size_t index;
    };
    std::vector<Place> places;
    if (any_found_) {
      finder_.search_backwards(text, [&](std::size_t position, std::size_t index) {
        places.push_back({position, index});
      });
    }
    std::size_t begin = 0;        // of the text not used yet
    std::size_t after = 0;        // end of the last token found
    std::size_t space_begin = 0;  // of the last white space that a token took, so that none is read twice
    std::size_t space_end = 0;
    for (auto place = places.rbegin(); place != places.rend(); ++place) {
      if (place->position < after) continue;
      const Token& token = tokens_[place->index];
      std::size_t start = place->position;
      std::size_t end = after = start + token.text.size();
      if (token.skip || (token.single_word && !is_single_word(text, start, end))) continue;
      if (token.strip_left) start = std::max(begin, begin_of_space(text, std::min(begin, start), start));
      if (token.strip_right) {
        if (end < space_begin || end > space_end) {
          space_begin = end;
          space_end = end_of_space(text, end);
        }
        end = space_end;
      }
      if (begin < start) use_text(text.substr(begin, start - begin));
      // The whole token may have been taken as white space after another one.
      if (start < end) use_token(token.id);
      begin = end;
    }
    if (begin < text.size()) use_text(text.substr(begin));
  }

 private:
  /// The beginning of the character that ends before `end`, at `begin` or later.
  static std::size_t last_character(std::string_view text, std::size_t begin, std::size_t end) {
    std::size_t last = end - 1;
    while (last > begin && (static_cast<unsigned char>(text[last]) & 0xC0u) == 0x80) --last;
    return last;
  }

  static bool is_single_word(std::string_view text, std::size_t begin, std::size_t end) {
    const auto is_word = [&](std::size_t i) { return is_word_character(next_character(text, i).code_point); };
    return (begin == 0 || !is_word(last_character(text, 0, begin))) && (end == text.size() || !is_word(end));
  }

  static bool is_space(const Character& character) {
    return character_class(character.code_point) == CharacterClass::whitespace;
  }

  /// The beginning of the white space that ends before `end`, at `begin` or later.
  static std::size_t begin_of_space(std::string_view text, std::size_t begin, std::size_t end) {
    while (end > begin) {
      const std::size_t last = last_character(text, begin, end);
      if (!is_space(next_character(text, last))) break;
      end = last;
    }
    return end;
  }

  static std::size_t end_of_space(std::string_view text, std::size_t begin) {
    while (begin < text.size()) {
      const Character character = next_character(text, begin);
      if (!is_space(character)) break;
      begin += character.length;
    }
    return begin;
  }

  std::vector<Token> tokens_;
  TokenFinder finder_;
  bool any_found_ = false;
};

}  // namespace zeroth::ZEROTH_ISA::model

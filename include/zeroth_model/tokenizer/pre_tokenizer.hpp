// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <zeroth/error.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/text/unicode.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// How text is split into the words that byte-pair merges never cross. The names are GGUF's (`tokenizer.ggml.pre`).
enum class PreTokenizer {
  /// "gpt-2": GPT-2's pattern,
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
  gpt2,
  /// "smollm": each numeric character is a word of its own; GPT-2's pattern runs over each stretch between them as over
  /// a whole text, so white space before a number is not left for the number's word. That is
  /// `Sequence[Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]` of the published
  /// tokenizer.json of SmolLM and SmolLM2.
  smollm,
  /// "llama-bpe", "llama3", "llama-v3" or "smaug-bpe": llama3_pattern.
  llama3,
  /// "qwen2": qwen2_pattern.
  qwen2,
};

/// LLaMA-3's pattern: contractions in either case, up to three digits together, line ends with the punctuation before.
inline constexpr std::string_view llama3_pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/// Qwen2's pattern: LLaMA-3's with each digit by itself.
inline constexpr std::string_view qwen2_pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/// A name of `tokenizer.ggml.pre`, and the properties that it implies and for which the format has no key, as in
/// llama.cpp.
struct GgufPreTokenizer {
  std::string_view name;
  PreTokenizer words;
  bool ignore_merges = false;  ///< a word that is a token needs no merges
  bool adds_bos = false;       ///< unless the file says otherwise
  bool nfc = false;            ///< texts are normalised to NFC, as its tokenizer.json says; not in llama.cpp
};

/// The pre-tokenizers of GGUF files. Of equal ones, the first is written.
inline constexpr std::array gguf_pre_tokenizers{
    GgufPreTokenizer{"gpt-2", PreTokenizer::gpt2},
    GgufPreTokenizer{"smollm", PreTokenizer::smollm},
    GgufPreTokenizer{.name = "llama-bpe", .words = PreTokenizer::llama3, .ignore_merges = true, .adds_bos = true},
    GgufPreTokenizer{.name = "llama3", .words = PreTokenizer::llama3, .ignore_merges = true, .adds_bos = true},
    GgufPreTokenizer{.name = "llama-v3", .words = PreTokenizer::llama3, .ignore_merges = true, .adds_bos = true},
    GgufPreTokenizer{"smaug-bpe", PreTokenizer::llama3},  // SmolLM3's files
    GgufPreTokenizer{.name = "qwen2", .words = PreTokenizer::qwen2, .nfc = true},
};

/// The row with that name. Throws InvalidArgument, listing the known names, if there is none.
inline const GgufPreTokenizer& find_gguf_pre_tokenizer(std::string_view name) {
  std::string list;
  for (const GgufPreTokenizer& row : gguf_pre_tokenizers) {
    if (row.name == name) return row;
    list += (list.empty() ? "\"" : ", \"") + std::string(row.name) + "\"";
  }
  throw InvalidArgument("tokenizer pre-tokenizer: expected one of " + list + ", found \"" + detail::printable(name) +
                        "\"; no other is guessed, since a wrong one gives wrong token ids");
}

/// The pre-tokenizer with that name. Throws InvalidArgument, listing the known names, for any other.
inline PreTokenizer parse_pre_tokenizer(std::string_view name) {
  return find_gguf_pre_tokenizer(name).words;
}

namespace detail {

/// Length of the contraction that begins `text` ('s 't 're 've 'm 'll 'd, lower case only); 0 without one.
inline std::size_t contraction_length(std::string_view text) {
  for (const std::string_view contraction : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.substr(0, contraction.size()) == contraction) return contraction.size();
  }
  return 0;
}

/// Length of the contraction that begins `text`, in either case; 0 without one. The regex engine folds case as Unicode
/// does: U+017F, the long s, is an s.
inline std::size_t folded_contraction_length(std::string_view text) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto lower = [&](std::size_t i) { return i < text.size() ? static_cast<char>(text[i] | 0x20) : '\0'; };
  const auto is_letter = [&](std::size_t i, char letter) { return i < text.size() && lower(i) == letter; };
  if (text.substr(1, 2) == "\xC5\xBF") return 3;
  for (const char letter : {'s', 't', 'm', 'd'}) {
    if (is_letter(1, letter)) return 2;
  }
  const bool pair =
      (is_letter(1, 'l') && is_letter(2, 'l')) || ((is_letter(1, 'r') || is_letter(1, 'v')) && is_letter(2, 'e'));
  return pair ? 3 : 0;
}

/// The class of a code point in these patterns.
inline CharacterClass pattern_class(char32_t code_point) {
  const CharacterClass kind = character_class(code_point);
  return kind == CharacterClass::digit_only ? CharacterClass::other : kind;
}

/// End of the match of GPT-2's pattern at `text[begin]`; `text` is UTF-8 and `begin < text.size()`.
inline std::size_t gpt2_word_end(std::string_view text, std::size_t begin) {
  if (const std::size_t length = contraction_length(text.substr(begin)); length > 0) return begin + length;

  const std::size_t body = begin + (text[begin] == ' ' && begin + 1 < text.size() ? 1 : 0);
  const Character first = next_character(text, body);
  if (const CharacterClass kind = pattern_class(first.code_point); kind != CharacterClass::whitespace) {
    std::size_t end = body + first.length;
    while (end < text.size()) {
      const Character character = next_character(text, end);
      if (pattern_class(character.code_point) != kind) break;
      end += character.length;
    }
    return end;
  }

  std::size_t last = begin;
  std::size_t end = begin;
  while (end < text.size()) {
    const Character character = next_character(text, end);
    if (pattern_class(character.code_point) != CharacterClass::whitespace) break;
    last = end;
    end += character.length;
  }
  // `\s+(?!\S)` gives back the last space before a word, unless it is the only one, which `\s+` then takes.
  return end == text.size() || last == begin ? end : last;
}

/// End of the match of LLaMA-3's pattern, with up to `digits` numeric characters together, at `text[begin]`; `text` is
/// UTF-8 and `begin < text.size()`.
inline std::size_t llama3_word_end(std::string_view text, std::size_t begin, std::size_t digits) {
  if (const std::size_t length = folded_contraction_length(text.substr(begin)); length > 0) return begin + length;

  const auto is_line_end = [&](std::size_t i) { return text[i] == '\r' || text[i] == '\n'; };
  const auto class_at = [&](std::size_t i) {
    return i < text.size() ? pattern_class(next_character(text, i).code_point) : CharacterClass::whitespace;
  };
  const auto run_end = [&](std::size_t i, CharacterClass kind, std::size_t limit) {
    for (; i < text.size() && limit > 0; --limit) {
      const Character character = next_character(text, i);
      if (pattern_class(character.code_point) != kind) break;
      i += character.length;
    }
    return i;
  };
  const Character first = next_character(text, begin);
  const CharacterClass kind = pattern_class(first.code_point);
  if (kind == CharacterClass::letter) return run_end(begin, kind, text.size());
  if (kind == CharacterClass::number) return run_end(begin, kind, digits);
  const std::size_t second = begin + first.length;
  if (!is_line_end(begin) && class_at(second) == CharacterClass::letter) {
    return run_end(second, CharacterClass::letter, text.size());
  }
  const std::size_t body = begin + (text[begin] == ' ' ? 1 : 0);
  if (class_at(body) == CharacterClass::other) {
    std::size_t end = run_end(body, CharacterClass::other, text.size());
    while (end < text.size() && is_line_end(end)) ++end;
    return end;
  }

  std::size_t last = begin;
  std::size_t end = begin;
  std::size_t after_line_end = begin;
  while (end < text.size()) {
    const Character character = next_character(text, end);
    if (pattern_class(character.code_point) != CharacterClass::whitespace) break;
    last = end;
    end += character.length;
    if (is_line_end(last)) after_line_end = end;
  }
  if (after_line_end > begin) return after_line_end;
  return end == text.size() || last == begin ? end : last;
}

template <class Use>
void for_each_llama3_word(std::string_view text, std::size_t digits, Use& use) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = llama3_word_end(text, begin, digits);
    use(text.substr(begin, end - begin));
    begin = end;
  }
}

template <class Use>
void for_each_gpt2_word(std::string_view text, Use& use) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = gpt2_word_end(text, begin);
    use(text.substr(begin, end - begin));
    begin = end;
  }
}

}  // namespace detail

/// Calls `use(std::string_view)` with each word of `text`, which must be UTF-8, in order; together they are `text`.
template <class Use>
void for_each_word(PreTokenizer pre_tokenizer, std::string_view text, Use&& use) {
  if (pre_tokenizer == PreTokenizer::gpt2) return detail::for_each_gpt2_word(text, use);
  if (pre_tokenizer == PreTokenizer::llama3) return detail::for_each_llama3_word(text, 3, use);
  if (pre_tokenizer == PreTokenizer::qwen2) return detail::for_each_llama3_word(text, 1, use);

  std::size_t stretch = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Character character = next_character(text, i);
    const CharacterClass kind = character_class(character.code_point);
    if (kind == CharacterClass::number || kind == CharacterClass::digit_only) {
      detail::for_each_gpt2_word(text.substr(stretch, i - stretch), use);
      use(text.substr(i, character.length));
      stretch = i + character.length;
    }
    i += character.length;
  }
  detail::for_each_gpt2_word(text.substr(stretch), use);
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "zeroth_model/text/unicode.hpp"
#include "zeroth_model/tokenizer/byte_alphabet.hpp"
#include "zeroth_model/tokenizer/normalization.hpp"
#include "zeroth_model/tokenizer/pre_tokenizer.hpp"

namespace {

using zeroth::model::character_class;
using zeroth::model::CharacterClass;
using zeroth::model::PreTokenizer;

using Words = std::vector<std::string>;

Words words(PreTokenizer pre_tokenizer, std::string_view text) {
  Words result;
  zeroth::model::for_each_word(pre_tokenizer, text, [&](std::string_view word) { result.emplace_back(word); });
  return result;
}

TEST_CASE("unicode classes of known characters") {
  for (const char32_t letter : U"azAZ\u00AA\u00E9\u0416\u4E2D\uD55C\u0905\U00030000") {
    if (letter != 0) CHECK(character_class(letter) == CharacterClass::letter);
  }
  for (const char32_t number : U"09\u00B2\u00BD\u0663\u2163\u3007\U0001D7D8") {
    if (number != 0) CHECK(character_class(number) == CharacterClass::number);
  }
  for (const char32_t space : U" \t\n\v\f\r\u0085\u00A0\u1680\u2028\u202F\u3000") {
    if (space != 0) CHECK(character_class(space) == CharacterClass::whitespace);
  }
  for (const char32_t other : U"!_'\u001C\u200B\u180E\uFEFF\u0301\uFFFD\U0001F600\U0010FFFF") {
    if (other != 0) CHECK(character_class(other) == CharacterClass::other);
  }
  CHECK(character_class(U'\0') == CharacterClass::other);
  CHECK(character_class(U'\U00011DE0') == CharacterClass::digit_only);
}

TEST_CASE("unicode class table is in order and has the counts of its Unicode version") {
  using zeroth::model::character_class_runs;
  CHECK(std::is_sorted(std::begin(character_class_runs), std::end(character_class_runs)));
  std::size_t counts[5] = {};
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c < 0xD800 || c > 0xDFFF) ++counts[static_cast<std::size_t>(character_class(c))];
  }
  CHECK(counts[1] == 141028);  // L, Unicode 16.0
  CHECK(counts[2] == 1911);    // N, Unicode 16.0
  CHECK(counts[3] == 13);      // N added by Unicode 17.0
  CHECK(counts[4] == 25);      // White_Space
}

TEST_CASE("unicode replacement takes maximal invalid subparts") {
  using zeroth::model::is_utf8;
  using zeroth::model::replace_invalid_utf8;
  const std::string r = "\xEF\xBF\xBD";
  CHECK(is_utf8("a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80"));
  CHECK(replace_invalid_utf8("a\xC3\xA9") == "a\xC3\xA9");
  CHECK_FALSE(is_utf8("\xC3"));
  CHECK(replace_invalid_utf8("\xC3(") == r + "(");
  CHECK(replace_invalid_utf8("\xF0\x9F\x98x") == r + "x");
  CHECK(replace_invalid_utf8("\xF0\x9F\x98") == r);
  CHECK(replace_invalid_utf8("\xED\xA0\x80") == r + r + r);
  CHECK(replace_invalid_utf8("\xC0\x80") == r + r);
  CHECK(replace_invalid_utf8("\xF4\x90\x80\x80") == r + r + r + r);
  CHECK(replace_invalid_utf8("\xF4\x8F\xBF\xBF") == "\xF4\x8F\xBF\xBF");
  CHECK(replace_invalid_utf8("caf\xE9 noir") == "caf" + r + " noir");  // Latin-1
  CHECK(replace_invalid_utf8("\xE0\x80\xAF") == r + r + r);            // overlong, third byte stray
  CHECK(replace_invalid_utf8("\xF1\x80\x80\xE1\x80\xC2\x62") ==
        r + r + r + "b");  // the standard's own example, in part
  CHECK(replace_invalid_utf8(std::string_view("a\0b", 3)) == std::string("a\0b", 3));
}

TEST_CASE("byte alphabet is one to one") {
  using zeroth::model::byte_alphabet_text;
  using zeroth::model::bytes_of_token;
  std::vector<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) {
    texts.push_back(byte_alphabet_text(static_cast<unsigned char>(byte)));
    CHECK(bytes_of_token(texts.back()) == std::string(1, static_cast<char>(byte)));
  }
  CHECK(texts['a'] == "a");
  CHECK(texts[' '] == "\xC4\xA0");
  CHECK(texts['\n'] == "\xC4\x8A");
  CHECK_FALSE(bytes_of_token("a b"));
  CHECK_FALSE(bytes_of_token("\xE4\xB8\xAD"));
}

TEST_CASE("pre-tokenizer gpt-2 cuts words as its pattern does") {
  const auto cut = [](std::string_view text) { return words(PreTokenizer::gpt2, text); };
  CHECK(cut("").empty());
  CHECK(cut("I'll go") == Words{"I", "'ll", " go"});
  CHECK(cut("I'LL '''s") == Words{"I", "'", "LL", " '''", "s"});
  CHECK(cut("a  b") == Words{"a", " ", " b"});
  CHECK(cut("a \t b") == Words{"a", " \t", " b"});
  CHECK(cut("a \tb") == Words{"a", " ", "\t", "b"});
  CHECK(cut("a  ") == Words{"a", "  "});
  CHECK(cut(" ") == Words{" "});
  CHECK(cut("x12!? 3") == Words{"x", "12", "!?", " 3"});
  CHECK(cut("\xC2\xA0"
            "a") == Words{"\xC2\xA0", "a"});
}

TEST_CASE("pre-tokenizer smollm isolates numbers and cuts the stretches between them") {
  const auto cut = [](std::string_view text) { return words(PreTokenizer::smollm, text); };
  CHECK(cut("").empty());
  CHECK(cut("a12 3b") == Words{"a", "1", "2", " ", "3", "b"});
  CHECK(cut("a  5") == Words{"a", "  ", "5"});
  CHECK(cut("5's") == Words{"5", "'s"});
  CHECK(cut("x\xC2\xBD!") == Words{"x", "\xC2\xBD", "!"});
  CHECK(cut("!\xF0\x91\xB7\xA0!") == Words{"!", "\xF0\x91\xB7\xA0", "!"});
  CHECK(words(PreTokenizer::gpt2, "!\xF0\x91\xB7\xA0!") == Words{"!\xF0\x91\xB7\xA0!"});
}

TEST_CASE("pre-tokenizers of LLaMA-3 and Qwen2 keep line ends with punctuation and fold the case of contractions") {
  const PreTokenizer either = GENERATE(PreTokenizer::llama3, PreTokenizer::qwen2);
  const auto cut = [&](std::string_view text) { return words(either, text); };
  CHECK(cut("").empty());
  CHECK(cut("a  b") == Words{"a", " ", " b"});
  CHECK(cut("a\t\tb") == Words{"a", "\t", "\tb"});
  CHECK(cut("(a") == Words{"(a"});
  CHECK(cut("((a") == Words{"((", "a"});
  CHECK(cut("a \n \n  b") == Words{"a", " \n \n", " ", " b"});
  CHECK(cut("a \n") == Words{"a", " \n"});
  CHECK(cut("\na") == Words{"\n", "a"});
  CHECK(cut("\r\n\ta") == Words{"\r\n", "\ta"});
  CHECK(cut("a!\r\n\n b") == Words{"a", "!\r\n\n", " b"});
  CHECK(cut(" !? x ") == Words{" !?", " x", " "});
  CHECK(cut("it'S I'LL we'Re o'VE 'D'M'T") ==
        Words{"it", "'S", " I", "'LL", " we", "'Re", " o", "'VE", " '", "D", "'M", "'T"});
  CHECK(cut("a'\xC5\xBFx") == Words{"a", "'\xC5\xBF", "x"});
  CHECK(cut("'l 'r '") == Words{"'l", " '", "r", " '"});
  CHECK(cut(" 1") == Words{" ", "1"});
}

TEST_CASE("pre-tokenizers of LLaMA-3 and Qwen2 differ in numbers") {
  const std::string_view text =
      "x1234\xC2\xBD"
      "56!";
  CHECK(words(PreTokenizer::llama3, text) == Words{"x", "123",
                                                   "4\xC2\xBD"
                                                   "5",
                                                   "6", "!"});
  CHECK(words(PreTokenizer::qwen2, text) == Words{"x", "1", "2", "3", "4", "\xC2\xBD", "5", "6", "!"});
}

TEST_CASE("unicode normalization form C") {
  using zeroth::model::nfc;
  const auto utf8 = [](std::u32string_view text) {
    std::string result;
    for (const char32_t c : text) zeroth::model::append_utf8(result, c);
    return result;
  };
  const auto becomes = [&](std::u32string_view text, std::u32string_view expected) {
    INFO(utf8(text));
    CHECK(nfc(utf8(text)) == utf8(expected));
  };
  CHECK(nfc("").empty());
  becomes(U"plain \u00E9\u02FF", U"plain \u00E9\u02FF");
  becomes(U"e\u0301", U"\u00E9");
  becomes(U"e\u0323\u0301 e\u0301\u0323", U"\u1EB9\u0301 \u1EB9\u0301");
  becomes(U"\u0301e", U"\u0301e");
  becomes(U"a\u0315\u0300\u05AE\u0062", U"\u00E0\u05AE\u0315b");
  becomes(U"e\u0301\u0301", U"\u00E9\u0301");
  becomes(U"\u212B\u2126\u0958", U"\u00C5\u03A9\u0915\u093C");
  becomes(U"\u01D5\u0301 U\u0308\u0304", U"\u01D5\u0301 \u01D5");
  becomes(U"\u1112\u1161\u11AB \uAC00\u11A8 \uAC01\u11A8 \uAC00\u11A7", U"\uD55C \uAC01 \uAC01\u11A8 \uAC00\u11A7");
  becomes(U"\U00011099\U000110BA \U0001D15E", U"\U0001109A \U0001D157\U0001D165");
}

}  // namespace

// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "paths.hpp"
#include "zeroth/error.hpp"
#include "zeroth_model/tokenizer/byte_pair_tokenizer.hpp"

namespace {

using zeroth::model::BytePairTokenizer;
using zeroth::model::TokenizerData;
using zeroth::model::TokenType;
using zeroth_test::contains_text;

using Ids = std::vector<std::int32_t>;

/// Ids: 0 <s>, 1 </s>, 2 user, 3 user+, then the vocabulary of the merges below. The byte of "z" has no token.
TokenizerData small_data() {
  TokenizerData data;
  data.tokens = {"<s>",
                 "</s>",
                 "{u}",
                 "{u}+",
                 "a",
                 "b",
                 "c",
                 "\xC4\xA0",
                 "1",
                 "2",
                 "ab",
                 "abc",
                 "bc",
                 "\xC4\xA0"
                 "ab",
                 "12",
                 "aa",
                 "aaaa",
                 "{",
                 "u",
                 "}",
                 "+",
                 "<",
                 "s",
                 ">"};
  data.token_types = Ids(data.tokens.size(), 1);
  data.token_types[0] = data.token_types[1] = 3;
  data.token_types[2] = data.token_types[3] = 4;
  data.merges = {"b c", "a b", "\xC4\xA0 ab", "ab c", "a bc", "1 2", "a a", "aa aa"};
  data.pre_tokenizer = "gpt-2";
  data.bos = 0;
  data.eos = 1;
  return data;
}

std::string refusal(const TokenizerData& data) {
  try {
    BytePairTokenizer{data};
  } catch (const zeroth::InvalidArgument& error) {
    return error.what();
  }
  return "accepted";
}

/// Byte-pair encoding by definition: find the best pair, merge it, start over. Quadratic.
Ids merge_by_definition(const zeroth::model::MergeTable& table, Ids ids) {
  while (true) {
    std::uint32_t best = zeroth::model::MergeTable::no_rank;
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      if (const std::uint32_t rank = table.rank(ids[i], ids[i + 1]); rank < best) {
        best = rank;
        place = i;
      }
    }
    if (best == zeroth::model::MergeTable::no_rank) return ids;
    ids[place] = table[best].result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

struct Golden {
  nlohmann::json json;
  std::vector<std::string> tokens;
  std::vector<std::string> merges;
  std::string whole;
  std::vector<std::string> lines;

  Golden() {
    const auto folder = zeroth_test::tests_directory() / "model" / "tokenizer";
    json = nlohmann::json::parse(std::ifstream(folder / "golden.json"));
    tokens = json.at("tokens").get<std::vector<std::string>>();
    merges = json.at("merges").get<std::vector<std::string>>();
    std::ifstream text(folder / "odd_unicode.txt", std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(text), {});
    for (std::size_t begin = 0; begin < whole.size();) {
      const std::size_t end = whole.find('\n', begin);
      lines.push_back(whole.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  BytePairTokenizer tokenizer(std::string_view pre_tokenizer) const {
    TokenizerData data;
    data.tokens.assign(tokens.begin(), tokens.end());
    data.merges.assign(merges.begin(), merges.end());
    data.pre_tokenizer = pre_tokenizer;
    data.ignore_merges = pre_tokenizer == "llama-bpe";
    if (pre_tokenizer == "qwen2") data.normalization = zeroth::model::Normalization::nfc;
    return BytePairTokenizer(data);
  }
};

std::string from_hexadecimal(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST_CASE("tokenizer merges by rank, not from left to right") {
  const BytePairTokenizer tokenizer(small_data());
  CHECK(tokenizer.encode("") == Ids{});
  CHECK(tokenizer.encode("abc") == Ids{11});
  CHECK(tokenizer.encode("ab c") == Ids{10, 7, 6});
  CHECK(tokenizer.encode("bab ab") == Ids{5, 10, 13});
  CHECK(tokenizer.encode("aaaaa") == Ids{16, 4});
  CHECK(tokenizer.encode("aaa") == Ids{15, 4});
}

TEST_CASE("tokenizer pre-tokenizers differ in numbers") {
  TokenizerData data = small_data();
  CHECK(BytePairTokenizer(data).encode("12 12") == Ids{14, 7, 14});
  CHECK(BytePairTokenizer(data).encode("  ab") == Ids{7, 13});
  data.pre_tokenizer = "smollm";
  CHECK(BytePairTokenizer(data).encode("12 12") == Ids{8, 9, 7, 8, 9});
  CHECK(BytePairTokenizer(data).encode("  ab") == Ids{7, 13});
}

TEST_CASE(
    "tokenizer pre-tokenizers of LLaMA-3 and Qwen2 differ in the length of numbers, each name for the former alike") {
  TokenizerData data = small_data();
  data.pre_tokenizer = GENERATE("llama-bpe", "llama3", "llama-v3");
  CHECK(BytePairTokenizer(data).encode("1212") == Ids{14, 8, 9});
  CHECK(BytePairTokenizer(data).encode("  ab") == Ids{7, 13});
  data.pre_tokenizer = "qwen2";
  CHECK(BytePairTokenizer(data).encode("1212") == Ids{8, 9, 8, 9});
}

TEST_CASE("tokenizer takes a word that is a token whole where merges are to be ignored, but no added token") {
  TokenizerData data = small_data();
  data.merges = {"b c"};
  data.pre_tokenizer = "llama-bpe";
  CHECK(BytePairTokenizer(data).encode("abc ab") == Ids{4, 12, 7, 4, 5});
  data.ignore_merges = true;
  CHECK(BytePairTokenizer(data).encode("abc ab") == Ids{11, 13});
  data.token_types[11] = 3;
  CHECK(BytePairTokenizer(data).encode("abc ab") == Ids{11, 13});
  data.only_added = {11};
  CHECK(BytePairTokenizer(data).encode("abc ab") == Ids{4, 12, 13});
}

TEST_CASE("tokenizer normalises the text between user-defined tokens") {
  TokenizerData data = small_data();
  data.tokens[2] = "e\xCC\x81";
  data.tokens[15] = "\xC3\x83";  // the bytes of U+00E9 in the byte alphabet
  data.tokens[16] = "\xC2\xA9";
  data.merges = {};
  const std::string decomposed = "ae\xCC\x81";
  CHECK(BytePairTokenizer(data).encode(decomposed) == Ids{4, 2});
  data.normalization = zeroth::model::Normalization::nfc;
  CHECK(BytePairTokenizer(data).encode(decomposed) == Ids{4, 2});
  data.token_types[2] = 1;
  CHECK(BytePairTokenizer(data).encode(decomposed) == Ids{4, 15, 16});
  data.token_types[2] = 4;
  data.added_token_rules = {{.id = 2, .normalized = true}};
  CHECK(BytePairTokenizer(data).encode(decomposed) == Ids{4, 2});
  CHECK(BytePairTokenizer(data).encode("a\xC3\xA9") == Ids{4, 2});
}

TEST_CASE("tokenizer gives a user-defined token the adjacent white space where its rule says so") {
  TokenizerData data = small_data();
  data.added_token_rules = {{.id = 2, .strip_left = true}, {.id = 3, .strip_right = true}};
  const BytePairTokenizer tokenizer(data);
  CHECK(tokenizer.encode("a \t{u} b") == Ids{4, 2, 7, 5});
  CHECK(tokenizer.encode("a {u}+ \xE3\x80\x80 b") == Ids{4, 7, 3, 5});
  CHECK(tokenizer.encode("{u}+  {u} ") == Ids{3, 2, 7});
}

TEST_CASE("tokenizer finds no user-defined token inside the text of a control token") {
  TokenizerData data = small_data();
  data.tokens[0] = "<{u}>";
  const BytePairTokenizer tokenizer(data);
  CHECK(tokenizer.encode("<{u}>") == Ids{21, 17, 18, 19, 23});
  CHECK(tokenizer.encode("<{u}") == Ids{21, 2});
}

TEST_CASE("tokenizer leaves out a byte without a token and lets its neighbours merge") {
  const BytePairTokenizer tokenizer(small_data());
  CHECK(tokenizer.encode("z") == Ids{});
  CHECK(tokenizer.encode("azb") == Ids{10});
}

TEST_CASE("tokenizer treats a control token's text as text, and recognises user-defined tokens, the longest first") {
  const BytePairTokenizer tokenizer(small_data());
  CHECK(tokenizer.encode("<s>") == Ids{21, 22, 23});
  CHECK(tokenizer.encode("ab{u}c{u}+{u") == Ids{10, 2, 6, 3, 17, 18});
}

TEST_CASE("tokenizer decodes to the bytes of the text") {
  const BytePairTokenizer tokenizer(small_data());
  CHECK(tokenizer.decode(Ids{0, 13, 7, 3, 1}) == "<s> ab {u}+</s>");
  CHECK(tokenizer.decode(Ids{}).empty());
  CHECK_THROWS_WITH(tokenizer.decode(Ids{24}), contains_text("expected 0 to 23, found 24"));
  CHECK_THROWS_WITH(tokenizer.decode(Ids{-1}), contains_text("found -1"));
}

TEST_CASE("tokenizer tells what it is made of") {
  TokenizerData data = small_data();
  data.add_bos = true;
  const BytePairTokenizer tokenizer(data);
  CHECK(tokenizer.vocabulary_size() == 24);
  CHECK(tokenizer.token_text(13) ==
        "\xC4\xA0"
        "ab");
  CHECK(tokenizer.token_type(3) == TokenType::user_defined);
  CHECK(tokenizer.find_token("abc") == 11);
  CHECK_FALSE(tokenizer.find_token("abcd"));
  CHECK(tokenizer.bos() == 0);
  CHECK(tokenizer.eos() == 1);
  CHECK_FALSE(tokenizer.unknown());
  CHECK(tokenizer.add_bos());
  CHECK(tokenizer.encode("a") == Ids{4});
  const BytePairTokenizer copy = tokenizer;
  CHECK(copy.encode("abc") == Ids{11});
}

TEST_CASE("tokenizer rejects data that contradict themselves") {
  const TokenizerData good = small_data();
  CHECK(refusal(good) == "accepted");

  TokenizerData data = good;
  data.pre_tokenizer = "falcon";
  CHECK_THAT(refusal(data), contains_text("expected one of \"gpt-2\", \"smollm\", \"llama-bpe\", "));
  CHECK_THAT(refusal(data), contains_text("found \"falcon\""));

  data = good;
  data.merges[3] = "abc";
  CHECK_THAT(refusal(data), contains_text("merges[3]: expected two tokens separated by one space, found \"abc\""));
  data.merges[3] = "a b c";
  CHECK_THAT(refusal(data), contains_text("merges[3]"));
  data.merges[3] = "c c";
  CHECK_THAT(refusal(data), contains_text("expected the token \"cc\" in the vocabulary, found \"c c\""));

  data = good;
  data.token_types.pop_back();
  CHECK_THAT(refusal(data), contains_text("token_types: expected 24, one for each token, found 23"));
  data = good;
  data.token_types[2] = 7;
  CHECK_THAT(refusal(data), contains_text("token_types[2]: expected 1 to 6, found 7"));
  data = good;
  data.tokens[4] = "\xFF";
  data.merges.clear();
  CHECK_THAT(refusal(data), contains_text("tokens[4]: expected UTF-8"));
  data = good;
  data.eos = 24;
  CHECK_THAT(refusal(data), contains_text("eos: expected 0 to 23, found 24"));
  data = good;
  data.bos.reset();
  data.add_bos = true;
  CHECK_THAT(refusal(data), contains_text("add_bos"));
  data = good;
  data.pre_tokenizer = "";
  CHECK_THAT(refusal(data), contains_text("found \"\""));
  data = TokenizerData{};
  data.pre_tokenizer = "gpt-2";
  CHECK_THAT(refusal(data), contains_text("tokens: expected at least one"));
}

TEST_CASE("tokenizer gives the ids of Hugging Face tokenizers on odd Unicode") {
  const Golden golden;
  const std::string name = GENERATE("gpt-2", "smollm", "llama-bpe", "qwen2");
  const BytePairTokenizer tokenizer = golden.tokenizer(name);
  const auto& expected = golden.json.at("ids").at(name);
  CHECK(golden.json.at("ids").size() == 4);
  CHECK(tokenizer.encode(golden.whole) == expected.at("whole").get<Ids>());
  if (!expected.contains("lines")) return;
  REQUIRE(golden.lines.size() == expected.at("lines").size());
  for (std::size_t i = 0; i < golden.lines.size(); ++i) {
    INFO(name << ", line " << i + 1 << ": " << golden.lines[i]);
    CHECK(tokenizer.encode(golden.lines[i]) == expected.at("lines")[i].get<Ids>());
  }
}

TEST_CASE("tokenizer takes bytes that are not UTF-8 as Python's errors=replace does") {
  const Golden golden;
  const std::string name = GENERATE("gpt-2", "smollm");
  const BytePairTokenizer tokenizer = golden.tokenizer(name);
  const auto& invalid = golden.json.at("invalid");
  for (std::size_t i = 0; i < invalid.size(); ++i) {
    INFO(name << ", bytes " << invalid[i]);
    const std::string bytes = from_hexadecimal(invalid[i].get<std::string>());
    CHECK(tokenizer.encode(bytes) == golden.json.at("ids").at(name).at("invalid")[i].get<Ids>());
  }
}

TEST_CASE("tokenizer decodes what it encoded, where every byte has a token") {
  const Golden golden;
  const std::string name = GENERATE("gpt-2", "smollm", "llama-bpe", "qwen2");
  const BytePairTokenizer tokenizer = golden.tokenizer(name);
  std::size_t round_trips = 0;
  for (const std::string& line : golden.lines) {
    if (line.find_first_of("\x01\x04") != std::string::npos) continue;
    CHECK(tokenizer.decode(tokenizer.encode(line)) == (name == "qwen2" ? zeroth::model::nfc(line) : line));
    ++round_trips;
  }
  CHECK(round_trips + 1 == golden.lines.size());
}

TEST_CASE("tokenizer merges a long word as the definition does") {
  const Golden golden;
  const BytePairTokenizer tokenizer = golden.tokenizer("gpt-2");
  const zeroth::model::MergeTable table({tokenizer.merges().begin(), tokenizer.merges().end()});
  std::string word;
  std::uint32_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    state = state * 1664525u + 1013904223u;
    word += "etaonirshl"[(state >> 16) % 10];
  }
  Ids symbols;
  for (const char c : word) symbols.push_back(*tokenizer.find_token(std::string_view(&c, 1)));
  const Ids ids = tokenizer.encode(word);
  CHECK(ids == merge_by_definition(table, symbols));
  CHECK(ids.size() < symbols.size());
}

}  // namespace

// SPDX-License-Identifier: MIT
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>

#include "../../examples/finetune/encoding.hpp"
#include "catch.hpp"

using namespace zeroth::cli;
using zeroth::model::BytePairTokenizer;
using Tokens = std::vector<std::int32_t>;

namespace {

// 0: <s>; letters; "ab" and "bc" merge, "ab" first. Space is written as in GPT-2's alphabet.
constexpr std::string_view space = "\xC4\xA0";

BytePairTokenizer tokenizer(bool add_bos) {
  zeroth::model::TokenizerData data;
  data.tokens = {"<s>", "a", "b", "c", "d", space, "ab", "bc"};
  data.token_types = {3, 1, 1, 1, 1, 1, 1, 1};
  data.merges = {"a b", "b c"};
  data.pre_tokenizer = "gpt-2";
  data.bos = 0;
  data.add_bos = add_bos;
  return BytePairTokenizer(data);
}

EncodedExamples encode_one(std::string const& prompt, std::vector<std::string> const& candidates, bool add_bos = false,
                           std::uint32_t max_tokens = 100) {
  std::vector<TextExample> const examples{{prompt, 1}};
  return encode(examples, candidates, tokenizer(add_bos), max_tokens);
}

}  // namespace

TEST_CASE("the prompt is what the candidates' sequences begin with, the rest of each is the candidate") {
  EncodedExamples const encoded = encode_one("cd", {"a", "dd"});
  REQUIRE(encoded.examples.size() == 1);
  REQUIRE(encoded.examples[0].candidates.size() == 2);
  CHECK(encoded.examples[0].prompt == Tokens{3, 4});
  CHECK(encoded.examples[0].candidates[0] == Tokens{1});
  CHECK(encoded.examples[0].candidates[1] == Tokens{4, 4});
  CHECK(encoded.examples[0].label == 1);
  CHECK(encoded.truncated == 0);
}

TEST_CASE("a token that forms across the seam belongs to its candidate") {
  EncodedExamples const encoded = encode_one("da", {"b", "c"});
  CHECK(encoded.examples[0].prompt == Tokens{4});
  CHECK(encoded.examples[0].candidates[0] == Tokens{6});
  CHECK(encoded.examples[0].candidates[1] == Tokens{1, 3});
}

TEST_CASE("what candidates begin with in common is part of the prompt") {
  EncodedExamples const encoded = encode_one("d", {"ca", "cd"});
  CHECK(encoded.examples[0].prompt == Tokens{4, 3});
  CHECK(encoded.examples[0].candidates[0] == Tokens{1});
  CHECK(encoded.examples[0].candidates[1] == Tokens{4});
}

TEST_CASE("the beginning-of-sequence token comes first if the model wants it") {
  CHECK(encode_one("d", {"a", "c"}, true).examples[0].prompt == Tokens{0, 4});
  CHECK(encode_one("d", {"a", "c"}, false).examples[0].prompt == Tokens{4});
}

TEST_CASE("a long prompt loses its beginning, but not the beginning-of-sequence token") {
  std::string const prompt = "aaddcc";
  EncodedExamples const plain = encode_one(prompt, {"d", "aa"}, false, 5);
  CHECK(plain.examples[0].prompt == Tokens{4, 3, 3});
  CHECK(plain.examples[0].candidates[1] == Tokens{1, 1});
  CHECK(plain.truncated == 1);
  EncodedExamples const marked = encode_one(prompt, {"d", "aa"}, true, 5);
  CHECK(marked.examples[0].prompt == Tokens{0, 3, 3});
  CHECK(marked.truncated == 1);
  CHECK(encode_one(prompt, {"d", "aa"}, false, 8).truncated == 0);
  CHECK(encode_one(prompt, {"d", "aa"}, false, 7).truncated == 1);
}

TEST_CASE("no room for a prompt, and a candidate that is the beginning of another, are refused") {
  CHECK_THROWS_WITH(encode_one("dd", {"d", "aa"}, false, 2), "--max-tokens: expected at least 3, found 2");
  CHECK_THROWS_AS(encode_one("d", {"c", "cd"}), zeroth::InvalidArgument);
}

TEST_CASE("several examples lie one after the other") {
  std::vector<TextExample> const examples{{"d", 0}, {"dd", 1}, {"c", 1}};
  EncodedExamples const encoded = encode(examples, std::vector<std::string>{"a", "c"}, tokenizer(false), 100);
  REQUIRE(encoded.examples.size() == 3);
  CHECK(encoded.examples[1].prompt == Tokens{4, 4});
  CHECK(encoded.examples[2].prompt == Tokens{3});
  CHECK(encoded.examples[1].candidates[1] == Tokens{3});
  CHECK(encoded.examples[2].label == 1);
}

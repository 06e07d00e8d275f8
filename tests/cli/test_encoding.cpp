// SPDX-License-Identifier: MIT
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/tokenizer/byte_pair_tokenizer.hpp>

#include "../../cli/run/encoding.hpp"
#include "catch.hpp"

using namespace zeroth::cli;
using zeroth::model::BytePairTokenizer;
using Tokens = std::vector<std::int32_t>;

namespace {

// 0: <s>; letters; "ab" and "bc" merge, "ab" first. Space is written in GPT-2's alphabet.
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
  return encode(examples, {.candidates = candidates, .max_tokens = max_tokens}, tokenizer(add_bos));
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

TEST_CASE("no room for a prompt, and a candidate that is the beginning of another, are rejected") {
  CHECK_THROWS_WITH(encode_one("dd", {"d", "aa"}, false, 2), "--max-tokens: expected at least 3, found 2");
  CHECK_THROWS_WITH(encode_one("d", {"c", "cd"}), zeroth_test::contains_text("\"shared_beginning\": \"candidate\""));
}

TEST_CASE("what is wrong with an example names its file and line") {
  auto const rejection = [](TextExample example, EncodingRules rules) -> std::string {
    example.file = std::make_shared<std::string const>("data/h.jsonl");
    example.line = 34;
    std::vector<TextExample> const examples{std::move(example)};
    try {
      (void)encode(examples, rules, tokenizer(false));
    } catch (zeroth::Error const& error) {
      return error.what();
    }
    return "accepted";
  };
  std::string const hint = "; \"shared_beginning\": \"candidate\" in the task lets candidates own what they share";
  EncodingRules const rules{.candidates = {}, .max_tokens = 100};
  CHECK(rejection({"d", 0, {"c", "cd"}}, rules) ==
        "data/h.jsonl:34: candidate \"c\": expected a token that no other candidate begins with, found that \"cd\" "
        "begins with it" +
            hint);
  CHECK(
      rejection({"d", 0, {"c", "c"}}, rules) ==
      "data/h.jsonl:34: candidate \"c\": expected a token that no other candidate begins with, found another with the "
      "same text" +
          hint);
  CHECK(rejection({"a", 0, {"b", "c"}}, rules) ==
        "data/h.jsonl:34: expected a prompt with a token of its own before the candidates, found \"a\"");
  CHECK(rejection({"dd", 0, {"d", "aa"}}, {.candidates = {}, .max_tokens = 2}) ==
        "--max-tokens: expected at least 3 for data/h.jsonl:34, found 2");
  TextExample second{"d", 0, {"c", "c"}};
  second.element = 2;
  CHECK(rejection(second, rules).starts_with("data/h.jsonl:34: example 3: candidate"));
  CHECK(rejection({"", 0, {"d"}}, {.candidates = {}, .is_text = true, .max_tokens = 100}) ==
        "data/h.jsonl: expected a text of at least two tokens, found none among 1");
}

TEST_CASE("several examples lie one after the other") {
  std::vector<TextExample> const examples{{"d", 0}, {"dd", 1}, {"c", 1}};
  EncodedExamples const encoded = encode(examples, {.candidates = {"a", "c"}, .max_tokens = 100}, tokenizer(false));
  REQUIRE(encoded.examples.size() == 3);
  CHECK(encoded.examples[1].prompt == Tokens{4, 4});
  CHECK(encoded.examples[2].prompt == Tokens{3});
  CHECK(encoded.examples[1].candidates[1] == Tokens{3});
  CHECK(encoded.examples[2].label == 1);
  CHECK(encoded.sources == std::vector<std::uint32_t>{0, 1, 2});
  CHECK(encoded.groups == std::vector<std::uint32_t>{0, 1, 2});
}

TEST_CASE("candidates that own what they share begin after the prompt") {
  EncodingRules rules{.candidates = {"ca", "cd", "c"}, .candidates_own_shared_beginning = true, .max_tokens = 100};
  std::vector<TextExample> const examples{{"d", 0}};
  EncodedExamples const encoded = encode(examples, rules, tokenizer(false));
  CHECK(encoded.examples[0].prompt == Tokens{4});
  CHECK(encoded.examples[0].candidates == std::vector<Tokens>{{3, 1}, {3, 4}, {3}});
  // A token that forms across the boundary still belongs to the candidate.
  std::vector<TextExample> const across{{"da", 0, {"b", "ba"}}};
  EncodedExamples const seam = encode(across, rules, tokenizer(false));
  CHECK(seam.examples[0].prompt == Tokens{4});
  CHECK(seam.examples[0].candidates == std::vector<Tokens>{{6}, {6, 1}});
}

TEST_CASE("an example's own candidates take the place of the task's, and their number may differ") {
  std::vector<TextExample> const examples{{"d", 0}, {"d", 2, {"a", "b", "c"}}};
  EncodedExamples const encoded = encode(examples, {.candidates = {"a", "c"}, .max_tokens = 100}, tokenizer(false));
  CHECK(encoded.examples[0].candidates == std::vector<Tokens>{{1}, {3}});
  CHECK(encoded.examples[1].candidates == std::vector<Tokens>{{1}, {2}, {3}});
}

TEST_CASE("examples of the same group name have the same group") {
  std::vector<TextExample> examples{{"d", 0}, {"d", 0}, {"d", 0}, {"d", 0}};
  examples[1].group = examples[3].group = "x";
  examples[2].group = "y";
  EncodedExamples const encoded = encode(examples, {.candidates = {"a", "c"}, .max_tokens = 100}, tokenizer(false));
  CHECK(encoded.groups == std::vector<std::uint32_t>{0, 1, 2, 1});
}

TEST_CASE("demonstrations come before the prompt, and are what is lost first") {
  EncodingRules rules{.candidates = {"a", "c"}, .demonstrations = "bc", .max_tokens = 100};
  std::vector<TextExample> const examples{{"dd", 0}};
  CHECK(encode(examples, rules, tokenizer(true)).examples[0].prompt == Tokens{0, 7, 4, 4});
  rules.max_tokens = 4;
  EncodedExamples const cut = encode(examples, rules, tokenizer(true));
  CHECK(cut.examples[0].prompt == Tokens{0, 4, 4});
  CHECK(cut.truncated == 1);
}

TEST_CASE("a neutral prompt gets the same candidates, and if it is empty the beginning-of-sequence token") {
  EncodingRules const rules{
      .candidates = {"a", "cc"}, .demonstrations = "bc", .against_neutral = true, .max_tokens = 100};
  std::vector<TextExample> examples{{"dd", 0}, {"d", 1}};
  examples[0].neutral = "ad";
  EncodedExamples const encoded = encode(examples, rules, tokenizer(false));
  CHECK(encoded.examples[0].neutral.prompt == Tokens{1, 4});
  CHECK(encoded.examples[0].neutral.candidates == std::vector<Tokens>{{1}, {3, 3}});
  CHECK(encoded.examples[1].neutral.prompt == Tokens{0});
  CHECK(encode(examples, rules, tokenizer(true)).examples[0].neutral.prompt == Tokens{0, 1, 4});
}

TEST_CASE("each token of a text is scored once, however it is cut into pieces") {
  EncodingRules rules{.candidates = {}, .is_text = true, .max_tokens = 100};
  std::vector<TextExample> const examples{{"", 0, {"dadad"}}, {"", 0, {"d"}}};
  EncodedExamples const plain = encode(examples, rules, tokenizer(false));
  REQUIRE(plain.examples.size() == 1);  // a single token has no token before it
  CHECK(plain.examples[0].prompt == Tokens{4});
  CHECK(plain.examples[0].candidates == std::vector<Tokens>{{1, 4, 1, 4}});
  EncodedExamples const marked = encode(examples, rules, tokenizer(true));
  REQUIRE(marked.examples.size() == 2);
  CHECK(marked.examples[0].prompt == Tokens{0});
  CHECK(marked.examples[0].candidates == std::vector<Tokens>{{4, 1, 4, 1, 4}});
  CHECK(marked.examples[1].candidates == std::vector<Tokens>{{4}});

  rules.max_tokens = 3;
  for (bool add_bos : {false, true}) {
    EncodedExamples const pieces = encode(examples, rules, tokenizer(add_bos));
    Tokens scored;
    for (std::size_t i = 0; i < pieces.examples.size() && pieces.sources[i] == 0; ++i) {
      auto const& piece = pieces.examples[i];
      CHECK(piece.prompt.size() + piece.candidates[0].size() <= 3);
      if (i > 0) CHECK(piece.prompt.back() == scored.back());
      scored.insert(scored.end(), piece.candidates[0].begin(), piece.candidates[0].end());
    }
    CHECK(scored == (add_bos ? Tokens{4, 1, 4, 1, 4} : Tokens{1, 4, 1, 4}));
    CHECK(pieces.truncated == 0);
  }
  CHECK_THROWS_WITH(encode(std::span(examples).last(1), rules, tokenizer(false)),
                    "expected a text of at least two tokens, found none among 1");
}

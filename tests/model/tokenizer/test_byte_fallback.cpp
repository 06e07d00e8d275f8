// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "golden_sentencepiece.hpp"
#include "zeroth/error.hpp"
#include "zeroth_model/tokenizer/byte_fallback_tokenizer.hpp"
#include "zeroth_model/tokenizer/from_hugging_face.hpp"
#include "zeroth_model/tokenizer/hugging_face.hpp"
#include "zeroth_model/tokenizer/sentencepiece_merges.hpp"

namespace {

using zeroth::model::ByteFallbackData;
using zeroth::model::ByteFallbackTokenizer;
using zeroth::model::SpacePrefix;
using zeroth_test::contains_text;
using zeroth_test::GoldenSentencePiece;

using Ids = std::vector<std::int32_t>;

constexpr std::string_view space = "\xE2\x96\x81";

/// 0 <unk>, 1 <s>, 2 {u}, 3 space, 4 a, 5 b, 6 "ab", 7 space a, and no bytes.
ByteFallbackData small_data() {
  static const std::string space_a = std::string(space) + "a";
  ByteFallbackData data;
  data.tokens = {"<unk>", "<s>", "{u}", space, "a", "b", "ab", space_a};
  data.token_types = {2, 3, 4, 1, 1, 1, 1, 1};
  data.merges = {{"a", "b"}, {space, "a"}};
  data.unknown = 0;
  data.bos = 1;
  data.byte_fallback = false;
  return data;
}

std::string refusal(const ByteFallbackData& data) {
  try {
    ByteFallbackTokenizer{data};
  } catch (const zeroth::InvalidArgument& error) {
    return error.what();
  }
  return "accepted";
}

TEST_CASE("a tokenizer.json is rejected that could not tell the unknown token from a later one of the same text") {
  ByteFallbackData data = small_data();
  CHECK_NOTHROW(hugging_face_tokenizer_json(ByteFallbackTokenizer(data)));
  data.tokens[5] = "<unk>";
  data.merges.erase(data.merges.begin());  // of a and b
  CHECK_THROWS_WITH(
      hugging_face_tokenizer_json(ByteFallbackTokenizer(data)),
      contains_text("expected one token with the text of the unknown token, \"<unk>\", found tokens 0 and 5"));
  data = small_data();
  data.tokens[0] = "";
  CHECK_THROWS_WITH(hugging_face_tokenizer_json(ByteFallbackTokenizer(data)),
                    contains_text("expected an unknown token with a text, found none in token 0"));
}

TEST_CASE("byte fallback tokenizer puts a space where its rule says") {
  ByteFallbackData data = small_data();
  const auto ids = [&](SpacePrefix prefix, std::string_view text) {
    data.space_prefix = prefix;
    return ByteFallbackTokenizer(data).encode(text);
  };
  CHECK(ids(SpacePrefix::none, "a a") == Ids{4, 7});
  CHECK(ids(SpacePrefix::each_part, "a") == Ids{7});
  CHECK(ids(SpacePrefix::each_part, " a{u}a") == Ids{3, 7, 2, 7});
  CHECK(ids(SpacePrefix::each_part, "").empty());
  CHECK(ids(SpacePrefix::each_part_without, " a{u}a") == Ids{7, 2, 7});
  CHECK(ids(SpacePrefix::first_part, "a{u}a") == Ids{7, 2, 4});
  CHECK(ids(SpacePrefix::first_part, " a{u} a") == Ids{7, 2, 7});
  CHECK(ids(SpacePrefix::first_part, "{u}a") == Ids{2, 4});
  CHECK(ids(SpacePrefix::no_part, "a a{u} a") == Ids{4, 7, 2, 7});
}

TEST_CASE("a normalised added token takes the spaces before it unless a normalizer has written them") {
  ByteFallbackData data = small_data();
  data.added_token_rules = {{.id = 2, .strip_left = true, .normalized = true}};
  const auto ids = [&](SpacePrefix prefix) {
    data.space_prefix = prefix;
    const ByteFallbackTokenizer tokenizer(data);
    const auto again = zeroth::model::parse_tokenizer_json(hugging_face_tokenizer_json(tokenizer), "tokenizer.json");
    const Ids found = tokenizer.encode("a  {u}a");
    CHECK(std::get<ByteFallbackTokenizer>(again).encode("a  {u}a") == found);
    return found;
  };
  CHECK(ids(SpacePrefix::none) == Ids{4, 3, 3, 2, 4});
  CHECK(ids(SpacePrefix::no_part) == Ids{4, 2, 4});
  CHECK(ids(SpacePrefix::first_part) == Ids{7, 2, 4});
}

TEST_CASE("byte fallback tokenizer splits at spaces where it should") {
  ByteFallbackData data = small_data();
  const std::string two = std::string(space) + std::string(space);
  data.tokens.emplace_back(two);
  data.token_types.push_back(1);
  data.merges.insert(data.merges.begin(), {space, space});
  CHECK(ByteFallbackTokenizer(data).encode("b  a") == Ids{5, 8, 4});
  data.split_at_spaces = true;
  CHECK(ByteFallbackTokenizer(data).encode("b  a") == Ids{5, 3, 7});
}

TEST_CASE("byte fallback tokenizer writes a character without a token as unknown or leaves it out") {
  ByteFallbackData data = small_data();
  CHECK(ByteFallbackTokenizer(data).encode("xyaz\xFF") == Ids{0, 4, 0});
  data.fuse_unknown = false;
  CHECK(ByteFallbackTokenizer(data).encode("xyaz\xFF") == Ids{0, 0, 4, 0, 0});
  data.unknown.reset();
  CHECK(ByteFallbackTokenizer(data).encode("xyazb") == Ids{6});
}

TEST_CASE("byte fallback tokenizer decodes bytes, spaces and control tokens") {
  const GoldenSentencePiece golden;
  const ByteFallbackTokenizer tokenizer = byte_fallback_tokenizer(golden.model("bpe"));
  const std::string text = "The river\xF0\x9F\x99\x82 {u}";
  CHECK(tokenizer.decode(tokenizer.encode("x \x01")) == "x \x01");
  CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
  CHECK(tokenizer.token_bytes(1) == "<s>");
  const auto byte = tokenizer.find_token("<0x0A>");
  REQUIRE(byte);
  CHECK(tokenizer.token_bytes(*byte) == "\n");
  CHECK_THROWS_WITH(tokenizer.token_bytes(-1), contains_text("found -1"));
}

TEST_CASE("byte fallback tokenizer rejects data that contradict themselves") {
  ByteFallbackData data = small_data();
  CHECK(refusal(data) == "accepted");
  data.byte_fallback = true;
  CHECK_THAT(refusal(data), contains_text("byte_fallback: expected the token \"<0x00>\" in the vocabulary"));
  data = small_data();
  data.merges.push_back({"b", "a"});
  CHECK_THAT(refusal(data), contains_text("merges[2]: expected the token \"ba\" in the vocabulary, found \"b a\""));
  data = small_data();
  data.added_token_rules = {{.id = 9}};
  CHECK_THAT(refusal(data), contains_text("added token: expected 0 to 7, found 9"));
  data = small_data();
  data.add_eos = true;
  CHECK_THAT(refusal(data), contains_text("add_eos: expected an eos id"));
}

TEST_CASE("byte fallback tokenizer gives the ids of Hugging Face tokenizers in each form of its tokenizer.json") {
  const GoldenSentencePiece golden;
  const auto model = golden.model("bpe");
  const struct {
    const char* name;
    SpacePrefix prefix;
    bool split;
  } forms[] = {{"prepend", SpacePrefix::each_part, false},
               {"replace", SpacePrefix::none, false},
               {"first whole", SpacePrefix::first_part, false},
               {"always split", SpacePrefix::each_part_without, true},
               {"never split", SpacePrefix::no_part, true}};
  const ByteFallbackTokenizer from_model = byte_fallback_tokenizer(model);
  CHECK(from_model.space_prefix() == SpacePrefix::each_part);
  for (const auto& form : forms) {
    ByteFallbackData data;
    for (const auto& piece : model.pieces) {
      data.tokens.emplace_back(piece.text);
      data.token_types.push_back(static_cast<std::int32_t>(piece.type));
    }
    for (const auto& merge : from_model.merges()) {
      data.merges.push_back({from_model.token_text(merge.left), from_model.token_text(merge.right)});
    }
    data.unknown = from_model.unknown();
    data.bos = from_model.bos();
    data.add_bos = true;
    data.space_prefix = form.prefix;
    data.split_at_spaces = form.split;
    const ByteFallbackTokenizer tokenizer(data);
    const std::string written = hugging_face_tokenizer_json(tokenizer);
    const auto read = zeroth::model::parse_tokenizer_json(written, "tokenizer.json");
    const auto* const again = std::get_if<ByteFallbackTokenizer>(&read);
    REQUIRE(again != nullptr);
    CHECK(again->space_prefix() == form.prefix);
    CHECK(again->add_bos());
    CHECK(again->unknown() == 0);
    REQUIRE(golden.json.at("ids").at(form.name).size() == golden.lines.size());
    for (std::size_t i = 0; i < golden.lines.size(); ++i) {
      INFO(form.name << ": " << golden.lines[i]);
      const Ids expected = golden.ids(form.name, i);
      CHECK(tokenizer.encode(golden.lines[i]) == expected);
      CHECK(again->encode(golden.lines[i]) == expected);
      if (form.prefix == SpacePrefix::each_part) CHECK(from_model.encode(golden.lines[i]) == expected);
    }
  }
}

}  // namespace

// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "golden_sentencepiece.hpp"
#include "zeroth/error.hpp"
#include "zeroth_model/tokenizer/hugging_face.hpp"
#include "zeroth_model/tokenizer/load_tokenizer.hpp"
#include "zeroth_model/tokenizer/sentencepiece_merges.hpp"
#include "zeroth_model/tokenizer/sentencepiece_model.hpp"

namespace {

using zeroth::model::parse_sentencepiece_model;
using zeroth::model::SentencePieceModel;
using zeroth::model::TokenType;
using zeroth_test::contains_text;
using zeroth_test::GoldenSentencePiece;

/// A message with one piece and with fields of trainer_spec and normalizer_spec.
std::string message(const std::string& trainer, const std::string& normalizer = {}) {
  using namespace zeroth::model::detail;
  std::string piece;
  append_proto_text(piece, 1, "a");
  std::string out;
  append_proto_text(out, 1, piece);
  append_proto_text(out, 2, trainer);
  append_proto_text(out, 3, normalizer);
  return out;
}

std::string number(std::uint32_t field, std::uint64_t value) {
  std::string out;
  zeroth::model::detail::append_proto_number(out, field, value);
  return out;
}

std::string refusal(const std::string& bytes) {
  try {
    parse_sentencepiece_model(bytes, "file");
  } catch (const zeroth::InvalidFile& error) {
    return error.what();
  }
  return "accepted";
}

TEST_CASE("sentencepiece model file is read") {
  const GoldenSentencePiece golden;
  const SentencePieceModel bpe = golden.model("bpe");
  CHECK(bpe.kind == SentencePieceModel::Kind::byte_pair);
  CHECK(bpe.pieces.size() == 520);
  CHECK(bpe.byte_fallback);
  CHECK(bpe.add_dummy_prefix);
  CHECK_FALSE(bpe.remove_extra_whitespaces);
  CHECK(bpe.charsmap.empty());
  CHECK(bpe.bos == 1);
  CHECK(bpe.eos == 2);
  CHECK_FALSE(bpe.padding);
  CHECK(bpe.pieces[0].type == TokenType::unknown);
  CHECK(bpe.pieces[1].type == TokenType::control);
  CHECK(bpe.pieces[3].text == "{u}");
  CHECK(bpe.pieces[3].type == TokenType::user_defined);
  CHECK(bpe.pieces[5].text == "<0x00>");
  CHECK(bpe.pieces[5].type == TokenType::byte);
  CHECK(bpe.pieces[300].score < bpe.pieces[299].score);
  CHECK(is_plain_byte_pair(bpe));

  const SentencePieceModel unigram = golden.model("unigram with rules");
  CHECK(unigram.kind == SentencePieceModel::Kind::unigram);
  CHECK(unigram.remove_extra_whitespaces);
  CHECK_FALSE(unigram.charsmap.empty());
  CHECK_FALSE(is_plain_byte_pair(unigram));
  CHECK_THROWS_AS(byte_fallback_tokenizer(unigram), zeroth::InvalidArgument);
}

TEST_CASE("sentencepiece model file comes back from its own bytes") {
  const GoldenSentencePiece golden;
  for (const char* name : {"bpe", "unigram", "unigram with rules"}) {
    const SentencePieceModel model = golden.model(name);
    const SentencePieceModel again = parse_sentencepiece_model(serialize_sentencepiece_model(model), name);
    REQUIRE(again.pieces.size() == model.pieces.size());
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      CHECK(again.pieces[i].text == model.pieces[i].text);
      CHECK(again.pieces[i].score == model.pieces[i].score);
      CHECK(again.pieces[i].type == model.pieces[i].type);
    }
    CHECK(again.kind == model.kind);
    CHECK(again.charsmap == model.charsmap);
    CHECK(again.byte_fallback == model.byte_fallback);
    CHECK(again.add_dummy_prefix == model.add_dummy_prefix);
    CHECK(again.remove_extra_whitespaces == model.remove_extra_whitespaces);
    CHECK(again.bos == model.bos);
  }
}

TEST_CASE("sentencepiece model file says what it wants where it is not the default") {
  const SentencePieceModel model = parse_sentencepiece_model(
      message(number(24, 1) + number(35, 1) + number(3, 2), number(3, 0) + number(4, 0)), "file");
  CHECK(model.whitespace_as_suffix);
  CHECK(model.byte_fallback);
  CHECK(model.kind == SentencePieceModel::Kind::byte_pair);
  CHECK_FALSE(model.add_dummy_prefix);
  CHECK_FALSE(model.remove_extra_whitespaces);
  const SentencePieceModel plain = parse_sentencepiece_model(message(""), "file");
  CHECK(plain.add_dummy_prefix);
  CHECK(plain.remove_extra_whitespaces);
  CHECK(plain.pieces[0].type == TokenType::normal);
}

TEST_CASE("a file that is not a sentencepiece model is rejected by name") {
  CHECK_THAT(refusal(""), contains_text("file: expected a SentencePiece model, found no pieces"));
  CHECK_THAT(refusal("{\"version\": 1}"), contains_text("file: expected a SentencePiece model"));
  CHECK_THAT(refusal(message(number(3, 4))), contains_text("model_type: expected 1 (unigram) or 2 (BPE), found 4"));
  CHECK_THAT(refusal(message("", number(5, 0))), contains_text("escape_whitespaces: expected true"));
  CHECK_THAT(refusal("\x0A\x02\x18\x07"), contains_text("pieces.type: expected 1 to 6, found 7"));
  // A piece of type 2 without text; SentencePiece rejects it too.
  CHECK_THAT(refusal("\x0A\x02\x18\x02"), contains_text("pieces[0].piece: expected a text, found none"));
  CHECK_THAT(refusal("\x0A\x03\x0A\x01"
                     "a"
                     "\x0A\x03\x0A\x01"
                     "b"
                     "\x0A\x03\x0A\x01"
                     "a"),
             contains_text("pieces[2].piece: expected a text that no other piece has, found \"a\", that of pieces[0]"));
  CHECK_THAT(refusal("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), contains_text("truncated bytes"));
  CHECK_THAT(refusal("\x0A\xFF\xFF\xFF\xFF\x0F"), contains_text("truncated bytes"));
  const GoldenSentencePiece golden;
  const std::string bytes = golden.bytes("unigram with rules");
  std::size_t refused = 0;
  for (std::size_t size = 1; size < 200; ++size) refused += refusal(bytes.substr(0, size)) == "accepted" ? 0 : 1;
  // Cut between two pieces, it is a model of fewer pieces.
  CHECK(refused > 150);
}

// As in a GGUF file, where ids may be padded with tokens that share a text.
TEST_CASE("of two pieces with one text the later is merged") {
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::byte_pair;
  model.remove_extra_whitespaces = false;
  model.add_dummy_prefix = false;
  model.pieces = {{"a", -3},
                  {"b", -5},
                  {"ab", -1},
                  {"<unk>", 0, TokenType::unknown},
                  {"a", -3},
                  {"ab", -2},
                  {"user", 0, TokenType::user_defined},
                  {"user", 0, TokenType::user_defined}};
  const auto tokenizer = zeroth::model::byte_fallback_tokenizer(model);
  CHECK(tokenizer.encode("aabuser") == std::vector<std::int32_t>{4, 5, 7});
  const auto written = zeroth::model::parse_tokenizer_json(hugging_face_tokenizer_json(tokenizer), "written");
  const auto again = zeroth::model::detail::make_hugging_face_tokenizer(written, {}, {}, "written");
  CHECK(again.encode("aabuser") == std::vector<std::int32_t>{4, 5, 7});

  model.pieces.back().type = TokenType::normal;
  CHECK_THROWS_WITH(
      hugging_face_tokenizer_json(zeroth::model::byte_fallback_tokenizer(model)),
      contains_text("expected one token with the text of the added token \"user\", found tokens 6 and 7"));
}

TEST_CASE("sentencepiece merges reject a score that is not a number") {
  const GoldenSentencePiece golden;
  SentencePieceModel model = golden.model("bpe");
  model.pieces[300].score = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(byte_fallback_tokenizer(model), contains_text("pieces[300].score: expected a finite number"));
}

TEST_CASE("sentencepiece merges of pieces that are all each other's parts are found, in the order of their scores") {
  // 24 pieces: a, aa, ... Each piece of n letters can be formed in n - 1 ways.
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::byte_pair;
  for (std::size_t n = 1; n <= 24; ++n) {
    model.pieces.push_back({std::string(n, 'a'), -static_cast<float>(n), zeroth::model::TokenType::normal});
  }
  const auto merges = zeroth::model::detail::scored_merges(model.pieces);
  REQUIRE(merges.size() == 24 * 23 / 2);
  std::size_t i = 0;
  for (std::int32_t result = 1; result < 24; ++result) {
    for (std::int32_t left = 0; left < result; ++left, ++i) {
      CHECK(merges[i].merge.result == result);
      CHECK(merges[i].merge.left == left);
      CHECK(merges[i].merge.right == result - 1 - left);
    }
  }
}

}  // namespace

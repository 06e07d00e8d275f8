// SPDX-License-Identifier: MIT
#include "catch.hpp"

#ifdef ZEROTH_SENTENCEPIECE

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "golden_sentencepiece.hpp"
#include "zeroth/error.hpp"
#include "zeroth_model/tokenizer/from_hugging_face.hpp"
#include "zeroth_model/tokenizer/load_tokenizer.hpp"
#include "zeroth_model/tokenizer/sentencepiece.hpp"

namespace {

using zeroth::model::SentencePieceModel;
using zeroth::model::SentencePieceTokenizer;
using zeroth::model::TokenType;
using zeroth_test::contains_text;
using zeroth_test::GoldenSentencePiece;

using Ids = std::vector<std::int32_t>;

std::string refusal(const SentencePieceModel& model) {
  try {
    SentencePieceTokenizer{model};
  } catch (const zeroth::InvalidArgument& error) {
    return error.what();
  }
  return "accepted";
}

/// The golden model with its two user-defined pieces as normal ones.
SentencePieceModel without_user_defined(const GoldenSentencePiece& golden, const std::string& name) {
  SentencePieceModel model = golden.model(name);
  for (auto& piece : model.pieces) {
    if (piece.type == TokenType::user_defined) piece = {piece.text, -30, TokenType::normal};
  }
  return model;
}

TEST_CASE("sentencepiece tokenizer gives the library's ids") {
  const GoldenSentencePiece golden;
  const std::string name = GENERATE("unigram", "unigram with rules");
  const SentencePieceTokenizer tokenizer(golden.model(name));
  for (std::size_t i = 0; i < golden.lines.size(); ++i) {
    INFO(name << ": " << golden.lines[i]);
    CHECK(tokenizer.encode(golden.lines[i]) == golden.ids(name, i));
  }
  CHECK_THROWS_WITH(hugging_face_tokenizer_json(tokenizer),
                    contains_text("without pieces of the type user-defined, which SentencePiece finds differently"));
}

TEST_CASE("sentencepiece tokenizer gives the same ids from the tokenizer.json that it writes") {
  const GoldenSentencePiece golden;
  const std::string name = GENERATE("unigram", "unigram with rules");
  const SentencePieceTokenizer tokenizer(without_user_defined(golden, name));
  auto read = zeroth::model::parse_tokenizer_json(hugging_face_tokenizer_json(tokenizer), "tokenizer.json");
  CHECK(std::holds_alternative<SentencePieceModel>(read) == (name == "unigram with rules"));
  const auto again = zeroth::model::detail::make_hugging_face_tokenizer(
      std::move(read), {}, zeroth::model::sentencepiece_tokenizer, "tokenizer.json");
  for (std::size_t i = 0; i < golden.lines.size(); ++i) {
    INFO(name << ": " << golden.lines[i]);
    CHECK(again.encode(golden.lines[i]) == tokenizer.encode(golden.lines[i]));
    CHECK(again.encode("  " + golden.lines[i]) == tokenizer.encode("  " + golden.lines[i]));
    // Written spaces at the end are stripped with the others; those at the beginning are not.
    const std::string between = "\xE2\x96\x81" + golden.lines[i] + " \xE2\x96\x81 \xE2\x96\x81";
    CHECK(again.encode(between) == tokenizer.encode(between));
  }
}

TEST_CASE("a character without a piece scores the same in the tokenizer.json, where special tokens score less") {
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::unigram;
  model.add_dummy_prefix = false;
  // Two unknown characters have a score of 180: more than that of "ab", and form one token.
  model.pieces = {{"<unk>", 0, TokenType::unknown}, {"<s>", -5, TokenType::control}, {"ab", 100}};
  const SentencePieceTokenizer tokenizer(model);
  CHECK(tokenizer.encode("ab") == Ids{0});
  const auto again = zeroth::model::detail::make_hugging_face_tokenizer(
      zeroth::model::parse_tokenizer_json(hugging_face_tokenizer_json(tokenizer), "tokenizer.json"), {},
      zeroth::model::sentencepiece_tokenizer, "tokenizer.json");
  CHECK(again.encode("ab") == Ids{0});
}

TEST_CASE("sentencepiece tokenizer agrees with the byte-pair one where both can follow the model") {
  const GoldenSentencePiece golden;
  const SentencePieceTokenizer tokenizer(golden.model("bpe"));
  for (std::size_t i = 0; i < golden.lines.size(); ++i) {
    // Hugging Face also puts a space after each user-defined token.
    if (golden.lines[i].find("{u}") != std::string::npos) continue;
    CHECK(tokenizer.encode(golden.lines[i]) == golden.ids("prepend", i));
  }
}

TEST_CASE("unused pieces of a unigram model stay out of a tokenizer.json, or are rejected") {
  const GoldenSentencePiece golden;
  SentencePieceModel model = without_user_defined(golden, "unigram");
  const std::string written = hugging_face_tokenizer_json(SentencePieceTokenizer(model));

  // The names of rows that pad a model.
  model.pieces.push_back({"The", 0, TokenType::unused});
  model.pieces.push_back({"river", 0, TokenType::unused});
  CHECK(hugging_face_tokenizer_json(SentencePieceTokenizer(model)) == written);

  const std::string refused = "expected a unigram model without pieces of the type unused, found pieces[230], \"The\"";
  model.padding = 230;
  CHECK_THROWS_WITH(hugging_face_tokenizer_json(SentencePieceTokenizer(model)), contains_text(refused));
  model.padding.reset();
  model.pieces.push_back({"low", 0, TokenType::normal});
  CHECK_THROWS_WITH(hugging_face_tokenizer_json(SentencePieceTokenizer(model)), contains_text(refused));

  model.pieces = {{"<unk>", 0, TokenType::unknown}, {"The", 0, TokenType::unused}};
  model.byte_fallback = false;
  model.bos.reset();
  model.eos.reset();
  CHECK_THROWS_WITH(
      hugging_face_tokenizer_json(SentencePieceTokenizer(model)),
      contains_text("expected a unigram model with a piece of the type normal or user-defined, found none"));
}

TEST_CASE("sentencepiece tokenizer tells what it is made of and decodes") {
  const GoldenSentencePiece golden;
  SentencePieceModel model = golden.model("unigram");
  model.add_bos = true;
  const SentencePieceTokenizer tokenizer(model);
  CHECK(tokenizer.vocabulary_size() == 230);
  CHECK(tokenizer.bos() == 1);
  CHECK(tokenizer.eos() == 2);
  CHECK(tokenizer.unknown() == 0);
  CHECK(tokenizer.add_bos());
  CHECK(tokenizer.token_text(1) == "<s>");
  CHECK(tokenizer.token_type(1) == TokenType::control);
  CHECK(tokenizer.decode(tokenizer.encode("The river was low")) == "The river was low");
  CHECK(tokenizer.encode("").empty());
  CHECK(tokenizer.encode("a\xFF") == tokenizer.encode("a\xEF\xBF\xBD"));
  CHECK_THROWS_WITH(tokenizer.token_bytes(230), contains_text("expected 0 to 229, found 230"));
  const auto any = zeroth::model::sentencepiece_tokenizer(model, {});
  CHECK(any.encode("The river") == tokenizer.encode("The river"));
}

TEST_CASE("sentencepiece tokenizer rejects a model that must not reach the library") {
  const GoldenSentencePiece golden;
  const auto with = [&](const auto& change) {
    SentencePieceModel model = golden.model("unigram with rules");
    change(model);
    return refusal(model);
  };
  CHECK(with([](SentencePieceModel&) {}) == "accepted");
  CHECK_THAT(with([](auto& m) { m.pieces[9].text.clear(); }),
             contains_text("pieces[9]: expected UTF-8 of 1 to 4096 bytes"));
  CHECK_THAT(with([](auto& m) { m.pieces[9].text = std::string("a\0b", 3); }),
             contains_text("pieces[9]: expected UTF-8"));
  CHECK_THAT(with([](auto& m) { m.pieces[9].text = "\xFF"; }), contains_text("pieces[9]: expected UTF-8"));
  CHECK_THAT(with([](auto& m) { m.pieces[9].text = m.pieces[8].text; }),
             contains_text("pieces[9]: expected a piece only once"));
  CHECK_THAT(with([](auto& m) { m.pieces[9].score = std::numeric_limits<float>::quiet_NaN(); }),
             contains_text("pieces[9].score: expected a finite number"));
  const auto control = [](auto& m) { m.pieces[9] = {"\xE2\x96\x83", 0, TokenType::control}; };
  CHECK(with(control) == "accepted");
  CHECK_THAT(with([&](auto& m) {
               m.kind = SentencePieceModel::Kind::byte_pair;
               control(m);
             }),
             contains_text("pieces[9]: expected a control piece of several characters"));
  CHECK_THAT(with([](auto& m) { m.pieces[0].type = TokenType::normal; }),
             contains_text("one of the type unknown, found 0"));
  CHECK_THAT(with([](auto& m) { m.byte_fallback = true; }), contains_text("256 of the type byte, found 0"));
  CHECK_THAT(with([](auto& m) { m.pieces[9].type = TokenType::byte; }),
             contains_text("pieces[9]: expected \"<0x00>\" to"));
  CHECK_THAT(with([](auto& m) { m.bos = 220; }), contains_text("bos: expected 0 to 219, found 220"));
  CHECK_THAT(with([](auto& m) { m.pieces.clear(); }), contains_text("one of the type unknown, found 0"));
}

TEST_CASE("sentencepiece model with more user-defined pieces that begin each other than the library has room for") {
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::unigram;
  model.pieces = {{"<unk>", 0, TokenType::unknown}, {"b", -1, TokenType::normal}};
  for (std::size_t size = 1; size <= 64; ++size)
    model.pieces.push_back({std::string(size, 'a'), 0, TokenType::user_defined});
  model.add_dummy_prefix = false;
  // Those that only share a beginning add no more than those that end.
  for (char c = 'a'; c < 'z'; ++c) model.pieces.push_back({std::string(63, 'a') + "b" + c, 0, TokenType::user_defined});
  CHECK(SentencePieceTokenizer(model).encode(std::string(128, 'a')) == Ids{65, 65});
  model.pieces.push_back({std::string(65, 'a'), 0, TokenType::user_defined});
  CHECK_THAT(refusal(model), contains_text("expected at most 64 of the type user-defined that begin \"aaa"));
  // If they are taken out of the text before the library sees it, it has none of them.
  for (std::size_t i = 2; i < model.pieces.size(); ++i) model.found_first.push_back(static_cast<std::int32_t>(i));
  CHECK(SentencePieceTokenizer(model).encode(std::string(65, 'a')) ==
        Ids{static_cast<std::int32_t>(model.pieces.size()) - 1});
}

/// Rules with the keys a, aa, ... up to that many, or, if circular, with any number of a's.
std::string rules_of_repeats(std::size_t count, bool circular) {
  std::string units((count + 2) * 1024, '\0');
  const auto set = [&](std::size_t i, std::uint32_t unit) {
    for (unsigned byte = 0; byte < 4; ++byte) units[4 * i + byte] = static_cast<char>(unit >> (8 * byte));
  };
  // The children of the i-th unit lie 256 further on.
  set(0, 256u << 10);
  set(256, 0x80000000u);
  for (std::size_t i = 1; i <= count; ++i) {
    const std::size_t at = (256 * i) ^ 'a';
    const std::size_t next = circular ? 256 * i : 256 * (i + 1);
    set(at, static_cast<std::uint32_t>((at ^ next) << 10) | 0x100u | 'a');
    set(next, 0x80000000u);
  }
  std::string out;
  for (unsigned byte = 0; byte < 4; ++byte) out += static_cast<char>(units.size() >> (8 * byte));
  return out + units + std::string("x\0", 2);
}

TEST_CASE("sentencepiece rules that lead out of themselves are rejected") {
  const GoldenSentencePiece golden;
  const std::string rules = golden.model("unigram with rules").charsmap;
  const auto refused = [](const std::string& charsmap) -> std::string {
    try {
      zeroth::model::detail::check_charsmap(charsmap);
    } catch (const zeroth::InvalidArgument& error) {
      return error.what();
    }
    return "accepted";
  };
  CHECK(refused(rules) == "accepted");
  CHECK(refused("") == "accepted");
  CHECK(refused(rules_of_repeats(32, false)) == "accepted");
  CHECK_THAT(refused(rules_of_repeats(33, false)), contains_text("at most 32 rules that each begin the next"));
  CHECK_THAT(refused(rules_of_repeats(1, true)), contains_text("a trie without cycles"));
  SentencePieceModel repeats = golden.model("unigram");
  repeats.charsmap = rules_of_repeats(32, false);
  CHECK(SentencePieceTokenizer(repeats).encode(std::string(64, 'a')) == SentencePieceTokenizer(repeats).encode("xx"));
  CHECK_THAT(refused(rules.substr(0, 7)), contains_text("found 7 bytes"));
  CHECK_THAT(refused(std::string("\xFF\xFF\xFF\xFF", 4) + rules.substr(4)), contains_text("a trie in whole units"));
  CHECK_THAT(refused(rules + "x"), contains_text("end in a zero"));
  CHECK_THAT(refused(rules + "\xFF" + std::string(1, '\0')), contains_text("UTF-8 strings"));
  const std::size_t trie = static_cast<unsigned char>(rules[0]) + 256u * static_cast<unsigned char>(rules[1]) +
                           65536u * static_cast<unsigned char>(rules[2]);
  CHECK_THAT(refused(rules.substr(0, 4 + trie) + std::string(1, '\0')),
             contains_text("strings at the places that the trie points to"));
  // Any change of a byte is either harmless or rejected; the library must survive the harmless ones.
  std::size_t count = 0;
  for (std::size_t i = 4; i < 4 + trie; i += 3) {
    std::string changed = rules;
    changed[i] = static_cast<char>(changed[i] ^ 0x5A);
    if (refused(changed) != "accepted") {
      ++count;
      continue;
    }
    if (i % 30 != 1) continue;
    SentencePieceModel model = golden.model("unigram with rules");
    model.charsmap = changed;
    if (refusal(model) != "accepted") continue;
    const SentencePieceTokenizer tokenizer(std::move(model));
    for (const std::string& line : golden.lines) tokenizer.encode(line);
  }
  CHECK(count > 0);
}

}  // namespace

#endif

// SPDX-License-Identifier: MIT
// A tokenizer is written as GGUF and read back with the same ids, or is rejected with its name.
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "golden_sentencepiece.hpp"
#include "temporary_directory.hpp"
#include "zeroth/error.hpp"
#include "zeroth_model/io/gguf/gguf.hpp"
#include "zeroth_model/io/gguf/gguf_writer.hpp"
#include "zeroth_model/tokenizer/load_tokenizer.hpp"
#include "zeroth_model/tokenizer/to_gguf.hpp"

namespace {

using zeroth::model::AnyTokenizer;
using zeroth::model::ByteFallbackData;
using zeroth::model::ByteFallbackTokenizer;
using zeroth::model::GgufFile;
using zeroth::model::GgufWriter;
using zeroth::model::SpacePrefix;
using zeroth::model::TokenType;
using zeroth_test::contains_text;
using zeroth_test::GoldenSentencePiece;
using zeroth_test::TemporaryDirectory;

using Ids = std::vector<std::int32_t>;

constexpr std::string_view space = "\xE2\x96\x81";
constexpr std::string_view json_key = "tokenizer.huggingface.json";

/// A tokenizer written as GGUF, in a folder of its own.
class InGguf {
 public:
  explicit InGguf(const AnyTokenizer& tokenizer, std::size_t vocabulary = 0) : file_(write(tokenizer, vocabulary)) {}

  const GgufFile& file() const { return file_; }
  AnyTokenizer read() const { return zeroth::model::load_tokenizer(file_); }
  bool has_json() const { return file_.find<std::string_view>(json_key).has_value(); }

 private:
  GgufFile write(const AnyTokenizer& tokenizer, std::size_t vocabulary) const {
    const std::string path = (folder_ / "tokenizer.gguf").string();
    GgufWriter writer(path);
    tokenizer.set_gguf_metadata(writer, vocabulary);
    writer.commit();
    return GgufFile(path);
  }

  TemporaryDirectory folder_;
  GgufFile file_;
};

/// <unk>, <s>, {u}, the 256 bytes, a space, a, b, "ab", " a" and "aab", with merges as SentencePiece has them.
struct Small {
  ByteFallbackData data;

  Small() {
    data.tokens = {"<unk>", "<s>", "{u}"};
    data.token_types = {1, 3, 4};
    for (int byte = 0; byte < 256; ++byte)
      byte_tokens_.push_back(zeroth::model::byte_token_text(static_cast<unsigned char>(byte)));
    for (const std::string& token : byte_tokens_) data.tokens.emplace_back(token);
    for (std::string_view token : {space, std::string_view("a"), std::string_view("b"), std::string_view("ab"),
                                   std::string_view(space_a_), std::string_view("aab")})
      data.tokens.push_back(token);
    data.token_types.resize(data.tokens.size(), 1);
    data.merges = {{"a", "b"}, {space, "a"}, {"a", "ab"}};
    data.unknown = 0;
    data.bos = 1;
    data.add_bos = true;
    data.space_prefix = SpacePrefix::each_part;
  }
  Small(const Small&) = delete;
  Small& operator=(const Small&) = delete;

  AnyTokenizer tokenizer() const { return AnyTokenizer(ByteFallbackTokenizer(data)); }
  std::string refusal() const {
    try {
      InGguf{tokenizer()};
    } catch (const zeroth::InvalidArgument& error) {
      return error.what();
    }
    return "accepted";
  }

 private:
  std::string space_a_ = std::string(space) + "a";
  std::vector<std::string> byte_tokens_;
};

void check_same_ids(const AnyTokenizer& found, const AnyTokenizer& expected, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    INFO(text);
    CHECK(found.encode(text) == expected.encode(text));
  }
  CHECK(found.bos() == expected.bos());
  CHECK(found.eos() == expected.eos());
  CHECK(found.add_bos() == expected.add_bos());
  CHECK(found.add_eos() == expected.add_eos());
}

const std::vector<std::string> small_texts{"a ab aab", " a{u}a", "{u} a", "  aa", "x\xC3\xA9", "<s>", ""};

}  // namespace

TEST_CASE("a SentencePiece byte-pair tokenizer comes back from GGUF by its scores") {
  const GoldenSentencePiece golden;
  const AnyTokenizer tokenizer(zeroth::model::byte_fallback_tokenizer(golden.model("bpe")));
  const InGguf gguf(tokenizer, tokenizer.vocabulary_size() + 2);
  CHECK_FALSE(gguf.has_json());
  CHECK(gguf.file().get<std::string_view>("tokenizer.ggml.model") == "llama");
  const auto tokens = gguf.file().get_array<std::string_view>("tokenizer.ggml.tokens");
  const auto types = gguf.file().get_array<std::int32_t>("tokenizer.ggml.token_type");
  CHECK(gguf.file().get_array<float>("tokenizer.ggml.scores").size() == tokens.size());
  CHECK(tokens.back() == "[PAD" + std::to_string(tokens.size() - 1) + "]");
  CHECK(types.back() == static_cast<std::int32_t>(TokenType::unused));
  check_same_ids(gguf.read(), tokenizer, golden.lines);
  for (std::size_t i = 0; i < golden.lines.size(); ++i)
    CHECK(gguf.read().encode(golden.lines[i]) == golden.ids("prepend", i));
}

TEST_CASE("tokens of a tokenizer.json have the types in GGUF that llama.cpp goes by") {
  const Small small;
  const InGguf gguf(small.tokenizer());
  const auto types = gguf.file().get_array<std::int32_t>("tokenizer.ggml.token_type");
  CHECK(types[0] == static_cast<std::int32_t>(TokenType::unknown));
  CHECK(types[1] == static_cast<std::int32_t>(TokenType::control));
  CHECK(types[2] == static_cast<std::int32_t>(TokenType::user_defined));
  CHECK(types[3] == static_cast<std::int32_t>(TokenType::byte));
  CHECK(types.back() == static_cast<std::int32_t>(TokenType::normal));
  CHECK(gguf.file().get<bool>("tokenizer.ggml.add_space_prefix"));
  CHECK(gguf.file().get<bool>("tokenizer.ggml.add_bos_token"));
  CHECK_FALSE(gguf.has_json());
  check_same_ids(gguf.read(), small.tokenizer(), small_texts);
}

TEST_CASE("what GGUF has no key for goes along as tokenizer.json") {
  Small small;
  for (const SpacePrefix prefix : {SpacePrefix::first_part, SpacePrefix::each_part_without}) {
    small.data.space_prefix = prefix;
    const InGguf gguf(small.tokenizer());
    CHECK(gguf.has_json());
    check_same_ids(gguf.read(), small.tokenizer(), small_texts);
  }
  small.data.space_prefix = SpacePrefix::none;
  CHECK_FALSE(InGguf(small.tokenizer()).has_json());
  small.data.split_at_spaces = true;  // no token crosses a space
  CHECK_FALSE(InGguf(small.tokenizer()).has_json());
  small.data.added_token_rules = {{.id = 2, .strip_left = true}};
  const InGguf gguf(small.tokenizer());
  CHECK(gguf.has_json());
  check_same_ids(gguf.read(), small.tokenizer(), small_texts);

  // Which merge of "aaab" into "aab" comes first is ambiguous: "a ab" or "aa b".
  Small tied;
  tied.data.tokens.push_back("aa");
  tied.data.token_types.push_back(1);
  tied.data.merges = {{"a", "b"}, {"a", "a"}, {space, "a"}, {"a", "ab"}, {"aa", "b"}};
  CHECK_FALSE(InGguf(tied.tokenizer()).has_json());
  std::swap(tied.data.merges[3], tied.data.merges[4]);
  CHECK(InGguf(tied.tokenizer()).has_json());
  check_same_ids(InGguf(tied.tokenizer()).read(), tied.tokenizer(), {"aaab", "aab aab"});
}

TEST_CASE("a tokenizer that llama.cpp could not follow is not written as GGUF") {
  Small small;
  small.data.byte_fallback = false;
  CHECK_THAT(small.refusal(), contains_text("tokenizer byte_fallback: expected true"));
  small.data.byte_fallback = true;
  small.data.merges.pop_back();
  CHECK_THAT(small.refusal(), contains_text("found none for \"a\" and \"ab\""));
  small.data.merges = {{"a", "b"}, {space, "a"}, {"a", "ab"}, {"a", "b"}};
  CHECK_THAT(small.refusal(), contains_text("form the token \"ab\" to be consecutive"));

  Small split;
  const std::string two = std::string(space) + std::string(space);
  split.data.tokens.push_back(two);
  split.data.token_types.push_back(1);
  split.data.merges.insert(split.data.merges.begin(), {space, space});
  CHECK(split.refusal() == "accepted");
  split.data.split_at_spaces = true;
  CHECK_THAT(split.refusal(), contains_text("tokenizer split_at_spaces: expected false with the token"));

  zeroth::model::TokenizerData bytes;
  bytes.tokens = {"a", "b"};
  bytes.pre_tokenizer = "llama-bpe";
  const InGguf without(AnyTokenizer{zeroth::model::BytePairTokenizer(bytes)});
  CHECK(without.file().get<std::string_view>("tokenizer.ggml.pre") == "smaug-bpe");
  bytes.ignore_merges = true;
  const InGguf with(AnyTokenizer{zeroth::model::BytePairTokenizer(bytes)});
  CHECK(with.file().get<std::string_view>("tokenizer.ggml.pre") == "llama-bpe");
  bytes.pre_tokenizer = "qwen2";
  CHECK_THROWS_WITH(InGguf(AnyTokenizer(zeroth::model::BytePairTokenizer(bytes))),
                    contains_text("tokenizer ignore_merges: expected false, as in GGUF's pre-tokenizer \"qwen2\""));
}

TEST_CASE("a unigram model is written as GGUF where llama.cpp has all of it") {
  const GoldenSentencePiece golden;
  const TemporaryDirectory folder;
  const std::string path = (folder / "unigram.gguf").string();
  auto write = [&](const zeroth::model::SentencePieceModel& model) {
    GgufWriter writer(path);
    zeroth::model::detail::set_gguf_unigram(writer, model, model.pieces.size());
    writer.commit();
  };
  zeroth::model::SentencePieceModel model = golden.model("unigram with rules");
  model.byte_fallback = true;
  CHECK_THROWS_WITH(write(model), contains_text("sentencepiece byte_fallback: expected none"));
  model.byte_fallback = false;
  write(model);
  const GgufFile file(path);
  const auto again =
      zeroth::model::detail::sentencepiece_model_from_gguf(file, zeroth::model::SentencePieceModel::Kind::unigram);
  CHECK(file.get<std::string_view>("tokenizer.ggml.model") == "t5");
  CHECK(again.charsmap == model.charsmap);
  CHECK(again.remove_extra_whitespaces == model.remove_extra_whitespaces);
  CHECK(again.add_dummy_prefix == model.add_dummy_prefix);
  REQUIRE(again.pieces.size() == model.pieces.size());
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    CHECK(again.pieces[i].text == model.pieces[i].text);
    CHECK(again.pieces[i].score == model.pieces[i].score);
  }
  model.whitespace_as_suffix = true;
  CHECK_THROWS_WITH(write(model), contains_text("treat_whitespace_as_suffix: expected false"));
  model.kind = zeroth::model::SentencePieceModel::Kind::byte_pair;
  CHECK_THROWS_WITH(write(model), contains_text("expected a byte-pair encoding without normalisation"));
}

TEST_CASE("a tokenizer.json in a GGUF file that is not that of its tokens is rejected") {
  Small small;
  small.data.space_prefix = SpacePrefix::first_part;
  const InGguf gguf(small.tokenizer());
  const TemporaryDirectory folder;
  const std::string path = (folder / "other.gguf").string();
  auto refusal = [&](std::string_view text, bool other_tokens) {
    GgufWriter writer(path);
    writer.copy_metadata(gguf.file());
    writer.set(json_key, text);
    if (other_tokens)
      writer.set_array<std::string_view>("tokenizer.ggml.tokens", std::vector<std::string_view>{"<unk>"});
    writer.commit();
    try {
      zeroth::model::load_tokenizer(GgufFile(path));
    } catch (const zeroth::InvalidFile& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const std::string json(gguf.file().get<std::string_view>(json_key));
  CHECK(refusal(json, false) == "accepted");
  CHECK_THAT(refusal("{", false), contains_text(path + ": metadata key 'tokenizer.huggingface.json'"));
  CHECK_THAT(refusal(json, true), contains_text("expected the token 1 of tokenizer.ggml.tokens, none, found \"<s>\""));
}

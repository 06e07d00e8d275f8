// SPDX-License-Identifier: MIT
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "golden_sentencepiece.hpp"
#include "temporary_directory.hpp"
#include "zeroth/error.hpp"
#include "zeroth_model/io/gguf/gguf.hpp"
#include "zeroth_model/io/gguf/gguf_writer.hpp"
#include "zeroth_model/tokenizer/load_tokenizer.hpp"

namespace {

using nlohmann::json;
using zeroth::model::AnyTokenizer;
using zeroth::model::GgufFile;
using zeroth::model::GgufWriter;
using zeroth::model::load_tokenizer;
using zeroth::model::Normalization;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

using Ids = std::vector<std::int32_t>;

/// A byte-level tokenizer.json: 0 <s>, 1 a, 2 b, 3 ab, 4 a space, 5 {u}, which is only an added token.
json byte_level() {
  return json::parse(R"({
    "version": "1.0",
    "added_tokens": [
      {"id": 0, "content": "<s>", "special": true, "normalized": false},
      {"id": 5, "content": "{u}", "special": false, "normalized": false, "rstrip": true}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": null,
    "model": {"type": "BPE", "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "\u0120": 4}, "merges": ["a b"]}})");
}

json split_by(std::string_view pattern) {
  return {{"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}},
            {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

zeroth::model::BytePairTokenizer read_byte_level(const json& tokenizer,
                                                 const zeroth::model::SpecialTokens& special = {}) {
  return std::get<zeroth::model::BytePairTokenizer>(
      zeroth::model::parse_tokenizer_json(tokenizer.dump(), "tokenizer.json", special));
}

/// The message for a tokenizer.json after `change`.
template <class Change>
std::string refusal(const Change& change) {
  json tokenizer = byte_level();
  change(tokenizer);
  try {
    zeroth::model::parse_tokenizer_json(tokenizer.dump(), "tokenizer.json");
  } catch (const zeroth::InvalidFile& error) {
    CHECK_THAT(error.what(), contains_text("tokenizer.json: "));
    return error.what();
  }
  return "accepted";
}

TEST_CASE("tokenizer.json of a byte-level BPE is read, merges in either form") {
  json file = byte_level();
  const auto tokenizer = read_byte_level(file);
  CHECK(tokenizer.encode("ab {u}  a<s>") == Ids{3, 4, 5, 1});
  CHECK(tokenizer.vocabulary_size() == 6);
  CHECK(tokenizer.token_type(0) == zeroth::model::TokenType::control);
  CHECK(tokenizer.token_type(5) == zeroth::model::TokenType::user_defined);
  CHECK(tokenizer.added_token_rule(5).strip_right);
  CHECK_FALSE(tokenizer.bos());
  CHECK_FALSE(tokenizer.add_bos());
  file["model"]["merges"] = json::array({json::array({"a", "b"})});
  CHECK(read_byte_level(file).encode("ab") == Ids{3});
  file["model"].erase("type");
  CHECK(read_byte_level(file).encode("ab") == Ids{3});
  file["model"]["ignore_merges"] = true;
  file["model"]["merges"] = json::array();
  CHECK(read_byte_level(file).encode("ab") == Ids{3});
}

TEST_CASE("tokenizer.json names a known pre-tokenizer by its steps, and NFC") {
  json file = byte_level();
  CHECK(read_byte_level(file).pre_tokenizer() == zeroth::model::PreTokenizer::gpt2);
  CHECK(read_byte_level(file).normalization() == Normalization::none);
  file["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers", {{{"type", "Digits"}, {"individual_digits", true}}, file["pre_tokenizer"]}}};
  CHECK(read_byte_level(file).pre_tokenizer() == zeroth::model::PreTokenizer::smollm);
  file["pre_tokenizer"] = split_by(zeroth::model::llama3_pattern);
  CHECK(read_byte_level(file).pre_tokenizer() == zeroth::model::PreTokenizer::llama3);
  file["pre_tokenizer"] = split_by(zeroth::model::qwen2_pattern);
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  CHECK(read_byte_level(file).pre_tokenizer() == zeroth::model::PreTokenizer::qwen2);
  CHECK(read_byte_level(file).normalization() == Normalization::nfc);
}

TEST_CASE("tokenizer.json says by its template whether bos and eos are added") {
  json file = byte_level();
  const json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  json steps = {{"type", "TemplateProcessing"},
                {"single", {bos, text}},
                {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {0}}, {"tokens", {"<s>"}}}}}}};
  file["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, steps}}};
  CHECK(read_byte_level(file).add_bos());
  CHECK_FALSE(read_byte_level(file).add_eos());
  CHECK(read_byte_level(file).bos() == 0);
  steps["single"] = {text, bos};
  file["post_processor"] = steps;
  CHECK_FALSE(read_byte_level(file).add_bos());
  CHECK(read_byte_level(file).add_eos());
  CHECK(read_byte_level(file).eos() == 0);
  CHECK_THROWS_WITH(read_byte_level(file, {.eos = "a"}),
                    contains_text("'post_processor': expected a template with the eos"));
  steps["single"] = {bos, bos, text};
  file["post_processor"] = steps;
  CHECK_THROWS_WITH(read_byte_level(file), contains_text("at most one special token before the text"));
  steps["single"] = json::array({bos});
  file["post_processor"] = steps;
  CHECK_THROWS_WITH(read_byte_level(file), contains_text("'post_processor.single': expected a sequence"));
}

TEST_CASE("tokenizer.json gives an id without a token an unused one") {
  json file = byte_level();
  file["model"]["vocab"]["b"] = 8;
  const auto tokenizer = read_byte_level(file);
  CHECK(tokenizer.vocabulary_size() == 9);
  CHECK(tokenizer.token_type(6) == zeroth::model::TokenType::unused);
  CHECK(tokenizer.token_text(6).empty());
  CHECK(tokenizer.encode("{u}b") == Ids{5, 8});
}

TEST_CASE("tokenizer.json that zeroth cannot follow is rejected by the field") {
  const auto with = [](const char* pointer, const json& value) {
    return refusal([&](json& file) { file[json::json_pointer(pointer)] = value; });
  };
  CHECK(with("/version", "1.0") == "accepted");
  CHECK_THAT(with("/model/type", "WordPiece"),
             contains_text("'model.type': expected \"BPE\" or \"Unigram\", found \"WordPiece\""));
  CHECK_THAT(with("/model/dropout", 0.1), contains_text("'model.dropout': expected null, found 0.1"));
  CHECK_THAT(with("/model/continuing_subword_prefix", "##"), contains_text("'model.continuing_subword_prefix'"));
  CHECK_THAT(with("/model/end_of_word_suffix", "</w>"), contains_text("'model.end_of_word_suffix'"));
  CHECK_THAT(with("/model/byte_fallback", true), contains_text("'model.byte_fallback': expected false"));
  CHECK_THAT(with("/model/unk_token", "<s>"), contains_text("'model.unk_token': expected null"));
  CHECK_THAT(with("/model/vocab", 7), contains_text("'model.vocab': expected an object, found 7"));
  CHECK_THAT(with("/model/vocab/a", -1), contains_text("'model.vocab.a': expected an id"));
  CHECK_THAT(with("/model/vocab/a", 2), contains_text("expected an id of its own"));
  CHECK_THAT(with("/model/vocab/a", 2000000000), contains_text("expected ids up to about the number of tokens"));
  CHECK_THAT(with("/model/merges", 7), contains_text("'model.merges': expected an array, found 7"));
  CHECK_THAT(with("/model/merges/0", "a b c"), contains_text("'model.merges[0]': expected two tokens"));
  CHECK_THAT(with("/model/merges/0", json::array({"a"})), contains_text("'model.merges[0]'"));
  CHECK_THAT(with("/model/merges/0", "b a"), contains_text("the token \"ba\" in the vocabulary"));
  CHECK_THAT(with("/normalizer", {{"type", "NFKC"}}), contains_text("'normalizer': expected null or \"NFC\""));
  CHECK(with("/pre_tokenizer/add_prefix_space", true) == "accepted");
  CHECK_THAT(with("/pre_tokenizer/use_regex", false), contains_text("'pre_tokenizer.use_regex'"));
  CHECK_THAT(with("/pre_tokenizer", {{"type", "BertPreTokenizer"}}), contains_text("'pre_tokenizer': expected null"));
  CHECK_THAT(with("/pre_tokenizer", nullptr), contains_text("'normalizer': expected one that writes spaces"));
  CHECK_THAT(with("/pre_tokenizer", split_by("\\d")),
             contains_text(".pattern.Regex': expected the pattern of LLaMA-3 or"));
  CHECK_THAT(with("/post_processor", {{"type", "RobertaProcessing"}}), contains_text("'post_processor': expected"));
  CHECK(with("/added_tokens/1/single_word", true) == "accepted");
  CHECK_THAT(with("/added_tokens/0/content", "c"), contains_text("'added_tokens[0].id': expected the id 5"));
  CHECK_THAT(with("/added_tokens/0/special", 7), contains_text("'added_tokens[0].special': expected true or false"));
  json deep = "x";
  for (int i = 0; i < 100; ++i) deep = {{"type", "Sequence"}, {"pretokenizers", {deep}}};
  CHECK_THAT(with("/pre_tokenizer", deep), contains_text("nested at most 64 deep"));
  CHECK_THROWS_WITH(zeroth::model::parse_tokenizer_json("{", "f"), contains_text("f: parse error at line 1"));
  CHECK_THROWS_WITH(zeroth::model::parse_tokenizer_json("[]", "f"), contains_text("f: expected an object, found []"));
}

TEST_CASE("tokenizer.json with byte fallback that zeroth cannot follow is rejected by the field") {
  const zeroth_test::GoldenSentencePiece golden;
  const json good = json::parse(hugging_face_tokenizer_json(byte_fallback_tokenizer(golden.model("bpe"))));
  const auto with = [&](const char* pointer, const json& value) -> std::string {
    json file = good;
    file[json::json_pointer(pointer)] = value;
    try {
      zeroth::model::parse_tokenizer_json(file.dump(), "tokenizer.json");
    } catch (const zeroth::InvalidFile& error) {
      return error.what();
    }
    return "accepted";
  };
  const json metaspace = {{"type", "Metaspace"}, {"replacement", zeroth::model::written_space}, {"split", false}};
  CHECK(with("/version", "1.0") == "accepted");
  CHECK_THAT(with("/pre_tokenizer", metaspace),
             contains_text("'pre_tokenizer.prepend_scheme': expected \"never\" where"));
  CHECK_THAT(with("/normalizer", nullptr), contains_text("'normalizer': expected one that writes spaces"));
  CHECK_THAT(with("/normalizer/normalizers/0/prepend", "_"), contains_text("prepend': expected U+2581, found \"_\""));
  CHECK_THAT(with("/normalizer/normalizers/0/type", "NFKC"),
             contains_text("'normalizer': expected null, a \"Replace\""));
  CHECK_THAT(with("/normalizer/normalizers/1/content", "_"),
             contains_text("'normalizer': expected null, a \"Replace\""));
  CHECK_THAT(with("/model/unk_token", "none"), contains_text("'model.unk_token': expected a token of the vocabulary"));
  CHECK_THAT(with("/model/ignore_merges", true), contains_text("'model.ignore_merges': expected false"));
  json file = good;
  file["normalizer"] = nullptr;
  file["pre_tokenizer"] = metaspace;
  file["pre_tokenizer"]["prepend_scheme"] = "last";
  CHECK_THROWS_WITH(zeroth::model::parse_tokenizer_json(file.dump(), "f"), contains_text("\"first\", \"always\" or"));
  file["pre_tokenizer"]["replacement"] = "_";
  CHECK_THROWS_WITH(zeroth::model::parse_tokenizer_json(file.dump(), "f"),
                    contains_text("replacement': expected U+2581"));
}

TEST_CASE("hugging face folder gives the special tokens from its files, the nearest to the tokenizer first") {
  const TemporaryDirectory folder;
  CHECK_THROWS_WITH(
      load_tokenizer(folder.path()),
      contains_text("expected tokenizer.json, tokenizer.model, or vocab.json and merges.txt, found none"));
  write(folder / "tokenizer.json", byte_level().dump());
  CHECK_FALSE(load_tokenizer(folder.path()).bos());

  write(folder / "config.json", R"({"bos_token_id": 3, "eos_token_id": [2, 3], "pad_token_id": null})");
  CHECK(load_tokenizer(folder.path()).bos() == 3);
  CHECK(load_tokenizer(folder.path()).eos() == 2);
  CHECK_FALSE(load_tokenizer(folder.path()).padding());
  write(folder / "generation_config.json", R"({"bos_token_id": 2, "pad_token_id": 1})");
  CHECK(load_tokenizer(folder.path()).bos() == 2);
  CHECK(load_tokenizer(folder.path()).padding() == 1);
  write(folder / "special_tokens_map.json", R"({"bos_token": {"content": "{u}"}, "eos_token": "<s>"})");
  CHECK(load_tokenizer(folder.path()).bos() == 5);
  CHECK(load_tokenizer(folder.path()).eos() == 0);
  write(folder / "tokenizer_config.json", R"({"bos_token": null, "eos_token": "b", "unk_token": "a"})");
  const AnyTokenizer tokenizer = load_tokenizer(folder / "tokenizer.json");
  CHECK(tokenizer.bos() == 5);
  CHECK(tokenizer.eos() == 0);
  CHECK(tokenizer.unknown() == 1);
  CHECK(tokenizer.padding() == 1);
  // With added_tokens_decoder, tokenizer_config.json replaces special_tokens_map.json.
  write(folder / "tokenizer_config.json", R"({"bos_token": null, "eos_token": "b", "added_tokens_decoder": {}})");
  CHECK_FALSE(load_tokenizer(folder.path()).bos());
  CHECK(load_tokenizer(folder.path()).eos() == 2);

  write(folder / "special_tokens_map.json", R"({"bos_token": "none"})");
  write(folder / "tokenizer_config.json", "{}");
  CHECK(load_tokenizer(folder.path()).bos() == 6);
  CHECK(load_tokenizer(folder.path()).token_text(6) == "none");
  write(folder / "tokenizer_config.json", R"({"bos_token": 7})");
  CHECK_THROWS_WITH(load_tokenizer(folder.path()),
                    contains_text("tokenizer_config.json: key 'bos_token': expected a string, found 7"));
}

TEST_CASE("any tokenizer carries the files over that it was read from, or writes them") {
  const TemporaryDirectory folder;
  const std::string text = byte_level().dump();
  write(folder / "tokenizer.json", text);
  write(folder / "tokenizer_config.json", "{ }");
  const AnyTokenizer tokenizer = load_tokenizer(folder.path());
  const auto files = tokenizer.hugging_face_files(100);
  REQUIRE(files.size() == 2);
  CHECK(files[0].name == "tokenizer.json");
  CHECK(files[0].text == text);
  CHECK(files[1].name == "tokenizer_config.json");
  CHECK(files[1].text == "{ }");
  CHECK(tokenizer.encode("ab") == Ids{3});
  CHECK(tokenizer.decode(Ids{3, 4}) == "ab ");
  CHECK(tokenizer.token_bytes(4) == " ");
  CHECK(tokenizer.token_text(4) == "\xC4\xA0");
  CHECK(tokenizer.vocabulary_size() == 6);

  const AnyTokenizer made(read_byte_level(byte_level(), {.bos = "<s>"}));
  const auto written = made.hugging_face_files(100, "template");
  REQUIRE(written.size() == 2);
  CHECK(read_byte_level(json::parse(written[0].text)).encode("ab {u} ") == Ids{3, 4, 5});
  const json config = json::parse(written[1].text);
  CHECK(config.at("bos_token") == "<s>");
  CHECK(config.at("chat_template") == "template");
  CHECK(config.at("model_max_length") == 100);
  const AnyTokenizer copy = made;
  CHECK(copy.bos() == 0);
}

TEST_CASE("tokenizer.model of a byte-pair encoding is read with the flags of its configuration") {
  const zeroth_test::GoldenSentencePiece golden;
  const TemporaryDirectory folder;
  write(folder / "tokenizer.model", golden.bytes("bpe"));
  const AnyTokenizer tokenizer = load_tokenizer(folder.path());
  CHECK(tokenizer.encode(golden.lines[0]) == golden.ids("prepend", 0));
  CHECK(tokenizer.bos() == 1);
  CHECK(tokenizer.eos() == 2);
  CHECK(tokenizer.unknown() == 0);
  CHECK(tokenizer.add_bos());
  CHECK_FALSE(tokenizer.add_eos());
  CHECK(tokenizer.hugging_face_files(0)[0].name == "tokenizer.model");
  write(folder / "tokenizer_config.json", R"({"add_bos_token": false, "add_eos_token": true, "eos_token": "{u}"})");
  const AnyTokenizer other = load_tokenizer(folder.path());
  CHECK_FALSE(other.add_bos());
  CHECK(other.add_eos());
  CHECK(other.eos() == 3);
}

/// A GGUF file of the golden byte-pair model, changed by `change(GgufWriter&)` before it is written.
template <class Change>
GgufFile sentencepiece_gguf(const TemporaryDirectory& folder, const char* name, const Change& change) {
  const zeroth_test::GoldenSentencePiece golden;
  const auto model = golden.model(name);
  std::vector<std::string_view> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  for (const auto& piece : model.pieces) {
    tokens.emplace_back(piece.text);
    scores.push_back(piece.score);
    types.push_back(static_cast<std::int32_t>(piece.type));
  }
  const std::string path = (folder / "tokenizer.gguf").string();
  GgufWriter writer(path);
  const bool byte_pair = model.kind == zeroth::model::SentencePieceModel::Kind::byte_pair;
  writer.set("tokenizer.ggml.model", std::string_view(byte_pair ? "llama" : "t5"));
  writer.set_array<std::string_view>("tokenizer.ggml.tokens", tokens);
  writer.set_array<float>("tokenizer.ggml.scores", scores);
  writer.set_array<std::int32_t>("tokenizer.ggml.token_type", types);
  writer.set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  writer.set("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  change(writer);
  writer.commit();
  return GgufFile(path);
}

TEST_CASE("GGUF file of a SentencePiece byte-pair encoding is read without the library") {
  const zeroth_test::GoldenSentencePiece golden;
  const TemporaryDirectory folder;
  const AnyTokenizer tokenizer = load_tokenizer(sentencepiece_gguf(folder, "bpe", [](GgufWriter&) {}));
  for (std::size_t i = 0; i < golden.lines.size(); ++i) {
    CHECK(tokenizer.encode(golden.lines[i]) == golden.ids("prepend", i));
  }
  CHECK(tokenizer.add_bos());
  CHECK_FALSE(tokenizer.add_eos());
  const AnyTokenizer other = load_tokenizer(sentencepiece_gguf(folder, "bpe", [](GgufWriter& writer) {
    writer.set("tokenizer.ggml.add_space_prefix", false);
    writer.set("tokenizer.ggml.add_bos_token", false);
  }));
  CHECK(other.encode(golden.lines[0]) == golden.ids("replace", 0));
  CHECK_FALSE(other.add_bos());
}

TEST_CASE("GGUF file of a tokenizer that cannot be followed is rejected, naming file and key") {
  const TemporaryDirectory folder;
  const auto refused = [&](const char* name, const auto& change) -> std::string {
    const GgufFile file = sentencepiece_gguf(folder, name, change);
    try {
      load_tokenizer(file);
    } catch (const zeroth::InvalidFile& error) {
      CHECK_THAT(error.what(), contains_text(file.path()));
      return error.what();
    }
    return "accepted";
  };
  CHECK_THAT(refused("bpe", [](GgufWriter& writer) { writer.set("tokenizer.ggml.model", std::string_view("rwkv")); }),
             contains_text("'tokenizer.ggml.model': expected \"gpt2\", \"llama\" or \"t5\", found \"rwkv\""));
  CHECK_THAT(
      refused("bpe",
              [](GgufWriter& writer) { writer.set_array<float>("tokenizer.ggml.scores", std::vector<float>{1}); }),
      contains_text("'tokenizer.ggml.scores': expected 520, one for each token, found 1"));
  CHECK_THAT(
      refused("bpe",
              [](GgufWriter& writer) { writer.set_array<std::int32_t>("tokenizer.ggml.token_type", Ids(520, 7)); }),
      contains_text("'tokenizer.ggml.token_type': expected 1 to 6, found 7"));
  CHECK_THAT(refused("bpe", [](GgufWriter& writer) { writer.set("tokenizer.ggml.bos_token_id", std::uint32_t{520}); }),
             contains_text("bos: expected 0 to 519, found 520"));
  CHECK_THAT(refused("bpe",
                     [](GgufWriter& writer) {
                       writer.set_array<float>("tokenizer.ggml.scores",
                                               std::vector<float>(520, std::numeric_limits<float>::infinity()));
                     }),
             contains_text("score: expected a finite number"));
  CHECK_THAT(refused("unigram", [](GgufWriter&) {}),
             contains_text("the unigram model of SentencePiece, which this build"));
  CHECK_THAT(refused("bpe", [](GgufWriter& writer) { writer.set("tokenizer.ggml.remove_extra_whitespaces", true); }),
             contains_text("the normalisation of SentencePiece, which this build lacks"));
}

}  // namespace

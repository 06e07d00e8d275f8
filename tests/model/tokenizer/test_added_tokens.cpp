// SPDX-License-Identifier: MIT
// Added tokens, wherever they occur in a folder's files and whatever their flags, have the ids of `transformers` and
// `tokenizers`, also after they were written as GGUF and read back, and after that as files again.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "golden_sentencepiece.hpp"
#include "paths.hpp"
#include "temporary_directory.hpp"
#include "zeroth/error.hpp"
#include "zeroth_model/io/gguf/gguf.hpp"
#include "zeroth_model/io/gguf/gguf_writer.hpp"
#include "zeroth_model/tokenizer/added_tokens.hpp"
#include "zeroth_model/tokenizer/load_tokenizer.hpp"
#include "zeroth_model/tokenizer/token_finder.hpp"

namespace {

using nlohmann::json;
using zeroth::model::AnyTokenizer;
using zeroth::model::load_tokenizer;
using zeroth::model::TokenFinder;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

using Ids = std::vector<std::int32_t>;

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Writes the files of a case of golden_added_tokens.json; a tokenizer.model is base64, or names another file's.
void write_files(const TemporaryDirectory& folder, const json& files) {
  for (const auto& [name, content] : files.items()) {
    if (name == "tokenizer.model") {
      const auto text = content.get<std::string>();
      write(folder / name, text == "bpe" ? zeroth_test::GoldenSentencePiece().bytes(text)
                                         : zeroth::model::detail::from_base64(text).value());
    } else {
      write(folder / name, content.is_string() ? content.get<std::string>() : content.dump());
    }
  }
}

std::string refusal(const TemporaryDirectory& folder) {
  try {
    load_tokenizer(folder.path());
  } catch (const zeroth::InvalidFile& error) {
    return error.what();
  }
  return "accepted";
}

/// A tokenizer.json with the pieces <unk>, a, b, ab and a space, and with added tokens.
json small_json(const json& added) {
  json file = json::parse(R"({"version": "1.0", "normalizer": {"type": "Replace", "pattern": {"String": " "},
    "content": "\u2581"}, "pre_tokenizer": null, "post_processor": null, "model": {"type": "BPE", "unk_token": "<unk>",
    "fuse_unk": true, "vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3, "\u2581": 4}, "merges": ["a b"]}})");
  file["added_tokens"] = added;
  return file;
}

TEST_CASE("added tokens of every file and flag have the ids of transformers") {
  const auto path = zeroth_test::tests_directory() / "model" / "tokenizer" / "golden_added_tokens.json";
  const json cases = json::parse(std::ifstream(path));
  REQUIRE(cases.size() > 20);
  for (const json& each : cases) {
    const auto name = each.at("name").get<std::string>();
    INFO(name);
    const TemporaryDirectory folder;
    write_files(folder, each.at("files"));
    const AnyTokenizer tokenizer = load_tokenizer(folder.path());
    const auto check = [&](const AnyTokenizer& found) {
      for (std::size_t i = 0; i < each.at("texts").size(); ++i) {
        const auto text = each.at("texts")[i].get<std::string>();
        INFO(text);
        CHECK(found.encode(text) == each.at("ids")[i].get<Ids>());
      }
      if (each.contains("eos")) CHECK(found.eos() == each.at("eos").get<std::int32_t>());
      if (each.contains("pad")) CHECK(found.padding() == each.at("pad").get<std::int32_t>());
    };
    check(tokenizer);
    const std::string gguf = (folder / "tokenizer.gguf").string();
    try {
      zeroth::model::GgufWriter writer(gguf);
      tokenizer.set_gguf_metadata(writer, tokenizer.vocabulary_size());
      writer.commit();
    } catch (const zeroth::InvalidArgument& error) {
      CHECK_THAT(error.what(), contains_text("tokenizer "));
      continue;
    }
    const AnyTokenizer from_gguf = load_tokenizer(zeroth::model::GgufFile(gguf));
    check(from_gguf);
    const TemporaryDirectory written;
    try {
      for (const auto& file : from_gguf.hugging_face_files(0, std::nullopt)) write(written / file.name, file.text);
    } catch (const zeroth::InvalidArgument& error) {
      CHECK_THAT(error.what(), contains_text("tokenizer.json: "));
      continue;
    }
    check(load_tokenizer(written.path()));
  }
}

TEST_CASE("an added token whose file gives it another id than tokenizers is rejected by its place") {
  const TemporaryDirectory folder;
  write(folder / "tokenizer.json", small_json({{{"id", 7}, {"content", "{u}"}}}).dump());
  CHECK_THAT(refusal(folder), contains_text("tokenizer.json: key 'added_tokens[0].id': expected the id 5, which "
                                            "tokenizers gives \"{u}\", the next after the vocabulary"));
  CHECK_THAT(refusal(folder), contains_text("found 7"));
  write(folder / "tokenizer.json", small_json({{{"id", 5}, {"content", "{u}"}}}).dump());
  CHECK(refusal(folder) == "accepted");
  write(folder / "added_tokens.json", R"({"{v}": 8})");
  CHECK_THAT(refusal(folder), contains_text("added_tokens.json: key '{v}': expected the id 6"));
  write(folder / "tokenizer_config.json", R"({"added_tokens_decoder": {"9": {"content": "{v}"}}})");
  CHECK_THAT(refusal(folder), contains_text("tokenizer_config.json: key 'added_tokens_decoder.9': expected the id 6"));
  write(folder / "tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "{v}"}}})");
  CHECK_THAT(refusal(folder),
             contains_text("key 'added_tokens_decoder.x': expected an id from 0 to 2^31 - 1 as the key"));
  // A vocabulary with a gap: the next id after its size is taken.
  json file = small_json({{{"id", 5}, {"content", "{u}"}}});
  file["model"]["vocab"]["\xE2\x96\x81"] = 5;
  write(folder / "tokenizer_config.json", "{}");
  std::filesystem::remove(folder / "added_tokens.json");
  write(folder / "tokenizer.json", file.dump());
  CHECK_THAT(refusal(folder), contains_text("expected an id of its own for \"{u}\""));
}

TEST_CASE("added tokens that normalisation makes one, or nothing, are rejected") {
  const TemporaryDirectory folder;
  const json space{{"id", 5}, {"content", "x "}, {"normalized", true}};
  const json written{{"id", 6}, {"content", "x\xE2\x96\x81"}, {"normalized", true}};
  write(folder / "tokenizer.json", small_json({space, written}).dump());
  CHECK_THAT(refusal(folder), contains_text("added token 6: expected a text that differs from those of other added"));
  json unigram = small_json({{{"id", 2}, {"content", "\n"}, {"normalized", true}}});
  unigram["normalizer"] = {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}};
  unigram["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "\xE2\x96\x81"}, {"prepend_scheme", "never"}};
  unigram["model"] = {
      {"type", "Unigram"}, {"unk_id", 0}, {"vocab", json::array({json::array({"<unk>", 0}), json::array({"a", -1})})}};
  write(folder / "tokenizer.json", unigram.dump());
  CHECK_THAT(refusal(folder), contains_text("added token 2: expected a text that is not empty after normalisation"));
}

TEST_CASE("vocab.json and merges.txt are read as GPT-2's, or rejected with a way out") {
  const TemporaryDirectory folder;
  write(folder / "vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  CHECK_THAT(refusal(folder), contains_text("expected tokenizer.json, tokenizer.model, or vocab.json and merges.txt"));
  write(folder / "merges.txt", "#version: 0.2\r\na b\r\n");
  CHECK(load_tokenizer(folder.path()).encode("ab") == Ids{2});
  CHECK(load_tokenizer(folder.path()).hugging_face_files(0)[1].name == "merges.txt");
  write(folder / "merges.txt", "a b\n\n");
  CHECK_THAT(refusal(folder), contains_text("merges.txt: line 2: expected two tokens separated by one space, found"));
  write(folder / "merges.txt", "a c\n");
  CHECK_THAT(refusal(folder), contains_text("the token \"c\" in the vocabulary"));
  write(folder / "tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer"})");
  CHECK_THAT(refusal(folder),
             contains_text("tokenizer_config.json: key 'tokenizer_class': expected \"GPT2Tokenizer\""));
  CHECK_THAT(refusal(folder), contains_text("makes a tokenizer.json"));
  std::filesystem::remove(folder / "tokenizer_config.json");
  write(folder / "config.json", R"({"model_type": "qwen2"})");
  CHECK_THAT(refusal(folder), contains_text("config.json: key 'model_type': expected \"gpt2\" or \"opt\""));
}

TEST_CASE("token finder gives the longest text at each place, and the later of equals") {
  const std::vector<std::string_view> texts{"a", "ab", "", "babc", "c", "abc", "bab", "c"};
  const TokenFinder finder(texts);
  std::vector<std::pair<std::size_t, std::size_t>> found;
  finder.search_backwards("xbabcab", [&](std::size_t position, std::size_t index) {
    found.push_back({position, index});
  });
  CHECK(found == std::vector<std::pair<std::size_t, std::size_t>>{{5, 1}, {4, 7}, {2, 5}, {1, 3}});
  CHECK(TokenFinder().search_backwards("abc", [](std::size_t, std::size_t) { FAIL(); }) == 3);
}

TEST_CASE("token finder tries at most two transitions for each byte, whatever the texts") {
  std::vector<std::string> owned;
  for (std::size_t n = 1; n <= 300; ++n) owned.push_back(std::string(n, 'a') + (n % 3 == 0 ? "b" : ""));
  for (std::size_t n = 1; n <= 300; ++n) owned.push_back("b" + std::string(n, 'a'));
  const std::vector<std::string_view> texts(owned.begin(), owned.end());
  const TokenFinder finder(texts);
  std::string text(5000, 'a');
  for (std::size_t i = 7; i < text.size(); i += 293) text[i] = 'b';
  CHECK(finder.search_backwards(text, [](std::size_t, std::size_t) {}) <= 2 * text.size());
  CHECK(finder.search_backwards(std::string(5000, 'c'), [](std::size_t, std::size_t) {}) <= 2 * text.size());
}

TEST_CASE("word characters are those of a regular expression") {
  using zeroth::model::is_word_character;
  for (const char32_t c : {U'a', U'Z', U'0', U'_', U'\u00E9', U'\u0301', U'\u200D', U'\u24D0', U'\U00020000'})
    CHECK(is_word_character(c));
  for (const char32_t c : {U'/', U':', U'@', U'[', U'`', U'{', U' ', U'\u00B2', U'\u2581', U'\U0010FFFF'})
    CHECK_FALSE(is_word_character(c));
}

}  // namespace

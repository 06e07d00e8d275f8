// SPDX-License-Identifier: MIT
#include "zeroth_model/tokenizer/end_tokens.hpp"

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
#include "golden.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/tokenizer/load_tokenizer.hpp"

namespace {

using nlohmann::json;
using zeroth::model::AnyTokenizer;
using zeroth::model::GgufFile;
using zeroth::model::GgufWriter;
using zeroth::model::JsonValue;
using zeroth_test::contains_text;
using zeroth_test::golden_file;
using zeroth_test::TemporaryDirectory;
using Ids = std::vector<std::int32_t>;

/// The tokenizer of a golden family with a config.json that has those ids.
AnyTokenizer tokenizer_with(json const& ids) {
  TemporaryDirectory const directory;
  std::filesystem::copy_file(golden_file("families/llama3/tokenizer.json"), directory / "tokenizer.json");
  std::ofstream(directory / "config.json") << ids;
  return zeroth::model::load_tokenizer(directory.path());
}

Ids ends(json const& config, std::optional<json> const& generation, json const& ids = {{"eos_token_id", 5}}) {
  auto const value = [](json const& object, char const* name) { return JsonValue::parse(object.dump(), name); };
  return zeroth::model::end_tokens(
      value(config, "config.json"),
      generation ? std::optional(value(*generation, "generation_config.json")) : std::nullopt, tokenizer_with(ids));
}

/// A GGUF file with the metadata of a golden one, after a change.
template <class Change>
GgufFile changed_gguf(TemporaryDirectory const& directory, Change const& change) {
  GgufFile const source(golden_file("families/llama3/model.gguf"));
  GgufWriter writer((directory / "changed.gguf").string());
  writer.copy_metadata(source);
  change(writer);
  writer.commit();
  return GgufFile((directory / "changed.gguf").string());
}

}  // namespace

TEST_CASE("a Hugging Face model ends at all tokens of generation_config.json, else of config.json") {
  CHECK(ends(json::object(), json{{"eos_token_id", {0, 203}}}) == Ids{0, 203});
  CHECK(ends({{"eos_token_id", {7, 8}}}, json{{"eos_token_id", 203}}) == Ids{203});
  CHECK(ends({{"eos_token_id", {7, 8}}}, std::nullopt) == Ids{7, 8});
  CHECK(ends({{"eos_token_id", 7}}, std::nullopt) == Ids{7});
  // The tokenizer's own comes first, and is the only one if the files name none.
  CHECK(ends(json::object(), json{{"eos_token_id", {0, 5, 203, 5}}}) == Ids{5, 0, 203});
  CHECK(ends({{"eos_token_id", 7}}, json::object()) == Ids{5});
  CHECK(ends(json::object(), json{{"eos_token_id", nullptr}}) == Ids{5});
  CHECK(ends(json::object(), json{{"eos_token_id", json::array()}}) == Ids{5});
  CHECK(ends(json::object(), json{{"eos_token_id", {-1, 100000, 9}}}) == Ids{9});
  CHECK(ends(json::object(), json{{"eos_token_id", -1}}, json::object()).empty());
  CHECK_THROWS_WITH(ends(json::object(), json{{"eos_token_id", {0, "a"}}}),
                    "generation_config.json: key 'eos_token_id[1]': expected an id below 2^31, found \"a\"");
  CHECK_THROWS_WITH(ends({{"eos_token_id", 1.5}}, std::nullopt), contains_text("key 'eos_token_id': expected an id"));
}

TEST_CASE("a token id of -1 is none") {
  auto const tokenizer = tokenizer_with({{"pad_token_id", -1}, {"bos_token_id", -1}, {"eos_token_id", {-1, 5}}});
  CHECK_FALSE(tokenizer.padding());
  CHECK_FALSE(tokenizer.bos());
  CHECK(tokenizer.eos() == 5);
  CHECK_THROWS_WITH(tokenizer_with({{"pad_token_id", "x"}}), contains_text("key 'pad_token_id': expected an id"));
}

TEST_CASE("a GGUF model ends at its eos, eot and eom, and at control tokens with such a name") {
  TemporaryDirectory const directory;
  GgufFile const source(golden_file("families/llama3/model.gguf"));
  // Token 0 is special in the golden file too.
  auto found = [&](std::string_view name, std::int32_t type, std::vector<std::pair<char const*, std::uint32_t>> ids) {
    GgufFile const file = changed_gguf(directory, [&](GgufWriter& writer) {
      auto tokens = source.get_array<std::string_view>("tokenizer.ggml.tokens");
      auto types = source.get_array<std::int32_t>("tokenizer.ggml.token_type");
      tokens[0] = name;
      types[0] = type;
      writer.set_array<std::string_view>("tokenizer.ggml.tokens", tokens);
      writer.set_array<std::int32_t>("tokenizer.ggml.token_type", types);
      for (auto const& [key, id] : ids) writer.set("tokenizer.ggml." + std::string(key), id);
    });
    return zeroth::model::end_tokens(file, zeroth::model::load_tokenizer(file));
  };
  constexpr std::int32_t normal = 1;
  constexpr std::int32_t control = 3;
  CHECK(found("<s>", control, {{"eos_token_id", 7}}) == Ids{7});
  CHECK(found("<s>", control, {{"eos_token_id", 7}, {"eom_token_id", 9}, {"eot_token_id", 8}}) == Ids{7, 8, 9});
  CHECK(found("<s>", control, {{"eos_token_id", 7}, {"eot_token_id", 7}, {"eom_token_id", 100000}}) == Ids{7});
  for (std::string_view const name : {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "</s>"}) {
    CHECK(found(name, control, {{"eos_token_id", 7}}) == Ids{7, 0});
    CHECK(found(name, control, {{"eos_token_id", 0}}) == Ids{0});
    CHECK(found(name, normal, {{"eos_token_id", 7}}) == Ids{7});
  }
}

TEST_CASE("end tokens of a Hugging Face model find their place in GGUF") {
  TemporaryDirectory const directory;
  auto const tokenizer = tokenizer_with({{"eos_token_id", 5}});
  REQUIRE(zeroth::model::is_end_token_text(tokenizer.token_text(0)));
  for (Ids const& ids : {Ids{5, 0}, Ids{5, 203, 0}, Ids{5, 203, 9, 0}}) {
    GgufFile const file = changed_gguf(directory, [&](GgufWriter& writer) {
      tokenizer.set_gguf_metadata(writer, 263);
      zeroth::model::set_end_tokens(writer, ids, tokenizer);
    });
    CHECK(zeroth::model::end_tokens(file, zeroth::model::load_tokenizer(file)) == ids);
  }
}

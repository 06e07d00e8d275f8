// SPDX-License-Identifier: MIT
#include <cstring>
#include <filesystem>
#include <span>
#include <string>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth_model/open_model.hpp"
#include "zeroth_model/save_model.hpp"

using namespace zeroth_test;
using zeroth::model::Model;
using zeroth::model::ModelFormat;
using zeroth::model::open_model;
namespace fs = std::filesystem;

namespace {

constexpr char const* text = "The quick miller walks 12 miles.";

void check_same_weights(Model const& a, Model const& b) {
  CHECK(a.weights.config() == b.weights.config());
  REQUIRE(a.weights.parameters().size() == b.weights.parameters().size());
  for (std::size_t p = 0; p < a.weights.parameters().size(); ++p) {
    std::span<float const> const x = a.weights.values(p);
    std::span<float const> const y = b.weights.values(p);
    REQUIRE(x.size() == y.size());
    CHECK(std::memcmp(x.data(), y.data(), x.size_bytes()) == 0);
  }
}

void check_same_tokens(Model const& a, Model const& b) {
  CHECK(a.tokenizer.encode(text) == b.tokenizer.encode(text));
  CHECK(a.end_tokens == b.end_tokens);
}

}  // namespace

TEST_CASE("a GGUF file is opened, saved in both formats, and opened again from each") {
  TemporaryDirectory const directory;
  Model const model = open_model(golden_file("gqa_odd_tied.gguf"));
  CHECK(model.source.format() == "GGUF");
  CHECK_FALSE(model.tokenizer.encode(text).empty());
  REQUIRE_FALSE(model.end_tokens.empty());
  CHECK(model.is_end(model.end_tokens[0]));

  fs::path const folder = directory / "both";
  check_format(model, ModelFormat::both, folder);
  save_model(model, folder, ModelFormat::both);
  Model const gguf = open_model(folder);
  CHECK(gguf.source.format() == "GGUF");
  check_same_weights(model, gguf);
  check_same_tokens(model, gguf);

  CHECK(saved_bytes(model.weights, ModelFormat::both) == 2 * model.weights.parameters().bytes());
  CHECK(saved_bytes(model.weights, ModelFormat::gguf, zeroth::model::TensorType::f16) ==
        2 * model.weights.parameters().weights());
  fs::remove(folder / "model.gguf");
  Model const safetensors = open_model(folder);
  CHECK(safetensors.source.format() == "safetensors");
  check_same_tokens(model, safetensors);
}

TEST_CASE("a Hugging Face folder is opened, saved in both formats, and opened again from each") {
  TemporaryDirectory const directory;
  fs::path const folder = directory / "folder";
  save_model(open_model(golden_file("gqa_odd_tied.gguf")), folder);
  Model const model = open_model(folder, {.keeps_files = true});
  CHECK(model.source.format() == "safetensors");
  fs::remove_all(folder);  // its files are kept

  save_model(model, directory / "saved");
  Model const saved = open_model(directory / "saved");
  check_same_weights(model, saved);
  check_same_tokens(model, saved);

  check_format(model, ModelFormat::gguf, directory / "scratch");
  save_gguf_file(model, directory / "model.gguf");
  check_same_tokens(model, open_model(directory / "model.gguf"));
}

TEST_CASE("a tokenizer goes with other weights only if they have a row for each token") {
  auto const source = [] { return zeroth::model::ModelSource(golden_file("gqa_odd_tied.gguf")); };
  Model const model(source(), source().load(zeroth::DataType::bf16));
  CHECK(model.weights.dtype() == zeroth::DataType::bf16);
  zeroth::model::DecoderConfig config = source().config();
  config.vocabulary = 3;
  CHECK_THROWS_WITH(Model(source(), zeroth::model::DecoderWeights(config, "small", zeroth::DataType::f32, {})),
                    contains_text("tokenizer: expected at most as many tokens as the embedding has rows, 3, found"));
}

TEST_CASE("a path that is not a model is rejected by name") {
  TemporaryDirectory const directory;
  CHECK_THROWS_WITH(open_model(directory.path()),
                    directory.path().string() +
                        ": expected a GGUF file, or a folder with model.gguf or with config.json and safetensors, "
                        "found a folder with neither");
  CHECK_THROWS_AS(open_model(directory / "none"), zeroth::InvalidFile);
}

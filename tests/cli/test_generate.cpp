// SPDX-License-Identifier: MIT
// generate, tokenize and export, run as a user would on the tiny models of tests/golden.
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "files.hpp"
#include "paths.hpp"
#include "program.hpp"

using nlohmann::json;
using namespace zeroth_test;

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

std::string golden(std::string const& name) {
  return (tests_directory() / "golden" / name).string();
}

Outcome generate(std::string const& model, Words const& more) {
  Words words{"generate", "--model", model, "--threads", "1"};
  words.insert(words.end(), more.begin(), more.end());
  return run_program(words);
}

std::vector<json> lines(std::string const& text) {
  std::vector<json> records;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    records.push_back(json::parse(text.substr(begin, end - begin)));
  return records;
}

/// Log-probabilities of a line of text under a model.
std::vector<double> scores(std::string const& model, TemporaryDirectory const& directory) {
  std::string const input = write_file(directory, "line.txt", "The quick miller walks along the river.\n").string();
  std::string const output = (directory.path() / "scores.jsonl").string();
  Outcome const outcome = run_program({"score", "--model", model, "--input", input, "--output", output});
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  auto values = lines(read_file(output)).at(0).at("logprobs");
  values.erase(values.begin());
  return values.get<std::vector<double>>();
}

}  // namespace

TEST_CASE("generate goes on with a prompt, the same way for the same seed") {
  for (std::string const& model : {golden("gqa_odd_tied.gguf"), golden("families/llama3/model.gguf")}) {
    Outcome const greedy = generate(model, {"--prompt", "The quick", "--max-new-tokens", "12"});
    INFO(greedy.error);
    REQUIRE(greedy.exit_code == 0);
    CHECK(greedy.out.ends_with("\n"));
    CHECK(greedy.out == generate(model, {"--prompt", "The quick", "--max-new-tokens", "12", "--seed", "5"}).out);
    auto drawn = [&](std::string const& seed) {
      return generate(model,
                      {"--prompt", "The quick", "--max-new-tokens", "30", "--temperature", "1.5", "--seed", seed})
          .out;
    };
    CHECK(drawn("1") == drawn("1"));
    CHECK(drawn("1") != drawn("2"));
  }
}

TEST_CASE("generate ends where the context does, and refuses what it cannot go on with") {
  std::string const model = golden("gqa_odd_tied.gguf");
  CHECK(generate(model, {"--prompt", "The quick", "--max-new-tokens", "1000"}).exit_code == 0);
  auto refused = [&](Words const& more) {
    Outcome const outcome = generate(model, more);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.out.empty());
    return outcome.error;
  };
  CHECK_THAT(refused({"--prompt", ""}), contains_text("--prompt: expected at least one token"));
  CHECK_THAT(refused({"--prompt", std::string(500, '7')}), contains_text("--prompt: expected less than 128 tokens"));
  CHECK_THAT(refused({"--prompt", "a", "--temperature", "-1"}), contains_text("expected a number of at least 0"));
  CHECK_THAT(refused({"--prompt", "a", "--top-p", "0"}), contains_text("expected a number above 0 and at most 1"));
}

TEST_CASE("tokenize gives each line's tokens and what they stand for") {
  TemporaryDirectory const directory;
  std::string const input = write_file(directory, "lines.txt", "The quick\n\nCaf\xC3\xA9 24\n").string();
  Outcome const outcome = run_program({"tokenize", "--model", golden("gqa_odd_tied.gguf"), "--input", input});
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  auto const records = lines(outcome.out);
  REQUIRE(records.size() == 3);
  std::string text;
  for (json const& piece : records[0].at("pieces")) text += piece.get<std::string>();
  CHECK(text == "The quick");
  CHECK(records[0].at("tokens").size() == records[0].at("pieces").size());
  CHECK(records[1].at("tokens").empty());
}

TEST_CASE("export writes every form and type, and what it writes scores the same") {
  TemporaryDirectory const directory;
  auto exported = [&](std::string const& model, std::string const& name, Words const& more) {
    std::string const output = (directory.path() / name).string();
    Words words{"export", "--model", model, "--output", output};
    words.insert(words.end(), more.begin(), more.end());
    Outcome const outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK(outcome.out == output + "\n");
    return output;
  };
  auto check_close = [&](std::string const& model, std::vector<double> const& expected, double margin) {
    auto const found = scores(model, directory);
    REQUIRE(found.size() == expected.size());
    INFO(model);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(margin));
  };
  // The weights of this model are numbers that bfloat16 holds.
  std::string const from = golden("families/llama3/model.gguf");
  auto const expected = scores(from, directory);
  check_close(exported(from, "f32.gguf", {"--to", "gguf"}), expected, 0);
  check_close(exported(from, "bf16.gguf", {"--to", "gguf", "--dtype", "bf16"}), expected, 0);
  check_close(exported(from, "f16.gguf", {"--to", "gguf", "--dtype", "f16"}), expected, 1e-2);

  std::string const folder = exported(from, "folder", {"--dtype", "bf16"});
  json const config = json::parse(read_file(folder + "/config.json"));
  CHECK(config.at("torch_dtype") == "bfloat16");
  CHECK(config.at("rope_scaling").at("rope_type") == "llama3");
  CHECK(fs::exists(folder + "/tokenizer.json"));
  Outcome const inspected = run_program({"inspect", "--model", folder});
  CHECK(inspected.exit_code == 0);
  CHECK_THAT(inspected.out, contains_text("model.layers.1.mlp.down_proj.weight"));
  CHECK_THAT(generate(folder, {"--prompt", "a"}).error,
             contains_text("the tokenizer of a Hugging Face folder is not read yet"));

  Words const again{"export", "--model", from, "--output", folder};
  CHECK_THAT(run_program(again).error, contains_text("exists; --overwrite replaces it"));
}

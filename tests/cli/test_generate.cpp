// SPDX-License-Identifier: MIT
// generate, tokenize and export, run as a user would on the tiny models of tests/golden.
#include <cstddef>
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

/// A golden family's Hugging Face folder without the GGUF file next to it.
std::string folder_of(std::string const& family, TemporaryDirectory const& directory) {
  fs::path const folder = directory.path() / family;
  fs::create_directory(folder);
  for (std::string const name : {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"})
    fs::copy_file(golden("families/" + family + "/" + name), folder / name);
  return folder.string();
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

TEST_CASE("generate continues a prompt, the same way for the same seed") {
  TemporaryDirectory const directory;
  for (std::string const& model : {golden("gqa_odd_tied.gguf"), folder_of("llama3", directory)}) {
    Outcome const greedy = generate(model, {"--prompt", "The quick", "--max-new-tokens", "12"});
    INFO(greedy.error);
    REQUIRE(greedy.exit_code == 0);
    CHECK(greedy.out.ends_with("\n"));
    CHECK(greedy.out == generate(model, {"--prompt", "The quick", "--max-new-tokens", "12", "--seed", "5"}).out);
    Words const drawn{"--prompt", "The quick", "--max-new-tokens", "30", "--temperature", "1.5", "--seed"};
    auto with_seed = [&](std::string const& seed) {
      Words words = drawn;
      words.push_back(seed);
      return generate(model, words).out;
    };
    CHECK(with_seed("1") == with_seed("1"));
    CHECK(with_seed("1") != with_seed("2"));
  }
}

TEST_CASE("generate ends where the context does, and rejects what it cannot continue") {
  std::string const model = golden("gqa_odd_tied.gguf");
  CHECK(generate(model, {"--prompt", "The quick", "--max-new-tokens", "1000"}).exit_code == 0);
  auto rejected = [&](Words const& more) {
    Outcome const outcome = generate(model, more);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.out.empty());
    return outcome.error;
  };
  CHECK_THAT(rejected({"--prompt", ""}), contains_text("--prompt: expected at least one token"));
  CHECK_THAT(rejected({"--prompt", std::string(500, '7')}), contains_text("--prompt: expected less than 128 tokens"));
  CHECK_THAT(rejected({"--prompt", "a", "--temperature", "-1"}), contains_text("expected a number of at least 0"));
  CHECK_THAT(rejected({"--prompt", "a", "--top-p", "0"}), contains_text("expected a number above 0 and at most 1"));
}

TEST_CASE("generate ends at any of the model's end tokens") {
  TemporaryDirectory const directory;
  std::string const model = folder_of("llama3", directory);
  Words const prompt{"--prompt", "The quick", "--max-new-tokens", "8"};
  auto generation_config = [&](json const& eos) {
    write_file(directory, "llama3/generation_config.json", json{{"eos_token_id", eos}}.dump());
  };
  generation_config(0);
  std::string const whole = generate(model, prompt).out;
  // A digit is a token by itself.
  std::size_t const at = whole.find_first_of("0123456789");
  REQUIRE(at != std::string::npos);
  Outcome const tokenized = run_program({"tokenize", "--model", model, "--input",
                                         write_file(directory, "digit.txt", whole.substr(at, 1) + "\n").string()});
  REQUIRE(tokenized.exit_code == 0);
  auto const tokens = lines(tokenized.out).at(0).at("tokens");
  REQUIRE(tokens.size() == 1);
  std::string const expected = whole.substr(0, at);
  generation_config({0, tokens[0]});
  CHECK(generate(model, prompt).out == expected + "\n");
  // Without the file, config.json's ids count.
  fs::remove(fs::path(model) / "generation_config.json");
  json config = json::parse(read_file(model + "/config.json"));
  config["eos_token_id"] = {0, tokens[0]};
  write_file(directory, "llama3/config.json", config.dump());
  CHECK(generate(model, prompt).out == expected + "\n");

  std::string const gguf = (directory.path() / "model.gguf").string();
  REQUIRE(run_program({"export", "--model", model, "--to", "gguf", "--output", gguf}).exit_code == 0);
  CHECK(generate(gguf, prompt).out == expected + "\n");
  std::string const again = (directory.path() / "again").string();
  REQUIRE(run_program({"export", "--model", gguf, "--to", "safetensors", "--output", again}).exit_code == 0);
  CHECK(json::parse(read_file(again + "/generation_config.json")).at("eos_token_id") == json{0, tokens[0]});
  CHECK(generate(again, prompt).out == expected + "\n");
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

TEST_CASE("export writes every form from every form, and what it writes scores the same") {
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
  // The weights of this model are exact in bfloat16.
  for (std::string const& from : {folder_of("llama3", directory), golden("families/llama3/model.gguf")}) {
    std::string const form = fs::is_directory(from) ? "folder" : "file";
    auto const expected = scores(from, directory);
    check_close(exported(from, form + "-bf16", {"--dtype", "bf16"}), expected, 1e-4);
    check_close(exported(from, form + ".gguf", {"--to", "gguf"}), expected, 1e-4);
    check_close(exported(from, form + "-bf16.gguf", {"--to", "gguf", "--dtype", "bf16"}), expected, 1e-4);
    check_close(exported(from, form + "-f16", {"--dtype", "f16"}), expected, 1e-2);
  }
  json const config = json::parse(read_file((directory.path() / "folder-bf16" / "config.json").string()));
  CHECK(config.at("dtype") == "bfloat16");
  CHECK(config.at("transformers_version") == "5.23.0");  // its own config.json, carried over
  CHECK(fs::exists(directory.path() / "folder-bf16" / "tokenizer.json"));

  Words const again{
      "export", "--model", golden("families/llama3"), "--output", (directory.path() / "folder.gguf").string(),
      "--to",   "gguf"};
  CHECK_THAT(run_program(again).error, contains_text("exists; --overwrite replaces it"));
}

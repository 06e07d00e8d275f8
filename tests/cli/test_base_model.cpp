// SPDX-License-Identifier: MIT
// A run saves what it loaded, even if the base model's files change meanwhile.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "run_fixture.hpp"

using nlohmann::json;
using namespace zeroth_test;

namespace {

namespace fs = std::filesystem;

/// A copy of a golden model for a run to lose.
struct BaseModel {
  TemporaryDirectory directory;
  fs::path folder = directory.path() / "base";

  explicit BaseModel(bool gguf = false) {
    fs::create_directory(folder);
    for (std::string const name : {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"})
      fs::copy_file(golden("families/llama3/" + name), folder / name);
    std::ofstream(folder / "merges.txt") << "#version: 0.2\n";
    if (gguf) fs::copy_file(golden("families/llama3/model.gguf"), folder / "model.gguf");
  }
};

/// Runs on a text and calls `change` after the first step. Without a number of steps, stops the run some steps later;
/// at so high a rate, step 0 is the best of them.
Outcome run_and_change(Fixture& fixture, Words const& more, std::function<void()> const& change,
                       std::string const& rate = "10", std::string const& steps = {}) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "The quick miller walks " + std::to_string(i) + " miles\n";
  fixture.data = write_file(fixture.directory, "text.txt", text).string();
  Words words = fixture.finetune_on("text", {"--learning-rate", rate, "--eval-every", steps.empty() ? "0" : "100"});
  words.insert(words.end(), more.begin(), more.end());
  *(std::find(words.begin(), words.end(), "--steps") + 1) = steps.empty() ? "1000000" : steps;
  fs::remove_all(fixture.out);
  Program program(words);
  std::string const metrics = fixture.out + "/metrics.jsonl";
  auto const has_step = [&] {
    return fs::exists(metrics) && read_file(metrics).find("\"type\":\"step\"") != std::string::npos;
  };
  while (program.running() && !has_step()) std::this_thread::yield();
  change();
  if (steps.empty()) program.signal(SIGINT);
  return program.wait();
}

/// All files of a folder except the weights.
std::map<std::string, std::string> files_of(fs::path const& folder) {
  std::map<std::string, std::string> files;
  for (fs::directory_entry const& entry : fs::directory_iterator(folder)) {
    std::string const name = entry.path().filename().string();
    if (name.find("safetensors") == std::string::npos) files[name] = read_file(entry.path());
  }
  return files;
}

}  // namespace

TEST_CASE("a run whose base model is removed or edited saves configuration and tokenizer as it loaded them") {
  for (bool const removed : {true, false}) {
    for (std::string const step : {"last", "best"}) {
      INFO((removed ? "removed, " : "edited, ") << step);
      Fixture fixture;
      BaseModel const base;
      fixture.model = base.folder.string();
      auto expected = files_of(base.folder);
      Words more{"--save-step", step};
      if (step == "best") more.insert(more.end(), {"--validation-examples", "2"});
      Outcome const outcome = run_and_change(fixture, more, [&] {
        if (removed) {
          fs::remove_all(base.folder);
          return;
        }
        for (auto const& [name, text] : expected) std::ofstream(base.folder / name) << "{}";
        fs::remove(base.folder / "merges.txt");
        std::ofstream(base.folder / "chat_template.jinja") << "new";
      });
      INFO(outcome.error);
      REQUIRE(outcome.exit_code == 130);
      auto found = files_of(fixture.out + "/model");
      if (step == "best") CHECK(fixture.summary().at("saved_step") == 0);
      CHECK(json::parse(found.at("config.json")).at("dtype") == "float32");
      found.erase("config.json");
      expected.erase("config.json");
      CHECK(found == expected);
      Outcome const again = run_program({"inspect", "--model", fixture.out + "/model", "--json"});
      CHECK(again.exit_code == 0);
    }
  }
}

TEST_CASE("a run whose GGUF file is removed or cut saves its metadata") {
  for (bool const removed : {true, false}) {
    Fixture fixture;
    BaseModel const base(/*gguf=*/true);
    fixture.model = (base.folder / "model.gguf").string();
    Outcome const outcome = run_and_change(fixture, {"--save", "both"}, [&] {
      if (removed)
        fs::remove_all(base.folder);
      else
        fs::resize_file(fixture.model, 0);
    });
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 130);
    for (std::string const& path : {fixture.out + "/model/model.gguf", fixture.out + "/model"}) {
      Outcome const tokens =
          run_program({"tokenize", "--model", path, "--input", golden("families/llama3/golden.json")});
      Outcome const expected = run_program({"tokenize", "--model", golden("families/llama3/model.gguf"), "--input",
                                            golden("families/llama3/golden.json")});
      CHECK(tokens.exit_code == 0);
      CHECK(tokens.out == expected.out);
    }
  }
}

TEST_CASE("a run that goes back to its best step needs neither base nor adapter any more, but rejects an edited one") {
  Fixture fixture;
  BaseModel const base;
  fixture.model = base.folder.string();
  REQUIRE(run_program(fixture.finetune({"--lora-rank", "2"})).exit_code == 0);
  fs::path const adapter = base.directory.path() / "adapter";
  fs::rename(fixture.out + "/adapter", adapter);
  // The best step is one of the first, and the run is long enough to lose its files meanwhile.
  Words const best{"--adapter", adapter.string(), "--validation-examples", "2", "--save-step", "best", "--method",
                   "mezo"};
  auto run = [&](std::function<void()> const& change) {
    Outcome const outcome = run_and_change(fixture, best, change, "1000", "300");
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK(fixture.summary().at("saved_step").get<int>() < 300);
    return read_file(fixture.out + "/adapter/adapter_model.safetensors");
  };
  std::string const expected = run([] {});
  CHECK(run([&] {
          fs::remove_all(base.folder);
          fs::remove_all(adapter);
        }) == expected);

  Fixture edited;
  BaseModel const other;
  edited.model = other.folder.string();
  Outcome const rejected = run_and_change(edited, {"--validation-examples", "2", "--save-step", "best"}, [&] {
    std::fstream(other.folder / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary)
        .seekp(-1, std::ios::end)
        .put('\x7f');
  });
  INFO(rejected.error);
  CHECK(rejected.exit_code == 2);
  CHECK_THAT(rejected.error,
             contains_text("model.safetensors: expected the file as it was opened, found it written to"));
}

TEST_CASE("a form that cannot hold the model is rejected before the run, not after it") {
  Fixture fixture;
  BaseModel const base;
  // With this pre-tokenizer, llama.cpp applies merges.
  json tokenizer = json::parse(read_file(base.folder / "tokenizer.json"));
  tokenizer["model"]["ignore_merges"] = true;
  std::ofstream(base.folder / "tokenizer.json") << tokenizer;
  fixture.model = base.folder.string();
  for (std::string const form : {"gguf", "both"})
    check_rejected(run_program(fixture.finetune({"--save", form})), fixture,
                   "GGUF cannot hold the tokenizer of " + fixture.model + ": tokenizer ignore_merges: expected false");
  CHECK_FALSE(fs::exists(fixture.out));
}

TEST_CASE("a file of the base model that is a link out of its folder does not get into a saved model") {
  Fixture fixture;
  BaseModel const base;
  fixture.model = base.folder.string();
  fs::path const secret = base.directory.path() / "secret";
  std::ofstream(secret) << "not to be published";
  fs::remove(base.folder / "merges.txt");
  fs::create_symlink(secret, base.folder / "merges.txt");
  std::string const expected =
      "merges.txt: expected a file of the model's folder, as it goes into models that are "
      "saved, found a link to " +
      fs::canonical(secret).string() + "; put a copy in its place";
  check_rejected(run_program(fixture.finetune()), fixture, expected);
  std::string const output = (base.directory.path() / "exported").string();
  check_rejected_at_once({"export", "--model", fixture.model, "--to", "safetensors", "--output", output}, expected);
  CHECK_FALSE(fs::exists(output));
  CHECK(run_program({"inspect", "--model", fixture.model}).exit_code == 0);
}

// SPDX-License-Identifier: MIT
// The program on a missing GPU, and on generated models.
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "files.hpp"
#include "program.hpp"
#include "run_fixture.hpp"

using namespace zeroth_test;
using nlohmann::json;

namespace {

/// The shortest possible run, with the program's own choice of threads.
Outcome finetune(Fixture const& fixture, Words const& more) {
  Words words{"finetune",  "--model",     fixture.model,  "--task", "sst2",    "--data", fixture.data,      "--out",
              fixture.out, "--overwrite", "--batch-size", "1",      "--steps", "1",      "--eval-examples", "1"};
  words.insert(words.end(), more.begin(), more.end());
  return run_program(words);
}

/// A file with one line to score.
std::string line_to_score(Fixture const& fixture) {
  return write_file(fixture.directory, "lines.txt", "a fine film\n").string();
}

/// Either this build has no CUDA, or this machine no GPU; on a machine with one, the program runs.
void check_runs_or_says_why_not(Outcome const& outcome) {
  INFO(outcome.error);
  if (outcome.exit_code == 0) return;
  CHECK(outcome.exit_code == 2);
  bool const says_why = outcome.error.find("--device: this program was built without CUDA") != std::string::npos ||
                        outcome.error.find("there is no CUDA device") != std::string::npos;
  CHECK(says_why);
}

}  // namespace

TEST_CASE("without a GPU or without CUDA, --device cuda is rejected with the reason") {
  Fixture const fixture;
  std::string const lines = line_to_score(fixture);
  std::string const scores = (fixture.directory.path() / "scores.jsonl").string();
  for (std::string update : {"sgd", "momentum", "window-momentum", "adam", "adamm"})
    check_runs_or_says_why_not(
        finetune(fixture, {"--device", "cuda", "--learning-rate", "1e-3", "--update", update, "--method", "mezo"}));
  check_runs_or_says_why_not(run_program({"score", "--model", fixture.model, "--input", lines, "--output", scores,
                                          "--device", "cuda:0", "--dtype", "bf16"}));
  check_runs_or_says_why_not(run_program({"generate", "--model", fixture.model, "--prompt", "a", "--device", "cuda"}));
  check_runs_or_says_why_not(run_program({"eval", "--model", fixture.model, "--task", "sst2", "--data", fixture.data,
                                          "--output", scores, "--device", "cuda"}));
  Outcome const on_cpu =
      run_program({"score", "--model", fixture.model, "--input", lines, "--output", scores, "--device", "cpu"});
  INFO(on_cpu.error);
  CHECK(on_cpu.exit_code == 0);
}

TEST_CASE("a --device that is none, or an adapter on a GPU, is rejected") {
  Fixture const fixture;
  for (std::string device : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1024"}) {
    Outcome const outcome = finetune(fixture, {"--device", device});
    CHECK(outcome.exit_code == 2);
    CHECK_THAT(outcome.error, contains_text("--device: expected cpu, cuda or cuda:N, found \"" + device + '"'));
  }
  CHECK_THAT(finetune(fixture, {"--device", "cuda", "--lora-rank", "4"}).error,
             contains_text("--device: adapters, deltas and tuned scales run only on the CPU"));
}

TEST_CASE("options that a GPU has no use for are rejected with --device cuda by every command") {
  Fixture const fixture;
  std::string const lines = line_to_score(fixture);
  std::vector<Words> const commands{
      {"finetune", "--model", fixture.model, "--task", "sst2", "--data", fixture.data, "--out", fixture.out},
      {"eval", "--model", fixture.model, "--task", "sst2", "--data", fixture.data, "--output", fixture.out},
      {"score", "--model", fixture.model, "--input", lines, "--output", fixture.out},
      {"generate", "--model", fixture.model, "--prompt", "a"}};
  std::vector<Words> const options{{"--backend", "eigen"},
                                   {"--backend", "cpu"},  // its default, but not what a GPU runs
                                   {"--compute-dtype", "bf16"},
                                   {"--threads", "1"}};
  auto check_rejects = [&](Words words, Words const& option) {
    INFO(words[0]);
    words.insert(words.end(), {"--device", "cuda"});
    words.insert(words.end(), option.begin(), option.end());
    Outcome const outcome = run_program(words);
    CHECK(outcome.exit_code == 2);
    CHECK_THAT(outcome.error, contains_text("zeroth: error: " + option[0] + ": ") && contains_text("--device cuda"));
    CHECK_FALSE(std::filesystem::exists(fixture.out));
  };
  for (Words const& command : commands)
    for (Words const& option : options) check_rejects(command, option);
  check_rejects({"replay", "--model", fixture.model, "--journal", lines, "--output", fixture.out}, {"--threads", "1"});
}

TEST_CASE("a run on a GPU that is resumed rejects --threads") {
  Fixture const fixture;
  REQUIRE(finetune(fixture, {}).exit_code == 0);
  json options = json::parse(read_file(fixture.out + "/options.json"));
  options["cuda_device"] = 0;
  write_file(fixture.directory, "out/options.json", options.dump());
  Outcome const outcome = run_program({"finetune", "--resume", fixture.out, "--threads", "1"});
  CHECK(outcome.exit_code == 2);
  CHECK_THAT(outcome.error, contains_text("--threads: expected none") && contains_text("--device cuda"));
}

TEST_CASE("a generated model of a published shape is tuned, the same each time, and not saved") {
  Fixture const fixture;
  auto run = [&] {
    Outcome const outcome = finetune(fixture, {"--random-model", "smollm2-135m", "--dtype", "bf16"});
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK_FALSE(std::filesystem::exists(fixture.out + "/model"));
    return fixture.summary();
  };
  json const summary = run();
  CHECK(summary.at("options").at("random_model") == "smollm2-135m");
  CHECK(summary.at("tuned_weights") == 134515008);
  json const again = run();
  CHECK(again.at("loss_before") == summary.at("loss_before"));
  CHECK(again.at("loss_after") == summary.at("loss_after"));
}

TEST_CASE("a generated model of an unknown shape, or one that is to be saved, is rejected") {
  Fixture const fixture;
  Outcome const unknown = finetune(fixture, {"--random-model", "llama-8b"});
  CHECK(unknown.exit_code == 2);
  CHECK_THAT(unknown.error, contains_text("--random-model: expected the name of a published model"));
  CHECK_THAT(unknown.error, contains_text("found 'llama-8b'"));
  CHECK_THAT(finetune(fixture, {"--random-model", "smollm2-135m", "--save", "gguf"}).error,
             contains_text("--random-model: expected no --save with it"));
  CHECK_THAT(finetune(fixture, {"--random-model", "smollm2-135m", "--lora-rank", "4"}).error,
             contains_text("--random-model: expected no adapter, delta or tuned scales with it"));
}

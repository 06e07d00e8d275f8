// SPDX-License-Identifier: MIT
// The program on a GPU that is not there, and on models that are made.
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "files.hpp"
#include "paths.hpp"
#include "program.hpp"
#include "temporary_directory.hpp"

using namespace zeroth_test;
using nlohmann::json;

namespace {

using Words = std::vector<std::string>;

/// A small sst2 in a folder of its own, and where to put results.
struct Fixture {
  TemporaryDirectory directory;
  std::string model = (tests_directory() / "golden" / "gqa_odd_tied.gguf").string();
  std::string out = (directory.path() / "out").string();

  Fixture() {
    write_file(directory, "SST-2/train.tsv", "label\tsentence\n1\ta fine film\n0\tdull and slow\n");
    write_file(directory, "SST-2/dev.tsv", "label\tsentence\n1\tgood\n0\tbad\n");
    write_file(directory, "lines.txt", "a fine film\n");
  }

  [[nodiscard]] Outcome finetune(Words const& more) const {
    Words words{
        "finetune", "--model",     model,          "--task", "sst2",    "--data", directory.path().string(), "--out",
        out,        "--overwrite", "--batch-size", "1",      "--steps", "1",      "--eval-examples",         "1"};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
};

/// Either this build has no CUDA, or this machine no GPU; on one that has, the program runs.
void check_runs_or_says_why_not(Outcome const& outcome) {
  INFO(outcome.error);
  if (outcome.exit_code == 0) return;
  CHECK(outcome.exit_code == 2);
  bool const says_why = outcome.error.find("--device: this program was built without CUDA") != std::string::npos ||
                        outcome.error.find("there is no CUDA device") != std::string::npos;
  CHECK(says_why);
}

}  // namespace

TEST_CASE("without a GPU or without CUDA, --device cuda is refused with the reason") {
  Fixture const fixture;
  std::string const lines = (fixture.directory.path() / "lines.txt").string();
  std::string const scores = (fixture.directory.path() / "scores.jsonl").string();
  check_runs_or_says_why_not(fixture.finetune({"--device", "cuda", "--learning-rate", "1e-3"}));
  check_runs_or_says_why_not(run_program({"score", "--model", fixture.model, "--input", lines, "--output", scores,
                                          "--device", "cuda:0", "--dtype", "bf16"}));
  check_runs_or_says_why_not(run_program({"generate", "--model", fixture.model, "--prompt", "a", "--device", "cuda"}));
  check_runs_or_says_why_not(run_program({"eval", "--model", fixture.model, "--task", "sst2", "--data",
                                          fixture.directory.path().string(), "--output", scores, "--device", "cuda"}));
  Outcome const on_cpu =
      run_program({"score", "--model", fixture.model, "--input", lines, "--output", scores, "--device", "cpu"});
  INFO(on_cpu.error);
  CHECK(on_cpu.exit_code == 0);
}

TEST_CASE("a --device that is none, or an adapter on a GPU, is refused") {
  Fixture const fixture;
  for (std::string device : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1024"}) {
    Outcome const outcome = fixture.finetune({"--device", device});
    CHECK(outcome.exit_code == 2);
    CHECK_THAT(outcome.error, contains_text("--device: expected cpu, cuda or cuda:N, found \"" + device + '"'));
  }
  CHECK_THAT(fixture.finetune({"--device", "cuda", "--lora-rank", "4"}).error,
             contains_text("--device: adapters run on the CPU alone"));
  CHECK_THAT(fixture.finetune({"--device", "cuda", "--compute-dtype", "bf16"}).error,
             contains_text("--compute-dtype: with --device cuda"));
}

TEST_CASE("a generated model of a published shape is tuned, the same each time, and not saved") {
  Fixture const fixture;
  auto run = [&] {
    Outcome const outcome = fixture.finetune({"--random-model", "smollm2-135m", "--dtype", "bf16"});
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK_FALSE(std::filesystem::exists(fixture.out + "/model"));
    return json::parse(read_file(fixture.out + "/summary.json"));
  };
  json const summary = run();
  CHECK(summary.at("options").at("random_model") == "smollm2-135m");
  CHECK(summary.at("tuned_weights") == 134515008);
  json const again = run();
  CHECK(again.at("loss_before") == summary.at("loss_before"));
  CHECK(again.at("loss_after") == summary.at("loss_after"));
}

TEST_CASE("a generated model of an unknown shape, or one that is to be saved, is refused") {
  Fixture const fixture;
  Outcome const unknown = fixture.finetune({"--random-model", "llama-8b"});
  CHECK(unknown.exit_code == 2);
  CHECK_THAT(unknown.error, contains_text("--random-model: expected the name of a published model"));
  CHECK_THAT(unknown.error, contains_text("found 'llama-8b'"));
  CHECK_THAT(fixture.finetune({"--random-model", "smollm2-135m", "--save", "gguf"}).error,
             contains_text("--random-model: expected no --save beside it"));
  CHECK_THAT(fixture.finetune({"--random-model", "smollm2-135m", "--lora-rank", "4"}).error,
             contains_text("--random-model: expected no adapter beside it"));
}

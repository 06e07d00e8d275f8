// SPDX-License-Identifier: MIT
// Validation examples and the best step: finetune --validation-examples and --save-step.
#include <algorithm>
#include <cstddef>
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
namespace fs = std::filesystem;

namespace {

Outcome run_successfully(Words const& words) {
  Outcome outcome = run_program(words);
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  return outcome;
}

/// The validations of a run, or its evaluations on held-out examples.
std::vector<json> records_of(std::vector<json> const& metrics, std::string const& type) {
  std::vector<json> found;
  std::copy_if(metrics.begin(), metrics.end(), std::back_inserter(found),
               [&](json const& line) { return line.at("type") == type; });
  return found;
}

bool is_better(json const& one, json const& other) {
  if (one.at("metric") != other.at("metric")) return one.at("metric") > other.at("metric");
  return one.at("loss") < other.at("loss");
}

/// The one with the highest metric, then the lowest loss, then the first.
json best_of(std::vector<json> const& validations) {
  return *std::min_element(validations.begin(), validations.end(), is_better);
}

}  // namespace

TEST_CASE("a run with validation examples evaluates on both sets, and knows its best step") {
  Fixture const fixture;
  Outcome const outcome =
      run_successfully(fixture.finetune({"--validation-examples", "2", "--eval-every", "1", "--learning-rate", "0.1"}));
  CHECK_THAT(outcome.error, contains_text("3 training, 2 validation and 3 held-out examples"));
  CHECK_THAT(outcome.error, contains_text(" on 2 validation examples"));
  std::vector<json> const metrics = fixture.metrics();
  std::vector<json> const held_out = records_of(metrics, "evaluation");
  std::vector<json> const validations = records_of(metrics, "validation");
  REQUIRE(held_out.size() == 5);
  REQUIRE(validations.size() == 5);
  for (std::size_t step = 0; step < 5; ++step) {
    CHECK(held_out[step].at("step") == step);
    CHECK(held_out[step].at("examples") == 3);
    CHECK(validations[step].at("step") == step);
    CHECK(validations[step].at("examples") == 2);
    CHECK(validations[step].at("loss") != held_out[step].at("loss"));
  }

  json const best = best_of(validations);
  json const summary = fixture.summary();
  json const& found = summary.at("best");
  CHECK(found.at("step") == best.at("step"));
  for (char const* key : {"accuracy", "metric", "loss"}) {
    CHECK(found.at("validation_" + std::string(key)) == best.at(key));
    CHECK(found.at(key) == held_out[best.at("step").get<std::size_t>()].at(key));
  }
  CHECK(summary.at("train_examples") == 3);
  CHECK(summary.at("validation_examples") == 2);
  CHECK(summary.at("saved_step") == 4);
  CHECK_THAT(outcome.error,
             contains_text("best on the validation examples: step " + best.at("step").dump() + ", accuracy "));

  std::string const journal = fixture.out + "/journal";
  CHECK_THAT(run_successfully({"journal", journal}).out,
             contains_text("best validation         step " + best.at("step").dump() + ", score "));
  json const shown = json::parse(run_successfully({"journal", journal, "--json"}).out);
  CHECK(records_of(shown.at("records"), "validation").size() == 5);
}

TEST_CASE("without validation examples there is no best step") {
  Fixture const fixture;
  run_successfully(fixture.finetune());
  CHECK(records_of(fixture.metrics(), "validation").empty());
  CHECK(fixture.summary().at("best").is_null());
  CHECK(fixture.summary().at("validation_examples") == 0);
  CHECK(fixture.summary().at("saved_step") == 4);
}

TEST_CASE("validation examples leave the steps of a run as they are where there are enough to train on") {
  auto losses = [](Words const& more) {
    Fixture const fixture;
    run_successfully(fixture.finetune(more));
    std::vector<json> found;
    for (json const& step : records_of(fixture.metrics(), "step")) found.push_back(step.at("loss"));
    return found;
  };
  CHECK(losses({"--train-examples", "3"}) == losses({"--train-examples", "3", "--validation-examples", "2"}));
}

TEST_CASE("the saved best step is what replay makes of the journal, as a model and as an adapter") {
  // At so high a rate the base, or a step before anything is lost, is the best; the last step is not.
  std::vector<Words> const kinds = {{}, {"--save", "gguf"}, {"--lora-rank", "2"}, {"--update", "adam"}};
  for (Words const& kind : kinds) {
    INFO((kind.empty() ? "" : kind[1]));
    Fixture const fixture;
    Words words = fixture.finetune({"--validation-examples", "2", "--eval-every", "1", "--learning-rate", "0.5",
                                    "--schedule", "constant", "--save-step", "best"});
    words.insert(words.end(), kind.begin(), kind.end());
    Outcome const outcome = run_successfully(words);
    json const summary = fixture.summary();
    auto const step = summary.at("best").at("step").get<std::size_t>();
    CHECK(summary.at("saved_step") == step);
    REQUIRE(step < 4);
    // The final figures are those of the saved model.
    std::vector<json> const held_out = records_of(fixture.metrics(), "evaluation");
    CHECK(summary.at("best").at("loss") == held_out[step].at("loss"));
    CHECK(summary.at("loss_after") == held_out[4].at("loss"));

    bool const is_gguf = !kind.empty() && kind[1] == "gguf";
    bool const is_adapter = !kind.empty() && kind[0] == "--lora-rank";
    std::string const replayed = (fixture.directory.path() / "replayed").string();
    Words replay{"replay",   "--model", fixture.model, "--journal",         fixture.out + "/journal",
                 "--output", replayed,  "--until",     std::to_string(step)};
    if (is_gguf) replay.insert(replay.end(), {"--save", "gguf"});
    run_successfully(replay);
    std::string const file = is_gguf ? "/model.gguf" : is_adapter ? "/adapter_model.safetensors" : "/model.safetensors";
    CHECK(read_file(fixture.out + (is_adapter ? "/adapter" : "/model") + file) == read_file(replayed + file));

    // Its results on the held-out examples are those that the run reported for that step.
    std::string const output = (fixture.directory.path() / "eval.json").string();
    Words eval{"eval",
               "--task",
               "sst2",
               "--data",
               fixture.data,
               "--output",
               output,
               "--threads",
               "1",
               "--model",
               is_adapter ? fixture.model : fixture.out + "/model"};
    if (is_adapter) eval.insert(eval.end(), {"--adapter", fixture.out + "/adapter"});
    run_successfully(eval);
    CHECK(json::parse(read_file(output)).at("loss").get<double>() ==
          Approx(held_out[step].at("loss").get<double>()).epsilon(1e-6));
  }
}

TEST_CASE("a best step that is the last is saved as it stands, and an earlier one with the adapter merged") {
  Fixture const fixture;
  run_successfully(fixture.finetune({"--validation-examples", "1", "--learning-rate", "1e-30", "--eval-every", "0"}));
  std::string const last = read_file(fixture.out + "/model/model.safetensors");
  // Nothing changed, so the first evaluation is equally good: step 0.
  CHECK(fixture.summary().at("best").at("step") == 0);
  run_successfully(fixture.finetune({"--validation-examples", "1", "--learning-rate", "1e-30", "--eval-every", "0",
                                     "--save-step", "best", "--overwrite"}));
  CHECK(fixture.summary().at("saved_step") == 0);
  CHECK(read_file(fixture.out + "/model/model.safetensors") == last);

  run_successfully(fixture.finetune({"--validation-examples", "2", "--learning-rate", "0.5", "--save-step", "best",
                                     "--lora-rank", "2", "--save", "safetensors", "--overwrite"}));
  std::string const merged = (fixture.directory.path() / "merged").string();
  run_successfully({"export", "--model", fixture.model, "--adapter", fixture.out + "/adapter", "--output", merged});
  CHECK(read_file(fixture.out + "/model/model.safetensors") == read_file(merged + "/model.safetensors"));
}

TEST_CASE("validation examples that there are not, and a best step without any, are rejected") {
  Fixture const fixture;
  check_rejected(run_program(fixture.finetune({"--validation-examples", "5"})), fixture,
                 "--validation-examples: expected fewer than there are training examples, 5, found 5");
  check_rejected(run_program(fixture.finetune({"--validation-examples", "4", "--shots", "2"})), fixture,
                 "--validation-examples: expected fewer than there are training examples, 3, found 4");
  check_rejected_at_once(fixture.finetune({"--save-step", "best"}),
                         "--save-step best: expected --validation-examples with it, found none");
  check_rejected_at_once(fixture.finetune({"--save-step", "first"}),
                         "--save-step: expected one of last, best, found \"first\"");
  check_rejected_at_once(fixture.finetune({"--validation-examples", "-1"}),
                         "--validation-examples: expected a whole number from 0");
}

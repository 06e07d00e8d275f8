// SPDX-License-Identifier: MIT
// The tuned model from its base and a journal (zeroth replay), and a journal's contents (zeroth journal).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth/zeroth.hpp>

#include "../../cli/run/language_model.hpp"
#include "catch.hpp"
#include "files.hpp"
#include "program.hpp"
#include "run_fixture.hpp"

using namespace zeroth_test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// A run of four steps, and models rebuilt from its journal.
struct RecordedRun {
  Fixture fixture;
  std::string journal = fixture.out + "/journal";
  std::string output = (fixture.directory.path() / "replayed").string();

  explicit RecordedRun(Words const& more = {}, std::string const& steps = "4") {
    Words words = fixture.finetune({"--learning-rate", "1e-3", "--eval-every", "2"});
    *std::find(words.begin(), words.end(), "4") = steps;
    words.insert(words.end(), more.begin(), more.end());
    Outcome const outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
  }

  [[nodiscard]] Words replay(Words const& more = {}) const {
    Words words{"replay", "--model", fixture.model, "--journal", journal, "--output", output, "--overwrite"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// The bytes of the weights that a replay writes.
  [[nodiscard]] std::string replayed(Words const& more = {}, std::string const& file = "model.safetensors") const {
    Outcome const outcome = run_program(replay(more));
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK(outcome.out == output + "\n");
    return read_file(output + "/" + file);
  }
};

/// The hash of the weights after an optimizer other than the program's has replayed a journal.
template <class Backend>
std::uint64_t hash_after_replay(RecordedRun const& run, Backend const& backend, zeroth::Options options) {
  zeroth::cli::ModelOptions model_options;
  model_options.model = run.fixture.model;
  zeroth::cli::LanguageModel const model(model_options);
  options.learning_rate = 1e-3;
  zeroth::ZerothOrderOptimizer optimizer(model.tuned(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{}, backend,
                                         zeroth::Sgd{}, zeroth::CentralDifference{}, options);
  zeroth::replay(zeroth::read_journal(run.journal), optimizer);
  return zeroth::hash_weights(model.tuned(), backend);
}

}  // namespace

TEST_CASE("replay makes the model of a run from its base and journal, with any number of threads") {
  std::vector<Words> const kinds = {
      {},
      {"--dtype", "bf16"},
      {"--compute-dtype", "bf16"},
      {"--dtype", "f16", "--rounding", "stochastic"},
      {"--update", "momentum", "--beta1", "0.7"},
      {"--update", "adam", "--dtype", "bf16", "--weight-decay", "0.01"},
      {"--update", "window-momentum", "--window", "2", "--method", "r-mezo"},
      {"--update", "sign-sgd", "--method", "r-mezo", "--samples", "3", "--sampler", "uniform"},
      {"--estimator", "one-sided", "--method", "mezo", "--epsilon", "0.002"},
      {"--save", "both"},
  };
  for (Words const& kind : kinds) {
    INFO((kind.empty() ? "" : kind[1]));
    RecordedRun const run(kind);
    std::string const expected = read_file(run.fixture.out + "/model/model.safetensors");
    CHECK(run.replayed({"--threads", "1"}) == expected);
    CHECK(run.replayed({"--threads", "2"}) == expected);
    if (!kind.empty() && kind[0] == "--save")
      CHECK(run.replayed({"--save", "gguf"}, "model.gguf") == read_file(run.fixture.out + "/model/model.gguf"));
  }
}

TEST_CASE("replay makes an adapter, new or gone on with") {
  RecordedRun const first({"--lora-rank", "2"});
  std::string const file = "adapter_model.safetensors";
  std::string const adapter = first.fixture.out + "/adapter";
  CHECK(first.replayed({}, file) == read_file(adapter + "/" + file));
  RecordedRun const second({"--adapter", adapter});
  CHECK(second.replayed({"--adapter", adapter}, file) == read_file(second.fixture.out + "/adapter/" + file));
  check_rejected_at_once(second.replay(), "--adapter: expected the adapter that the run of " + second.journal);
  check_rejected_at_once(first.replay({"--adapter", adapter}), "--adapter: expected none");
}

TEST_CASE("replay up to a step makes the model of that step") {
  RecordedRun const run;
  // Without a decaying learning rate a shorter run is the beginning of a longer one.
  RecordedRun const four({"--schedule", "constant"});
  RecordedRun const two({"--schedule", "constant"}, "2");
  CHECK(four.replayed({"--until", "2"}) == read_file(two.fixture.out + "/model/model.safetensors"));
  CHECK(four.replayed({"--until", "4"}) == read_file(four.fixture.out + "/model/model.safetensors"));
  Outcome const exported =
      run_program({"export", "--model", four.fixture.model, "--output", four.output, "--overwrite"});
  REQUIRE(exported.exit_code == 0);
  std::string const base = read_file(four.output + "/model.safetensors");
  CHECK(four.replayed({"--until", "0"}) == base);
  check_rejected_at_once(four.replay({"--until", "5"}), four.journal + ": expected at least 5 steps, found 4");
}

TEST_CASE("every backend, fused or in place, has the weights of the program's run after a replay") {
  RecordedRun const run;
  zeroth::cli::ModelOptions tuned;
  tuned.model = run.fixture.out + "/model";
  // As GGUF, whose rows are in the order of the base.
  RecordedRun const same({"--save", "gguf"});
  tuned.model = same.fixture.out + "/model";
  zeroth::cli::LanguageModel const expected(tuned);
  std::uint64_t const hash = zeroth::hash_weights(expected.tuned(), zeroth::ReferenceBackend{});
  CHECK(hash_after_replay(run, zeroth::ReferenceBackend{}, {}) == hash);
  CHECK(hash_after_replay(run, zeroth::CpuBackend{}, {}) == hash);
  CHECK(hash_after_replay(run, zeroth::CpuBackend{}, {.restore = zeroth::Restore::exact}) == hash);
}

TEST_CASE("replay rejects what does not belong together, by name") {
  RecordedRun const run;
  Words words = run.replay();
  std::replace(words.begin(), words.end(), run.fixture.model, golden("mha_tied.gguf"));
  check_rejected_at_once(words, run.journal + ": ");
  words = run.replay();
  std::replace(words.begin(), words.end(), run.fixture.model, run.fixture.out + "/model");
  check_rejected_at_once(words, "--model: expected a model in GGUF, as the run of " + run.journal +
                                    " began with, found safetensors in " + run.fixture.out + "/model");
  std::string bytes = read_file(run.journal);
  bytes[bytes.size() - 100] ^= 1;
  write_file(run.fixture.directory, "out/journal", bytes);
  check_rejected_at_once(run.replay(), "is damaged: its checksum does not match its content");
  // Its good records, for callers who say how many.
  Outcome const until = run_program(run.replay({"--until", "2"}));
  CHECK(until.exit_code == 0);
  CHECK_THAT(until.error, contains_text("zeroth: warning: " + run.journal + ": record 4, after 2 steps, is damaged"));
  check_rejected_at_once(run.replay({"--until", "3"}), "--until 2 replays the steps before");
  Outcome const shown = run_program({"journal", run.journal});
  CHECK(shown.exit_code == 0);
  CHECK_THAT(shown.error, contains_text("zeroth: warning: " + run.journal + ": record 4, after 2 steps, is damaged"));
  CHECK_THAT(shown.error, contains_text("zeroth journal --repair, like --resume, moves the rest to a file"));
  json const shown_json = json::parse(run_program({"journal", run.journal, "--json"}).out);
  CHECK(shown_json.at("steps") == 2);
  CHECK(shown_json.at("damaged_bytes") == 3 * 44);

  Outcome const repaired = run_program({"journal", run.journal, "--repair"});
  INFO(repaired.error);
  CHECK(repaired.exit_code == 0);
  CHECK_THAT(repaired.out, contains_text(": cut 132 bytes after 4 records and 2 steps; they are in "));
  CHECK(read_file(run.journal) + read_file(run.journal + ".cut-1") == bytes);
  CHECK_THAT(run_program({"journal", run.journal, "--repair"}).out, contains_text(": undamaged, nothing to repair"));
  CHECK(run_program({"journal", run.journal}).error.empty());
  CHECK(run_program(run.replay()).exit_code == 0);
  check_rejected_at_once({"journal", run.journal, "--repair", "--json"},
                         "--repair: expected neither --json nor --plot");
  check_rejected_at_once({"journal", run.journal + "s", "--repair"}, run.journal + "s: cannot open");
  check_rejected_at_once({"journal", "/dev/zero"}, "/dev/zero: expected a regular file, found a device");
  check_rejected_at_once({"journal", "/dev/zero", "--repair"}, "/dev/zero: expected a regular file, found a device");
  write_file(run.fixture.directory, "out/journal", "no journal");
  check_rejected_at_once(run.replay(), run.journal + ": expected a journal of zeroth");

  // One that no optimizer recorded.
  fs::remove(run.journal);
  zeroth::JournalHeader header;
  zeroth::JournalFile(run.journal, header).synchronize();
  check_rejected_at_once(run.replay(), run.journal + ": mask: expected one of the library's, ");
  fs::create_directory(run.output);
  words = run.replay();
  words.erase(std::find(words.begin(), words.end(), "--overwrite"));
  check_rejected_at_once(words, "--output: " + run.output + " exists");
}

TEST_CASE("a journal of finetune that lacks a note is rejected by the note's name") {
  RecordedRun const run;
  zeroth::JournalHeader const header = zeroth::read_journal(run.journal).header();
  // The value that a note gets; none: the note is left out.
  auto const refused = [&](std::string const& name, char const* value, std::string const& message) {
    zeroth::JournalHeader changed = header;
    auto const note = std::find_if(changed.notes.begin(), changed.notes.end(),
                                   [&](zeroth::JournalField const& field) { return field.name == name; });
    REQUIRE(note != changed.notes.end());
    if (value == nullptr)
      changed.notes.erase(note);
    else
      note->value = value;
    fs::remove(run.journal);
    zeroth::JournalFile(run.journal, changed).synchronize();
    check_rejected_at_once(run.replay(), run.journal + ": note '" + name + "': " + message);
  };
  for (char const* key : {"samples", "sampler", "learning_rate", "steps", "eval_every", "max_tokens"})
    refused("option " + std::string(key), "null", "expected a value, found none");
  std::string const missing = "expected, as in every journal of zeroth finetune, found no such note";
  for (char const* key : {"samples", "sparsity", "clip", "lora_rank", "lora_targets", "adapter"})
    refused("option " + std::string(key), nullptr, missing);
  refused("option adapter", "null", "expected true or false, found null");
  refused("form of the model", nullptr, missing);
  refused("form of the model", "null", "expected GGUF or safetensors, found null");
}

TEST_CASE("a journal of finetune without its notes is one of any program") {
  RecordedRun const run;
  zeroth::Journal const recorded = zeroth::read_journal(run.journal);
  zeroth::JournalHeader header = recorded.header();
  header.notes.clear();
  fs::remove(run.journal);
  {
    zeroth::JournalFile without(run.journal, header);
    for (zeroth::JournalEntry const& entry : recorded.entries()) without.append(entry);
  }
  CHECK(run.replayed() == read_file(run.fixture.out + "/model/model.safetensors"));
}

TEST_CASE("journal shows what the metrics show, as a table and as JSON") {
  RecordedRun const run;
  Outcome const outcome = run_program({"journal", run.journal, "--json"});
  REQUIRE(outcome.exit_code == 0);
  json const shown = json::parse(outcome.out);
  CHECK(shown.at("fields").at("seed") == "0");
  CHECK(shown.at("notes").at("option steps") == "4");
  CHECK(shown.at("steps") == 4);
  CHECK(shown.at("bytes") == fs::file_size(run.journal));
  std::uint64_t weights = 0;
  for (json const& tensor : shown.at("tensors"))
    weights += tensor.at("shape").at(0).get<std::uint64_t>() * tensor.at("shape").at(1).get<std::uint64_t>();
  CHECK(weights == run.fixture.summary().at("weights"));
  std::vector<json> const metrics = run.fixture.metrics();
  REQUIRE(shown.at("records").size() == metrics.size());
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    json const& record = shown.at("records").at(i);
    for (char const* key : {"type", "step", "loss"}) CHECK(record.at(key) == metrics[i].at(key));
    if (record.at("type") == "step") {
      CHECK(record.at("active_weights") == metrics[i].at("active_weights"));
      CHECK(record.at("learning_rate").get<float>() == metrics[i].at("learning_rate").get<float>());
    } else {
      CHECK(record.at("score") == metrics[i].at("metric"));
    }
  }

  std::string const table = run_program({"journal", run.journal}).out;
  for (char const* text : {"base weights            0x", "mask  ", "option batch_size       2",
                           "4 steps, 3 evaluations", "    step  record  ", "       4  held-out  "})
    CHECK_THAT(table, contains_text(text));
  CHECK(run_program({"journal", run.fixture.out + "/none"}).exit_code == 2);
}

TEST_CASE("journal draws the run as an image") {
  RecordedRun const run({"--validation-examples", "2"});
  std::string const plot = (run.fixture.directory.path() / "run.svg").string();
  auto draw = [&] {
    Outcome const outcome = run_program({"journal", run.journal, "--plot", plot});
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK(outcome.out == plot + "\n");
    return read_file(plot);
  };
  auto count = [](std::string const& text, std::string const& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  std::string const image = draw();
  CHECK(image.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(image.ends_with("</svg>\n"));
  for (char const* text : {">Loss<", ">Score<", ">each step<", ">held-out<", ">validation<", ">step<"})
    CHECK_THAT(image, contains_text(text));
  // One dot for the loss and one for the score of each evaluation, on two sets at steps 0, 2 and 4.
  CHECK(count(image, "<circle ") == 12);
  for (char const* none : {"nan", "inf"}) CHECK(count(image, none) == 0);

  // A journal without a record, one with a single record, and one with losses that no axis can show.
  zeroth::JournalHeader const header = zeroth::read_journal(run.journal).header();
  fs::remove(run.journal);
  zeroth::JournalFile journal(run.journal, header);
  journal.synchronize();
  CHECK_THAT(draw(), contains_text(">Loss<"));
  journal.append(zeroth::EvaluationRecord{.step = 0, .kind = 0, .score = 1, .loss = 2});
  CHECK(count(draw(), "<circle ") == 2);
  // The evaluations of another program have a kind of its own.
  journal.append(zeroth::EvaluationRecord{.step = 0, .kind = 7, .score = 1, .loss = 2});
  CHECK(count(draw(), "<circle ") == 4);
  CHECK_THAT(draw(), contains_text(">kind 7<"));
  CHECK_THAT(run_program({"journal", run.journal}).out, contains_text("  kind 7 "));
  CHECK_THAT(run_program({"journal", run.journal, "--json"}).out, contains_text("\"evaluation of kind 7\""));
  zeroth::StepRecord step;
  step.skip_reason = zeroth::SkipReason::non_finite_loss;
  step.loss = std::numeric_limits<double>::quiet_NaN();
  journal.append(step);
  step.step = 1;
  step.loss = std::numeric_limits<double>::infinity();
  journal.append(step);
  for (char const* none : {"nan", "inf"}) CHECK(count(draw(), none) == 0);
  // A long run has no more points than a reader can distinguish.
  for (std::uint64_t i = 2; i < 20000; ++i) {
    step = {};
    step.step = i;
    step.coefficients = {0.5F};
    step.loss = 1 + 0.5 * std::sin(static_cast<double>(i));
    journal.append(step);
  }
  CHECK(draw().size() < 100000);

  check_rejected_at_once({"journal", run.journal, "--plot", plot, "--json"}, "--plot: expected no --json with it");
  check_rejected_at_once({"journal", run.journal, "--plot", run.journal}, "expected a file other than the input");
  check_rejected_at_once({"journal", run.journal, "--plot", run.fixture.out}, "expected a file, found a directory");
}

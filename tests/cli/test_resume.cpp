// SPDX-License-Identifier: MIT
// Stopping and resuming runs: finetune --resume.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/journal_file.hpp>

#include "catch.hpp"
#include "files.hpp"
#include "program.hpp"
#include "run_fixture.hpp"

using namespace zeroth_test;
namespace fs = std::filesystem;

namespace {

/// Bytes of the tuned weights in a run's folder.
std::string weights_in(std::string const& folder) {
  std::string const adapter = folder + "/adapter/adapter_model.safetensors";
  return read_file(fs::exists(adapter) ? adapter : folder + "/model/model.safetensors");
}

/// The results of a run that was never stopped, and a copy to damage and resume.
struct StoppedRun {
  Fixture fixture;
  std::string weights;
  std::string journal;
  std::string metrics;

  explicit StoppedRun(Words const& more = {}) {
    Words words = fixture.finetune({"--eval-every", "3"});
    if (std::find(more.begin(), more.end(), "--learning-rate") == more.end())
      words.insert(words.end(), {"--learning-rate", "1e-3"});
    *std::find(words.begin(), words.end(), "4") = "8";  // steps
    words.insert(words.end(), more.begin(), more.end());
    Outcome const outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    weights = weights_in(fixture.out);
    journal = read_file(fixture.out + "/journal");
    metrics = read_file(fixture.out + "/metrics.jsonl");
  }

  [[nodiscard]] std::size_t header_bytes() const {
    return zeroth::Journal(zeroth::read_journal(fixture.out + "/journal").header()).size();
  }

  /// The folder as a kill leaves it before the end, with that much of its files.
  void stop(std::size_t journal_bytes, std::size_t metrics_bytes) const {
    for (char const* name : {"summary.json", "model", "adapter"}) fs::remove_all(fs::path(fixture.out) / name);
    write_file(fixture.directory, "out/journal", journal.substr(0, journal_bytes));
    write_file(fixture.directory, "out/metrics.jsonl", metrics.substr(0, metrics_bytes));
  }

  [[nodiscard]] Outcome resume(Words const& more = {}) const {
    Words words{"finetune", "--resume", fixture.out};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }

  void check_resumed() const {
    Outcome const outcome = resume();
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    REQUIRE(weights_in(fixture.out) == weights);
    REQUIRE(read_file(fixture.out + "/journal") == journal);
    REQUIRE(Fixture::lines(fixture.out + "/metrics.jsonl").size() == lines());
  }

  [[nodiscard]] std::size_t lines() const {
    return static_cast<std::size_t>(std::count(metrics.begin(), metrics.end(), '\n'));
  }
};

}  // namespace

TEST_CASE("a run resumes from a journal cut at any byte of its last records to the bits of one never stopped") {
  StoppedRun const run;
  std::size_t const record = (run.journal.size() - run.header_bytes()) / run.lines();
  for (std::size_t cut = 0; cut <= 3 * record; ++cut) {
    INFO(cut);
    run.stop(run.journal.size() - cut, std::string::npos);
    run.check_resumed();
  }
}

TEST_CASE("a run resumes from metrics cut at any byte of the last lines to the bits of one never stopped") {
  StoppedRun const run;
  std::size_t const last = run.metrics.rfind('\n', run.metrics.size() - 2);
  std::size_t const before = run.metrics.rfind('\n', last - 1);
  for (std::size_t size = before; size <= run.metrics.size(); ++size) {
    INFO(size);
    run.stop(std::string::npos, size);
    run.check_resumed();
  }
  // A possible state of the file system after a power cut.
  run.stop(std::string::npos, before + 1);
  write_file(run.fixture.directory, "out/metrics.jsonl", run.metrics.substr(0, before + 1) + std::string(300, '\0'));
  run.check_resumed();
}

TEST_CASE("whatever has become of the metrics, a run resumes from all of its journal") {
  StoppedRun const run;
  std::string const journal = run.journal.substr(0, run.journal.size() - 44);
  std::vector<nlohmann::json> const whole = Fixture::lines(run.fixture.out + "/metrics.jsonl");
  std::string flipped = run.metrics;
  flipped[run.metrics.size() / 2] ^= 2;
  std::string doubled = run.metrics;
  doubled.insert(0, run.metrics.substr(0, run.metrics.find('\n') + 1));
  std::string other_numbers = run.metrics;
  other_numbers.replace(other_numbers.find("\"loss\":") + 7, 1, "9");
  struct Case {
    std::string metrics;
    std::size_t remade;
  };
  std::size_t const records = run.lines() - 1;
  for (Case const& damaged :
       {Case{"", records}, Case{"\n", records}, Case{std::string(500, '\0'), records}, Case{flipped, 1},
        Case{"\n" + run.metrics, 0}, Case{doubled, 0}, Case{run.metrics.substr(run.metrics.find('\n') + 1), 1},
        Case{other_numbers, 1}, Case{"null\n[]\n{\"type\":\"step\"}\n{\"type\":3,\"step\":1}\n" + run.metrics, 0},
        Case{"\xff" + run.metrics, 1}, Case{std::string(100000, '[') + "\n", records}}) {
    INFO(damaged.metrics.substr(0, 300));
    run.stop(journal.size(), std::string::npos);
    write_file(run.fixture.directory, "out/metrics.jsonl", damaged.metrics);
    Outcome const outcome = run.resume();
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    // Only the last evaluation was left to do.
    CHECK_THAT(outcome.error, contains_text("resuming after step 8"));
    CHECK(weights_in(run.fixture.out) == run.weights);
    CHECK(read_file(run.fixture.out + "/journal") == run.journal);
    std::string const said = " lines were missing or damaged and were rebuilt from the journal";
    if (damaged.remade > 0)
      CHECK_THAT(outcome.error, contains_text("metrics.jsonl: " + std::to_string(damaged.remade) + " of " +
                                              std::to_string(records) + said));
    else
      CHECK(outcome.error.find(said) == std::string::npos);
    std::vector<nlohmann::json> const lines = Fixture::lines(run.fixture.out + "/metrics.jsonl");
    REQUIRE(lines.size() == whole.size());
    std::size_t unknown = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      // What the journal has is the same in every line; lines that already existed are identical.
      for (char const* key : {"type", "step", "loss", "active_weights", "skipped", "metric", "accuracy", "examples"})
        CHECK(lines[i].value(key, nlohmann::json()) == whole[i].value(key, nlohmann::json()));
      if (whole[i].at("type") != "step") continue;
      CHECK(lines[i].at("learning_rate").get<float>() == whole[i].at("learning_rate").get<float>());
      unknown += lines[i].at("seconds").is_null() ? 1 : 0;
      if (!lines[i].at("seconds").is_null()) CHECK(lines[i] == whole[i]);
    }
    if (damaged.remade == records) CHECK(unknown == 8);
    nlohmann::json const seconds = run.fixture.summary().at("seconds_per_step");
    CHECK(seconds.is_null() == (damaged.remade == records));
  }
  run.stop(journal.size(), std::string::npos);
  fs::remove(run.fixture.out + "/metrics.jsonl");
  run.check_resumed();
}

TEST_CASE("a run resumes from the first bad record of its journal, says so and keeps the rest") {
  StoppedRun const run;
  std::size_t const record = 44;
  std::string const good = run.journal.substr(0, run.header_bytes() + 4 * record);  // an evaluation and three steps
  int cuts = 0;
  for (std::string const& rest :
       {std::string(2 * record, '\0') + run.journal.substr(good.size() + 2 * record),  // a hole
        run.journal.substr(good.size() + record),                                      // a record too few
        run.journal.substr(good.size() - record)}) {                                   // a record too many
    run.stop(0, std::string::npos);
    write_file(run.fixture.directory, "out/journal", good + rest);
    Outcome const outcome = run.resume();
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    std::string const kept = run.fixture.out + "/journal.cut-" + std::to_string(++cuts);
    CHECK_THAT(outcome.error, contains_text("/journal: cut " + std::to_string(rest.size()) +
                                            " bytes after 4 records and 3 steps; they are in " + kept));
    CHECK(read_file(kept) == rest);
    CHECK(weights_in(run.fixture.out) == run.weights);
    CHECK(read_file(run.fixture.out + "/journal") == run.journal);
  }
  // They belong to the earlier run, and go with it.
  CHECK(run_program(run.fixture.finetune({"--overwrite"})).exit_code == 0);
  for (fs::directory_entry const& entry : fs::directory_iterator(run.fixture.out))
    CHECK(entry.path().filename().string().find("cut") == std::string::npos);
}

TEST_CASE("a run resumes from before its first step") {
  StoppedRun const run;
  std::size_t const first_line = run.metrics.find('\n') + 1;
  std::size_t const header = run.header_bytes();
  for (std::size_t size : {std::size_t{0}, std::size_t{9}, header - 1, header, header + 1}) {
    INFO(size);
    run.stop(size, first_line);
    run.check_resumed();
  }
  fs::remove(run.fixture.out + "/journal");
  fs::remove(run.fixture.out + "/metrics.jsonl");
  run.stop(0, 0);
  run.check_resumed();
}

TEST_CASE("a run with state, 16-bit weights or an adapter resumes to the same bits, and sums up the same") {
  std::vector<Words> const kinds = {
      {"--update", "momentum", "--beta1", "0.7"},
      {"--update", "adam", "--beta2", "0.9", "--clip", "3"},
      {"--update", "adamm", "--method", "mezo"},
      {"--update", "window-momentum", "--window", "3", "--method", "mezo"},
      {"--update", "conservative-sgd", "--method", "r-mezo"},
      {"--dtype", "bf16"},
      {"--compute-dtype", "bf16"},
      {"--dtype", "f16", "--rounding", "stochastic", "--samples", "3"},
      {"--dtype", "bf16", "--rounding", "compensated", "--update", "adam"},
      {"--lora-rank", "2", "--weight-decay", "0.01"},
      {"--estimator", "fzoo", "--learning-rate", "1e-5"},
      {"--backend", "eigen", "--schedule", "cosine", "--warmup-steps", "2", "--micro-batches", "2"},
      {"--validation-examples", "2"},
  };
  for (Words const& kind : kinds) {
    INFO(kind[1]);
    StoppedRun const run(kind);
    nlohmann::json before = run.fixture.summary();
    std::size_t const record = (run.journal.size() - run.header_bytes()) / run.lines();
    run.stop(run.header_bytes() + 5 * record + 7, std::string::npos);
    run.check_resumed();
    nlohmann::json after = run.fixture.summary();
    // Time and memory depend on the process.
    for (char const* key : {"seconds_per_step", "peak_memory_bytes"}) before.erase(key), after.erase(key);
    CHECK(after == before);
  }
}

TEST_CASE("a run that saves its best step resumes from any record to the same bits, and sums up the same") {
  StoppedRun const run({"--validation-examples", "2", "--save-step", "best", "--learning-rate", "0.5"});
  nlohmann::json before = run.fixture.summary();
  // So high a rate leads away from the base model.
  REQUIRE(before.at("saved_step") < 8);
  for (char const* key : {"seconds_per_step", "peak_memory_bytes"}) before.erase(key);
  std::size_t const record = (run.journal.size() - run.header_bytes()) / run.lines();
  for (std::size_t records = 0; records <= run.lines(); ++records) {
    INFO(records);
    run.stop(run.header_bytes() + records * record, std::string::npos);
    run.check_resumed();
    nlohmann::json after = run.fixture.summary();
    for (char const* key : {"seconds_per_step", "peak_memory_bytes"}) after.erase(key);
    CHECK(after == before);
  }
}

TEST_CASE("a run over a loaded adapter resumes to the same bits") {
  StoppedRun const first({"--lora-rank", "2"});
  StoppedRun const run({"--adapter", first.fixture.out + "/adapter", "--overwrite"});
  CHECK(run.weights != first.weights);
  std::size_t const record = (run.journal.size() - run.header_bytes()) / run.lines();
  run.stop(run.header_bytes() + 4 * record, std::string::npos);
  run.check_resumed();
}

TEST_CASE("a run that is killed again and again at any instant ends in the bits of one never stopped") {
  Fixture const undisturbed;
  Words words = undisturbed.finetune({"--eval-every", "500"});
  *std::find(words.begin(), words.end(), "4") = "2000";  // steps
  auto const start = std::chrono::steady_clock::now();
  REQUIRE(run_program(words).exit_code == 0);
  auto const whole = std::chrono::steady_clock::now() - start;

  Fixture const killed;
  *std::find(words.begin(), words.end(), undisturbed.out) = killed.out;
  std::size_t kills = 0;
  Outcome outcome;
  // The kill times move through the run: each process lives a little longer than the one before.
  for (int i = 1;; ++i) {
    bool const begun = fs::exists(killed.out + "/options.json");
    Program program(begun ? Words{"finetune", "--resume", killed.out} : words);
    std::this_thread::sleep_for(i * whole / 60);
    bool const lives = program.running();
    program.signal(SIGKILL);
    outcome = program.wait();
    if (!lives || outcome.exit_code >= 0) break;
    ++kills;
  }
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  CHECK(kills > 3);
  CHECK(weights_in(killed.out) == weights_in(undisturbed.out));
  CHECK(killed.metrics().size() == undisturbed.metrics().size());
  for (fs::directory_entry const& entry : fs::directory_iterator(killed.out))
    CHECK(entry.path().filename().string().find(".part-") == std::string::npos);
}

TEST_CASE("an interrupted run resumes, and a finished one has nothing left to do") {
  StoppedRun const run;
  CHECK_THAT(run.resume().error, contains_text(run.fixture.out + ": the run is finished"));
  CHECK(weights_in(run.fixture.out) == run.weights);

  Fixture const fixture;
  Words words = fixture.finetune();
  words.back() = "5000";
  Program program(words);
  while (program.running() && !fs::exists(fixture.out + "/journal")) std::this_thread::yield();
  program.signal(SIGINT);
  Outcome const interrupted = program.wait();
  INFO(interrupted.error);
  REQUIRE((interrupted.exit_code == 130 || interrupted.exit_code == -1));
  Outcome const outcome = run_program({"finetune", "--resume", fixture.out});
  INFO(outcome.error);
  CHECK(outcome.exit_code == 0);
  CHECK(fixture.summary().at("steps") == 5000);
  CHECK(fixture.summary().at("interrupted") == false);
}

TEST_CASE("a run resumed after an interrupt leaves the model and the journal of one never stopped") {
  for (Words const& kind : {Words{}, Words{"--validation-examples", "2", "--save-step", "best"}}) {
    Fixture const undisturbed;
    Words more{"--eval-every", "700", "--learning-rate", "1e-3"};
    more.insert(more.end(), kind.begin(), kind.end());
    Words words = undisturbed.finetune(more);
    *std::find(words.begin(), words.end(), "4") = "3000";  // steps
    REQUIRE(run_program(words).exit_code == 0);

    Fixture const stopped;
    *std::find(words.begin(), words.end(), undisturbed.out) = stopped.out;
    std::size_t interrupts = 0;
    std::size_t const header = zeroth::Journal(zeroth::read_journal(undisturbed.out + "/journal").header()).size();
    for (std::size_t target = 500;; target += 500) {
      bool const begun = fs::exists(stopped.out + "/options.json");
      Program program(begun ? Words{"finetune", "--resume", stopped.out} : words);
      std::string const journal = stopped.out + "/journal";
      std::error_code none;
      while (program.running() && (!fs::exists(journal, none) || fs::file_size(journal, none) < header + target * 44))
        std::this_thread::yield();
      program.signal(SIGINT);
      Outcome const outcome = program.wait();
      INFO(outcome.error);
      if (outcome.exit_code == 0) break;
      REQUIRE(outcome.exit_code == 130);
      CHECK(stopped.summary().at("interrupted") == true);
      ++interrupts;
    }
    CHECK(interrupts > 0);
    CHECK(weights_in(stopped.out) == weights_in(undisturbed.out));
    CHECK(read_file(stopped.out + "/journal") == read_file(undisturbed.out + "/journal"));
    auto numbers = [](Fixture const& fixture) {
      std::vector<nlohmann::json> lines = fixture.metrics();
      for (nlohmann::json& line : lines) line.erase("seconds");
      return lines;
    };
    CHECK(numbers(stopped) == numbers(undisturbed));
    CHECK(stopped.summary().at("best") == undisturbed.summary().at("best"));
  }
}

TEST_CASE("a run with a journal is not replaced by accident") {
  StoppedRun const run;
  run.stop(run.journal.size() - 1, std::string::npos);
  check_rejected_at_once(run.fixture.finetune(), "was not finished; resume it with --resume");
  CHECK(run_program(run.fixture.finetune({"--overwrite"})).exit_code == 0);
  CHECK(run.fixture.summary().at("steps") == 4);
}

TEST_CASE("a run is not resumed with another model, other data or a damaged journal, and nothing is changed") {
  StoppedRun const run;
  run.stop(run.journal.size() - 1, std::string::npos);
  std::string const journal = run.fixture.out + "/journal";
  auto check_rejected_untouched = [&](Words const& more, std::string const& expected) {
    std::string const before = read_file(journal);
    std::string const metrics = read_file(run.fixture.out + "/metrics.jsonl");
    check_rejected(run.resume(more), run.fixture, expected);
    CHECK(read_file(journal) == before);
    CHECK(read_file(run.fixture.out + "/metrics.jsonl") == metrics);
  };
  check_rejected_untouched({"--model", golden("mha_tied.gguf")}, journal + ": ");
  Fixture const other;
  write_file(other.directory, "SST-2/train.tsv", "label\tsentence\n1\tanother film\n0\tdull and slow\n");
  check_rejected_untouched({"--data", other.data}, journal + ": training examples: expected 0x");
  write_file(other.directory, "SST-2/train.tsv", read_file(run.fixture.data + "/SST-2/train.tsv"));
  write_file(other.directory, "SST-2/dev.tsv", "label\tsentence\n1\tfair\n");
  check_rejected_untouched({"--data", other.data}, journal + ": held-out examples: expected 0x");

  // The same model with other weights.
  Outcome const outcome = run_program({"finetune", "--model", run.fixture.model, "--task", "sst2", "--data",
                                       run.fixture.data, "--out", other.out, "--steps", "1", "--save", "gguf"});
  REQUIRE(outcome.exit_code == 0);
  check_rejected_untouched({"--model", other.out + "/model"}, journal + ": base weights: expected those with hash 0x");

  nlohmann::ordered_json options = nlohmann::ordered_json::parse(read_file(run.fixture.out + "/options.json"));
  auto with_option = [&](char const* key, nlohmann::ordered_json const& value, std::string const& expected) {
    nlohmann::ordered_json changed = options;
    changed[key] = value;
    write_file(run.fixture.directory, "out/options.json", changed.dump());
    check_rejected_untouched({}, expected);
  };
  with_option("batch_size", 3, journal + ": option batch_size: expected 3");
  with_option("sparsity", 0.5, journal + ": mask: expected ");
  with_option("update", "window-momentum", "--update window-momentum: expected a method whose mask");
  with_option("update", "adam", journal + ": update: expected ");
  with_option("sampler", "gauss", "options.json: key 'sampler': expected one of gaussian, rademacher, uniform");
  with_option("steps", "8", "options.json: key 'steps': expected an unsigned integer");
  with_option("batch_size", 0, "options.json: key 'batch_size': expected a whole number from 1");
  with_option("new", 1, "options.json: key 'new': expected one of the keys model, task");
  write_file(run.fixture.directory, "out/options.json", options.dump());

  with_option("samples", nullptr, "options.json: key 'samples': expected a value, found none");
  write_file(run.fixture.directory, "out/options.json", options.dump());

  std::string damaged = run.journal;
  damaged[8] = 2;
  write_file(run.fixture.directory, "out/journal", damaged);
  check_rejected_untouched({}, journal + ": expected format version 1, found 2");

  auto evaluated = zeroth::Journal::read(std::as_bytes(std::span(run.journal)), journal);
  evaluated.append(zeroth::EvaluationRecord{.step = evaluated.steps(), .kind = 7});
  std::vector<std::byte> const bytes = evaluated.bytes();
  write_file(run.fixture.directory, "out/journal", {reinterpret_cast<char const*>(bytes.data()), bytes.size()});
  check_rejected_untouched({},
                           journal + ": evaluation at step 8: expected kind 0 (held-out) or 1 (validation), found 7");

  run.stop(std::string::npos, std::string::npos);
  run.check_resumed();
}

TEST_CASE("a run is not resumed with another model under its adapter") {
  StoppedRun const run({"--lora-rank", "2"});
  Fixture const other;
  REQUIRE(run_program({"finetune", "--model", other.model, "--task", "sst2", "--data", other.data, "--out", other.out,
                       "--steps", "1", "--save", "gguf"})
              .exit_code == 0);
  run.stop(run.journal.size() - 1, std::string::npos);
  check_rejected(run.resume({"--model", other.out + "/model"}), run.fixture,
                 run.fixture.out + "/journal: model under the adapter: expected 0x");
}

TEST_CASE("a run is not resumed with a task that scores, judges or groups differently") {
  Fixture const fixture;
  for (char const* name : {"train", "held"}) {
    std::string rows;
    for (int i = 0; i < 6; ++i)
      rows += std::string(R"({"text": ")") + name + " story " + std::to_string(i) + R"(", "other": ")" +
              std::to_string(i / 2) + R"(", "label": )" + std::to_string(i % 2) + "}\n";
    write_file(fixture.directory, std::string(name) + ".jsonl", rows);
  }
  nlohmann::json const task = nlohmann::json::parse(
      R"({"files": {"train": "train.jsonl", "held_out": "held.jsonl"}, "format": "jsonl", "prompt": "{text} It was",
          "candidates": [" terrible and bad", " good"], "label": {"field": "label"}, "score": "mean",
          "metric": {"name": "exact_match", "group": "{text}"}})");
  std::string const file = write_file(fixture.directory, "task.json", task.dump()).string();
  Words const words = fixture.finetune_on(file, {"--learning-rate", "1e-3"});
  REQUIRE(run_program(words).exit_code == 0);
  std::string const journal = read_file(fixture.out + "/journal");
  fs::remove(fixture.out + "/summary.json");
  fs::remove_all(fixture.out + "/model");
  write_file(fixture.directory, "out/journal", journal.substr(0, journal.size() - 44));
  auto rejected = [&](char const* key, nlohmann::json const& value, std::string const& expected) {
    nlohmann::json changed = task;
    changed[key] = value;
    write_file(fixture.directory, "task.json", changed.dump());
    check_rejected(run_program({"finetune", "--resume", fixture.out}), fixture, fixture.out + "/journal: " + expected);
    CHECK(read_file(fixture.out + "/journal") == journal.substr(0, journal.size() - 44));
  };
  rejected("score", "sum", "task score: expected sum, found mean");
  rejected("score", {{"against", "It was"}}, "training examples: expected 0x");
  rejected("metric", "accuracy", "task metric: expected accuracy, found exact_match");
  rejected("metric", {{"name", "f1"}, {"positive", 1}}, "task metric: expected f1 of candidate 1, found exact_match");
  rejected("metric", {{"name", "exact_match"}, {"group", "{other}"}}, "held-out groups: expected 0x");
  rejected("prompt", "{text} It is", "training examples: expected 0x");
  rejected("candidates", {" terrible and bad", " fine"}, "training examples: expected 0x");
  rejected("label", {{"field", "label"}, {"values", {{"0", 1}, {"1", 0}}}}, "training examples: expected 0x");
  write_file(fixture.directory, "task.json", task.dump());
  CHECK(run_program({"finetune", "--resume", fixture.out}).exit_code == 0);
}

TEST_CASE("resume takes the folder of a run and few other options") {
  Fixture const fixture;
  check_rejected_at_once({"finetune", "--resume", fixture.out}, "found no options.json in it");
  check_rejected_at_once(
      {"finetune", "--resume", fixture.out, "--steps", "3"},
      "--resume: expected no option with it but --model, --data, --threads, --no-mmap and --adapter, found "
      "--steps");
  CHECK_FALSE(fs::exists(fixture.out));
}

// SPDX-License-Identifier: MIT
// Runs the program zeroth as a user would, on the tiny models of tests/golden.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "run_fixture.hpp"

using nlohmann::json;
using namespace zeroth_test;

namespace {

namespace fs = std::filesystem;
/// The fixture's model file after `change(bytes, index after the first NAME)`.
template <class Change>
std::string damaged(Fixture const& fixture, std::string const& name, Change const& change) {
  std::string bytes = read_file(fixture.model);
  std::size_t const at = bytes.find(name);
  REQUIRE(at != std::string::npos);
  change(bytes, at + name.size());
  return write_file(fixture.directory, "damaged.gguf", bytes).string();
}

}  // namespace

TEST_CASE("a run writes metrics, summary and model") {
  Fixture const fixture;
  Outcome const outcome = run_program(fixture.finetune({"--eval-every", "2", "--save", "both"}));
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);

  std::vector<json> const metrics = fixture.metrics();
  std::vector<std::string> order;
  for (json const& record : metrics) order.push_back(record.at("type"));
  CHECK(order == Words{"evaluation", "step", "step", "evaluation", "step", "step", "evaluation"});
  for (json const& record : metrics) {
    if (record.at("type") != "step") {
      CHECK(record.at("examples") == 3);
      continue;
    }
    double const plus = record.at("loss_plus");
    double const minus = record.at("loss_minus");
    CHECK(record.at("loss").get<double>() == Approx((plus + minus) / 2));
    CHECK(record.at("projected_gradient").get<double>() == Approx((plus - minus) / 2e-3).epsilon(1e-6));
    CHECK(record.at("active_weights").get<std::uint64_t>() > 0);
    CHECK(record.at("seconds").get<double>() >= 0);
    CHECK(record.at("learning_rate").get<double>() > 0);
    CHECK(record.at("skipped").is_null());
  }
  CHECK(metrics[1].at("step") == 1);
  CHECK(metrics.back().at("step") == 4);

  json const summary = fixture.summary();
  CHECK(summary.at("accuracy_before") == metrics.front().at("accuracy"));
  CHECK(summary.at("loss_before") == metrics.front().at("loss"));
  CHECK(summary.at("metric") == "accuracy");
  CHECK(summary.at("metric_before") == summary.at("accuracy_before"));
  CHECK(summary.at("metric_after") == summary.at("accuracy_after"));
  CHECK(summary.at("split").is_null());
  CHECK(summary.at("accuracy_after") == metrics.back().at("accuracy"));
  CHECK(summary.at("loss_after") == metrics.back().at("loss"));
  CHECK(summary.at("interrupted") == false);
  CHECK(summary.at("steps") == 4);
  CHECK(summary.at("train_examples") == 5);
  CHECK(summary.at("evaluation_examples") == 3);
  CHECK(summary.at("weights_bytes") == summary.at("weights").get<std::uint64_t>() * 4);
  CHECK(summary.at("peak_memory_bytes").get<std::uint64_t>() > summary.at("weights_bytes").get<std::uint64_t>());
  CHECK(summary.at("active_share").get<double>() == Approx(0.25).margin(0.02));
  CHECK(summary.at("options").at("method") == "s-mezo");
  CHECK(summary.at("model").at("bytes") == summary.at("weights_bytes"));  // its tensors are F32

  for (char const* name : {"config.json", "tokenizer.json", "model.safetensors", "model.gguf"})
    CHECK(fs::exists(fs::path(fixture.out) / "model" / name));
  std::size_t entries = 0;
  for (fs::directory_entry const& entry : fs::directory_iterator(fixture.out)) entries += entry.exists() ? 1 : 0;
  CHECK(entries == 5);  // nothing temporary is left
}

TEST_CASE("the saved model is the one that was evaluated") {
  Fixture const fixture;
  REQUIRE(run_program(fixture.finetune({"--save", "gguf", "--learning-rate", "1e-2"})).exit_code == 0);
  std::string const output = (fixture.directory.path() / "eval.json").string();
  Outcome const outcome = run_program({"eval", "--model", fixture.out + "/model", "--task", "sst2", "--data",
                                       fixture.data, "--output", output, "--threads", "1"});
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  json const eval = json::parse(read_file(output));
  json const summary = fixture.summary();
  CHECK(eval.at("accuracy") == summary.at("accuracy_after"));
  CHECK(eval.at("loss").get<double>() == Approx(summary.at("loss_after").get<double>()).epsilon(1e-12));
  CHECK(eval.at("loss").get<double>() != Approx(summary.at("loss_before").get<double>()).epsilon(1e-9));
  REQUIRE(eval.at("per_example").size() == 3);
  std::size_t correct = 0;
  for (json const& example : eval.at("per_example")) {
    REQUIRE(example.at("scores").size() == 2);
    bool const great = example.at("scores")[1] > example.at("scores")[0];
    CHECK(example.at("prediction") == (great ? 1 : 0));
    correct += example.at("prediction") == example.at("label") ? 1 : 0;
  }
  CHECK(eval.at("accuracy").get<double>() == Approx(static_cast<double>(correct) / 3));
}

TEST_CASE("a run repeats to the bit with any number of threads, and another seed gives another run") {
  Fixture const fixture;
  auto losses = [&](Words const& more) {
    REQUIRE(run_program(fixture.finetune(more)).exit_code == 0);
    std::vector<double> values;
    for (json const& record : fixture.metrics()) values.push_back(record.at("loss"));
    return values;
  };
  std::vector<double> const first = losses({});
  Words words = fixture.finetune({"--overwrite"});
  words[10] = "2";  // threads
  REQUIRE(run_program(words).exit_code == 0);
  std::vector<double> second;
  for (json const& record : fixture.metrics()) second.push_back(record.at("loss"));
  CHECK(second == first);
  CHECK(losses({"--overwrite", "--seed", "1"}) != first);
}

TEST_CASE("each method and each option of the training runs") {
  Fixture const fixture;
  std::vector<Words> const variants{{"--method", "mezo"},
                                    {"--method", "r-mezo", "--sparsity", "0.5"},
                                    {"--schedule", "cosine", "--warmup-steps", "2"},
                                    {"--schedule", "linear", "--micro-batches", "2", "--samples", "3"},
                                    {"--clip", "0.001", "--weight-decay", "0.1", "--max-tokens", "12"}};
  for (Words const& variant : variants) {
    Words more = variant;
    more.push_back("--overwrite");
    Outcome const outcome = run_program(fixture.finetune(more));
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    std::vector<json> const metrics = fixture.metrics();
    json const summary = fixture.summary();
    if (variant[1] == "mezo") CHECK(summary.at("active_share") == 1.0);
    if (variant[1] == "r-mezo") CHECK(summary.at("active_share").get<double>() == Approx(0.5).margin(0.02));
    if (variant[1] == "cosine") {
      CHECK(metrics[1].at("learning_rate") < metrics[2].at("learning_rate"));
      CHECK(metrics[3].at("learning_rate") > metrics[4].at("learning_rate"));
    }
    if (variant[0] == "--clip") {
      for (json const& record : metrics)
        if (record.at("type") == "step") CHECK(std::abs(record.at("projected_gradient").get<double>()) <= 0.001);
      CHECK(summary.at("examples_truncated").get<int>() > 0);
    }
  }
}

TEST_CASE("each sampler and each estimator runs, with what follows from it where nothing is said") {
  struct Case {
    Words more;
    std::string sampler;
    int samples;
    bool has_base;
  };
  Fixture const fixture;
  std::vector<std::vector<double>> losses;
  for (Case const& c :
       std::vector<Case>{{{}, "gaussian", 1, false},
                         {{"--sampler", "rademacher"}, "rademacher", 1, false},
                         {{"--sampler", "uniform", "--estimator", "central"}, "uniform", 1, false},
                         {{"--estimator", "one-sided", "--samples", "2"}, "gaussian", 2, true},
                         {{"--estimator", "fzoo"}, "rademacher", 8, true},
                         {{"--estimator", "fzoo", "--sampler", "gaussian", "--samples", "3"}, "gaussian", 3, true}}) {
    Words more = c.more;
    more.insert(more.end(), {"--overwrite", "--learning-rate", "1e-5"});
    Outcome const outcome = run_program(fixture.finetune(more));
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    json const options = fixture.summary().at("options");
    CHECK(options.at("sampler") == c.sampler);
    CHECK(options.at("samples") == c.samples);
    losses.emplace_back();
    for (json const& record : fixture.metrics()) {
      if (record.at("type") != "step") continue;
      CHECK(record.at("loss_base").is_null() != c.has_base);
      CHECK(record.at("loss_minus").is_null() == c.has_base);
      losses.back().push_back(record.at("loss"));
    }
    for (std::size_t i = 0; i + 1 < losses.size(); ++i) CHECK(losses[i] != losses.back());
  }
  REQUIRE(run_program(fixture.finetune({"--overwrite", "--estimator", "fzoo", "--learning-rate", "1e-5",
                                        "--samples-per-probe", "8"}))
              .exit_code == 0);
  std::vector<double> at_once;
  for (json const& record : fixture.metrics())
    if (record.at("type") == "step") at_once.push_back(record.at("loss"));
  CHECK(at_once == losses[4]);
}

TEST_CASE("each update runs, and a conservative one skips the steps that would raise the loss") {
  Fixture const fixture;
  struct Case {
    std::string update;
    std::uint64_t bytes_a_weight;
  };
  for (auto const& [update, bytes_a_weight] : std::vector<Case>{
           {"sgd", 0}, {"sign-sgd", 0}, {"conservative-sgd", 0}, {"momentum", 4}, {"adam", 8}, {"adamm", 12}}) {
    Outcome const outcome = run_program(
        fixture.finetune({"--overwrite", "--update", update, "--learning-rate", "1e-3", "--weight-decay", "0.01"}));
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    json const summary = fixture.summary();
    CHECK(summary.at("options").at("update") == update);
    CHECK(summary.at("options").at("beta_2").is_null() != update.starts_with("ada"));
    CHECK(summary.at("optimizer_bytes") == bytes_a_weight * summary.at("weights").get<std::uint64_t>());
    for (json const& record : fixture.metrics())
      if (record.at("type") == "step") CHECK(record.at("loss_base").is_null() == (update != "conservative-sgd"));
  }
  // A step that long never lowers the loss.
  Outcome const outcome =
      run_program(fixture.finetune({"--overwrite", "--update", "conservative-sgd", "--learning-rate", "1e4"}));
  REQUIRE(outcome.exit_code == 0);
  CHECK(fixture.summary().at("skipped_steps").get<int>() > 0);
  for (json const& record : fixture.metrics())
    if (record.at("type") == "step" && !record.at("skipped").is_null()) {
      CHECK(record.at("skipped") == "no lower loss");
      CHECK(record.at("active_weights") == 0);
    }
}

TEST_CASE("momentum over a window keeps nothing, and is that of all updates where the window has them") {
  auto losses = [](Words const& more) {
    Fixture const fixture;
    Words words = fixture.finetune({"--method", "mezo", "--learning-rate", "1e-3", "--beta1", "0.8"});
    words.insert(words.end(), more.begin(), more.end());
    Outcome const outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    json const summary = fixture.summary();
    bool const has_window = summary.at("options").at("update") == "window-momentum";
    CHECK(summary.at("options").at("window").is_null() != has_window);
    if (has_window) CHECK(summary.at("optimizer_bytes") == 0);
    std::vector<double> found;
    for (json const& record : fixture.metrics())
      if (record.at("type") == "evaluation") found.push_back(record.at("loss"));
    return found;
  };
  std::vector<double> const all = losses({"--update", "momentum"});
  std::vector<double> const four = losses({"--update", "window-momentum", "--window", "4"});
  std::vector<double> const two = losses({"--update", "window-momentum", "--window", "2"});
  // The same sum in another order: equal up to f32's rounding.
  CHECK(four.back() == Approx(all.back()).epsilon(1e-5));
  CHECK(losses({"--update", "window-momentum"}) == four);
  CHECK(std::abs(two.back() - all.back()) > 100 * std::abs(four.back() - all.back()));
  // An adapter is f32 whatever the model's type.
  CHECK_FALSE(losses({"--update", "window-momentum", "--lora-rank", "2", "--dtype", "bf16"}).empty());

  Fixture const fixture;
  check_rejected_at_once(
      fixture.finetune({"--update", "window-momentum"}),
      "--update window-momentum: expected a method whose mask does not depend on the weights, mezo or "
      "r-mezo, found s-mezo");
  check_rejected_at_once(fixture.finetune({"--update", "window-momentum", "--method", "mezo", "--dtype", "bf16"}),
                         "--update window-momentum: expected --dtype f32, or an adapter to tune, found bf16");
  check_rejected_at_once(fixture.finetune({"--update", "window-momentum", "--window", "0"}),
                         "--window: expected a whole number from 1");
}

TEST_CASE("an interrupt lets the step end, saves, evaluates and says so") {
  Fixture const fixture;
  Words words = fixture.finetune();
  words.back() = "4000000";  // steps
  auto steps_written = [&] {
    if (!fs::exists(fixture.out + "/metrics.jsonl")) return std::ptrdiff_t{0};
    std::string const text = read_file(fixture.out + "/metrics.jsonl");
    return std::count(text.begin(), text.end(), '\n');
  };
  for (int number : {SIGINT, SIGTERM}) {
    Program program(words);
    while (program.running() && steps_written() < 4) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    program.signal(number);
    Outcome const outcome = program.wait();
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 130);
    json const summary = fixture.summary();
    CHECK(summary.at("interrupted") == true);
    std::vector<json> const metrics = fixture.metrics();
    // The log is that of a run without the interrupt, which would not have evaluated here.
    CHECK(metrics.back().at("type") == "step");
    CHECK(metrics.back().at("step") == summary.at("steps"));
    CHECK(summary.at("loss_after") != summary.at("loss_before"));
    CHECK(fs::exists(fixture.out + "/model/model.safetensors"));
    fs::remove_all(fixture.out);
  }
}

TEST_CASE("an earlier run is kept unless it is to be overwritten") {
  Fixture const fixture;
  REQUIRE(run_program(fixture.finetune()).exit_code == 0);
  std::string const before = read_file(fixture.out + "/summary.json");
  check_rejected_at_once(fixture.finetune(), "expected no earlier run, found " + fixture.out + "/summary.json");
  CHECK(read_file(fixture.out + "/summary.json") == before);
  CHECK(run_program(fixture.finetune({"--overwrite", "--steps", "4"})).exit_code == 2);  // --steps twice
  CHECK(run_program(fixture.finetune({"--overwrite", "--seed", "3"})).exit_code == 0);
  CHECK(fixture.summary().at("options").at("seed") == 3);
}

TEST_CASE("options out of range are rejected before anything is read or written") {
  Fixture fixture;
  fixture.model = "no/such/model.gguf";
  struct Case {
    Words more;
    std::string expected;
  };
  for (Case const& c : std::vector<Case>{
           {{"--epsilon", "0"}, "--epsilon: expected a number above 0, found \"0\""},
           {{"--epsilon", "nan"}, "--epsilon: expected a number above 0, found \"nan\""},
           {{"--epsilon", "1e-3x"}, "--epsilon: expected a number above 0, found \"1e-3x\""},
           {{"--sparsity", "1"}, "--sparsity: expected a number of at least 0 and below 1, found \"1\""},
           {{"--learning-rate", "-1e-6"}, "--learning-rate: expected a number above 0, found \"-1e-6\""},
           {{"--micro-batches", "0"}, "--micro-batches: expected a whole number from 1 to 65536, found \"0\""},
           {{"--micro-batches", "3"}, "--micro-batches: expected a divisor of the batch size, 2, found 3"},
           {{"--warmup-steps", "4"}, "--warmup-steps: expected less than the number of steps, 4, found 4"},
           {{"--seed", "-1"}, "--seed: expected a whole number from 0 to 18446744073709551615, found \"-1\""},
           {{"--method", "adam"}, "--method: expected one of s-mezo, mezo, r-mezo, found \"adam\""},
           {{"--sampler", "normal"}, "--sampler: expected one of gaussian, rademacher, uniform, found \"normal\""},
           {{"--estimator", "spsa"}, "--estimator: expected one of central, one-sided, fzoo, found \"spsa\""},
           {{"--estimator", "fzoo", "--samples", "1"}, "--samples: expected at least 2 with --estimator fzoo, found 1"},
           {{"--update", "lion"},
            "--update: expected one of sgd, sign-sgd, conservative-sgd, momentum, window-momentum, adam, adamm, found "
            "\"lion\""},
           {{"--schedule", "step"}, "--schedule: expected one of constant, linear, cosine, found \"step\""},
           {{"--save", "onnx"}, "--save: expected one of safetensors, gguf, both, found \"onnx\""},
           {{"--no-such-option"}, "--no-such-option"}}) {
    check_rejected_at_once(fixture.finetune(c.more), c.expected);
    CHECK_FALSE(fs::exists(fixture.out));
  }
  check_rejected_at_once({"finetune", "--task", "sst2"}, "expected --model, found none");
  check_rejected_at_once({"inspect", "--model", "a", "--json=b"},
                         "--json: expected true, false or no value, found \"b\"");
  check_rejected_at_once({"inspect", "--model"}, "--model: expected a value, found none");
  check_rejected_at_once({"inspect", "--model", "a", "--model", "b"}, "--model: expected once, found again");
  check_rejected_at_once(fixture.finetune({"--lora-rank", "2", "--lora-targets", "caf\xE9"}),
                         "--lora-targets: expected UTF-8, found \"caf?\"");
  check_rejected_at_once({}, "expected a command, found none");
  check_rejected_at_once({"eval", "--model", "m", "--task", "sst3", "--data", "d", "--output", "o"},
                         "--task: expected one of sst2, rte, wic, copa, multirc, boolq, movie-reviews, text, or a file "
                         "that ends in .json, found \"sst3\"");
}

TEST_CASE("a model file that is missing, truncated, damaged or not a model is rejected by name") {
  Fixture fixture;
  auto check_model = [&](std::string const& model, std::string const& expected) {
    fixture.model = model;
    Outcome const outcome = run_program(fixture.finetune());
    check_rejected(outcome, fixture, expected);
    CHECK_THAT(outcome.error, contains_text(model));
    CHECK_FALSE(fs::exists(fixture.out));
  };
  std::string const good = fixture.model;
  std::string const bytes = read_file(good);

  check_model((fixture.directory.path() / "missing.gguf").string(), "No such file");
  check_model(fixture.data + "/SST-2", "expected a GGUF file, or a folder with model.gguf");
  check_model(write_file(fixture.directory, "text.gguf", "not a model").string(), "GGUF");
  check_model(write_file(fixture.directory, "empty.gguf", "").string(), "");
  check_model(write_file(fixture.directory, "short.gguf", bytes.substr(0, bytes.size() / 2)).string(), "tensor '");
  check_model(write_file(fixture.directory, "header.gguf", bytes.substr(0, 300)).string(), "metadata key");

  fixture.model = good;
  // The value after the key: type (4 bytes), length (8 bytes), text.
  check_model(damaged(fixture, "general.architecture",
                      [](std::string& file, std::size_t at) { file.replace(at + 12, 5, "gemma"); }),
              "'gemma'");
  fixture.model = good;
  // After the name: number of dimensions (4 bytes), columns, rows (8 bytes each), type (4 bytes), offset (8 bytes).
  check_model(damaged(fixture, "blk.0.attn_k.weight",
                      [](std::string& file, std::size_t at) {
                        for (std::size_t i = 0; i < 8; ++i) std::swap(file[at + 4 + i], file[at + 12 + i]);
                      }),
              "tensor 'blk.0.attn_k.weight': expected 18 x 54, found 54 x 18");
  fixture.model = good;
  check_model(damaged(fixture, "blk.1.ffn_up.weight", [](std::string& file, std::size_t at) { file[at + 24 + 5] = 1; }),
              "tensor 'blk.1.ffn_up.weight'");
}

TEST_CASE("a dataset that is missing, empty or holds an unknown label is rejected with file and line") {
  Fixture const fixture;
  write_file(fixture.directory, "SST-2/dev.tsv", "label\tsentence\n1\tgood\nx\tbad\n");
  check_rejected(run_program(fixture.finetune()), fixture,
                 fixture.data + "/SST-2/dev.tsv:3: label: expected 0 or 1, found \"x\"");
  write_file(fixture.directory, "SST-2/dev.tsv", "label\tsentence\n");
  check_rejected(run_program(fixture.finetune()), fixture, "SST-2/dev.tsv: expected at least one example, found none");
  fs::remove(fixture.data + "/SST-2/dev.tsv");
  check_rejected(run_program(fixture.finetune()), fixture, "expected dev.tsv or SST-2/dev.tsv, found neither");
  CHECK_FALSE(fs::exists(fixture.out));
}

TEST_CASE("a full disk is an error that names the file, and leaves nothing half-written") {
  Fixture const fixture;
  // No file may grow beyond this: the metrics fit, the model does not.
  check_rejected(run_program(fixture.finetune(), {.file_bytes = 100'000}), fixture, fixture.out + "/model");
  std::set<std::string> left;
  for (fs::directory_entry const& entry : fs::directory_iterator(fixture.out)) left.insert(entry.path().filename());
  CHECK(left == std::set<std::string>{"journal", "metrics.jsonl", "options.json"});
  // Once there is room, the run continues to its end.
  CHECK(run_program({"finetune", "--resume", fixture.out}).exit_code == 0);
  CHECK(fs::exists(fixture.out + "/model/model.safetensors"));
  fs::remove_all(fixture.out);

  if (!fs::exists("/dev/full")) ZEROTH_SKIP("no /dev/full");
  fs::create_directory(fixture.out);
  fs::create_symlink("/dev/full", fixture.out + "/metrics.jsonl");
  check_rejected(run_program(fixture.finetune()), fixture,
                 fixture.out + "/metrics.jsonl: expected a regular file, found a pipe or a device");
  std::string const input = write_file(fixture.directory, "lines.txt", "a line\n").string();
  check_rejected(run_program({"score", "--model", fixture.model, "--input", input, "--output", "/dev/full"}), fixture,
                 "/dev/full: cannot write: No space left on device");
  CHECK(fs::is_character_file("/dev/full"));
}

TEST_CASE("an output folder that cannot be written to is rejected before the model is read") {
  Fixture fixture;
  fixture.model = "no/such/model.gguf";
  fixture.out = write_file(fixture.directory, "a file", "").string();
  check_rejected_at_once(fixture.finetune(), "--out: ");
}

TEST_CASE("score gives each token's log-probability, and an empty line empty lists") {
  Fixture const fixture;
  std::string const input =
      write_file(fixture.directory, "lines.txt", "The quick miller walks\n\nx\r\n<|endoftext|>\nlast").string();
  std::string const output = (fixture.directory.path() / "scores.jsonl").string();
  Outcome const outcome = run_program({"score", "--model", fixture.model, "--input", input, "--output", output});
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  std::vector<json> const lines = Fixture::lines(output);
  REQUIRE(lines.size() == 5);
  CHECK(lines[1] == json{{"tokens", json::array()}, {"logprobs", json::array()}});
  CHECK(lines[2].at("tokens").size() == 1);
  CHECK(lines[2].at("logprobs") == json::array({nullptr}));
  CHECK(lines[3].at("tokens").size() > 1);  // text that looks like a special token is ordinary text
  for (json const& line : lines) {
    REQUIRE(line.at("tokens").size() == line.at("logprobs").size());
    for (std::size_t i = 0; i < line.at("logprobs").size(); ++i) {
      json const& value = line.at("logprobs")[i];
      CHECK((i == 0 ? value.is_null() : value.is_number() && value < 0));
    }
  }

  // By itself or among others, a line has the same scores to the bit.
  std::string const alone = write_file(fixture.directory, "alone.txt", "last\n").string();
  REQUIRE(run_program({"score", "--model", fixture.model, "--input", alone, "--output", output}).exit_code == 0);
  CHECK(Fixture::lines(output).at(0) == lines[4]);

  check_rejected_at_once({"score", "--model", fixture.model, "--input", input, "--output", input},
                         "found the input itself");
  std::string const late = write_file(fixture.directory, "late.txt", "a\n" + std::string(2000, 'z') + "\n").string();
  check_rejected_at_once({"score", "--model", fixture.model, "--input", late, "--output", output},
                         late + ":2: expected at most 128 tokens");
}

TEST_CASE("score gives the tokens of Hugging Face's tokenizer") {
  Fixture const fixture;
  json const answers = json::parse(read_file(golden("gqa_odd_tied.json")));
  std::string text;
  std::vector<json> expected;
  for (json const& encoding : answers.at("encodings")) {
    std::string const line = encoding.at("text");
    if (line.find_first_of("\r\n") != std::string::npos || encoding.at("tokens").size() > 128) continue;
    text += line + "\n";
    expected.push_back(encoding.at("tokens"));
  }
  REQUIRE(expected.size() > 2);
  std::string const input = write_file(fixture.directory, "lines.txt", text).string();
  std::string const output = (fixture.directory.path() / "scores.jsonl").string();
  REQUIRE(run_program({"score", "--model", fixture.model, "--input", input, "--output", output}).exit_code == 0);
  std::vector<json> const lines = Fixture::lines(output);
  REQUIRE(lines.size() == expected.size());
  for (std::size_t i = 0; i < lines.size(); ++i) CHECK(lines[i].at("tokens") == expected[i]);
}

TEST_CASE("inspect shows architecture, tensors and memory, as text and as JSON") {
  Fixture const fixture;
  Outcome const text = run_program({"inspect", "--model", fixture.model});
  CHECK(text.exit_code == 0);
  CHECK_THAT(text.out, contains_text("llama"));
  CHECK_THAT(text.out, contains_text("blk.1.ffn_down.weight"));
  Outcome const outcome = run_program({"inspect", "--model", fixture.model, "--json"});
  CHECK(outcome.exit_code == 0);
  json const model = json::parse(outcome.out);
  CHECK(model.at("architecture") == "llama");
  CHECK(model.at("files") == 1);
  CHECK(model.at("kv_heads") == 3);
  std::uint64_t parameters = 0;
  for (json const& tensor : model.at("tensors")) {
    std::uint64_t size = 1;
    for (json const& dimension : tensor.at("shape")) size *= dimension.get<std::uint64_t>();
    parameters += size;
    CHECK(tensor.at("dtype") == "F32");
  }
  CHECK(model.at("parameters") == parameters);
  CHECK(model.at("finetuning_memory").at("weights_bytes") == parameters * 4);
  std::uint64_t vectors = 0;  // they stay f32
  for (json const& tensor : model.at("tensors"))
    if (tensor.at("shape").size() == 1) vectors += tensor.at("shape")[0].get<std::uint64_t>();
  CHECK(vectors > 0);
  CHECK(model.at("finetuning_memory").at("weights_bytes_16_bit") == parameters * 2 + vectors * 2);
  check_rejected_at_once({"inspect", "--model", "missing.gguf"}, "missing.gguf");
}

TEST_CASE("tasks lists the built-in tasks, and prints one as a file that is the same task") {
  Outcome const list = run_program({"tasks"});
  CHECK(list.exit_code == 0);
  CHECK(std::count(list.out.begin(), list.out.end(), '\n') == 8);
  CHECK(list.out.starts_with("sst2 "));
  check_rejected_at_once({"tasks", "sst3"}, "tasks: expected one of sst2, ");

  Fixture const fixture;
  Outcome const file = run_program({"tasks", "sst2"});
  CHECK(file.exit_code == 0);
  std::string const task = write_file(fixture.directory, "mine.json", file.out).string();
  auto losses = [&](std::string const& name) {
    std::string const output = (fixture.directory.path() / "eval.json").string();
    Outcome const outcome =
        run_program({"eval", "--model", fixture.model, "--task", name, "--data", fixture.data, "--output", output});
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    return json::parse(read_file(output)).at("per_example");
  };
  CHECK(losses(task) == losses("sst2"));
  write_file(fixture.directory, "mine.json", "{\"format\": \"tsv\", \"files\": {\"held_out\": 3}}");
  check_rejected_at_once(fixture.finetune_on(task), task + ": key 'files.held_out': expected a string, found 3");
}

TEST_CASE("the worked example of docs/tasks.md runs, and is what the page shows") {
  fs::path const root = tests_directory().parent_path();
  fs::path const folder = root / "examples" / "tasks";
  std::string const page = read_file(root / "docs" / "tasks.md");
  for (char const* name : {"tickets.json", "tickets/train.csv", "tickets/held_out.csv"}) {
    INFO(name);
    CHECK_THAT(page, contains_text("\n" + read_file(folder / name) + "```\n"));
  }

  Fixture fixture;
  fixture.data = folder.string();
  Words words = fixture.finetune_on((folder / "tickets.json").string());
  words.back() = "2";  // steps
  Outcome const tuned = run_program(words);
  INFO(tuned.error);
  REQUIRE(tuned.exit_code == 0);
  CHECK(fixture.summary().at("train_examples") == 6);

  std::string const output = (fixture.directory.path() / "eval.json").string();
  Outcome const outcome = run_program({"eval", "--model", fixture.model, "--task", (folder / "tickets.json").string(),
                                       "--data", fixture.data, "--output", output, "--shots", "2"});
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  json const eval = json::parse(read_file(output));
  CHECK(eval.at("candidates") == json{" repairs", " bills", " sales"});
  CHECK(eval.at("shots") == 2);
  std::vector<std::size_t> lines;
  for (json const& example : eval.at("per_example")) {
    CHECK(example.at("scores").size() == 3);
    lines.push_back(example.at("line"));
    CHECK(example.at("label").get<std::size_t>() + 2 == lines.back());
  }
  std::sort(lines.begin(), lines.end());
  CHECK(lines == std::vector<std::size_t>{2, 3, 4});
}

TEST_CASE("plain text is modelled: its loss is that of its tokens, and there is no accuracy") {
  Fixture fixture;
  std::string text;
  for (int i = 0; i < 20; ++i) text += "The quick miller walks " + std::to_string(i) + " miles\n";
  fixture.data = write_file(fixture.directory, "text.txt", text).string();
  Outcome const outcome = run_program(fixture.finetune_on("text"));
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  CHECK(outcome.out.starts_with("loss "));
  json const summary = fixture.summary();
  CHECK(summary.at("accuracy_before").is_null());
  CHECK(summary.at("accuracy_after").is_null());
  CHECK(summary.at("metric") == "loss");
  CHECK(summary.at("metric_after") == summary.at("loss_after"));
  CHECK(summary.at("split") == "2 of the 20 examples of text.txt are held out");
  for (json const& record : fixture.metrics())
    if (record.at("type") == "evaluation") CHECK(record.at("accuracy").is_null());

  // The same lines through `score`: the mean over all of their tokens.
  std::string const output = (fixture.directory.path() / "eval.json").string();
  REQUIRE(run_program({"eval", "--model", fixture.model, "--task", "text", "--data", fixture.data, "--output", output})
              .exit_code == 0);
  json const eval = json::parse(read_file(output));
  std::string const scores = (fixture.directory.path() / "scores.jsonl").string();
  REQUIRE(run_program({"score", "--model", fixture.model, "--input", fixture.data, "--output", scores}).exit_code == 0);
  std::vector<json> const lines = Fixture::lines(scores);
  double sum = 0;
  std::size_t tokens = 0;
  for (json const& example : eval.at("per_example")) {
    json const& line = lines.at(example.at("line").get<std::size_t>() - 1);
    double of_line = 0;
    for (std::size_t i = 1; i < line.at("logprobs").size(); ++i) of_line -= line.at("logprobs")[i].get<double>();
    CHECK(example.at("tokens") == line.at("tokens").size() - 1);
    CHECK(example.at("loss").get<double>() ==
          Approx(of_line / static_cast<double>(line.at("tokens").size() - 1)).epsilon(1e-9));
    sum += of_line;
    tokens += line.at("tokens").size() - 1;
  }
  CHECK(eval.at("loss").get<double>() == Approx(sum / static_cast<double>(tokens)).epsilon(1e-9));
  check_rejected(run_program(fixture.finetune_on("text", {"--shots", "1", "--overwrite"})), Fixture{},
                 "--shots: expected 0 for a text, which has no candidates, found 1");
}

TEST_CASE("shots come before each prompt, change its scores and are not trained on") {
  Fixture const fixture;
  auto eval = [&](Words const& more) {
    std::string const output = (fixture.directory.path() / "eval.json").string();
    Words words{"eval", "--model", fixture.model, "--task", "sst2", "--data", fixture.data, "--output", output};
    words.insert(words.end(), more.begin(), more.end());
    Outcome const outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    return json::parse(read_file(output));
  };
  json const none = eval({});
  json const two = eval({"--shots", "2"});
  CHECK(two.at("loss") != none.at("loss"));
  CHECK(eval({"--shots", "2", "--seed", "5"}).at("loss") != two.at("loss"));
  CHECK(eval({"--shots", "2"}).at("loss") == two.at("loss"));
  CHECK(eval({"--shots", "2", "--max-tokens", "20"}).at("examples_truncated") == 3);
  REQUIRE(run_program(fixture.finetune({"--shots", "2"})).exit_code == 0);
  json const summary = fixture.summary();
  CHECK(summary.at("train_examples") == 3);
  CHECK(summary.at("options").at("shots") == 2);
  CHECK(summary.at("loss_before") == two.at("loss"));
  check_rejected(run_program(fixture.finetune({"--shots", "5", "--overwrite"})), Fixture{},
                 "expected at least one training example that is not held out or shown, found none");
}

TEST_CASE("a task judged by F1, with candidates of its own against a neutral prompt, runs") {
  Fixture fixture;
  std::string const task =
      write_file(fixture.directory, "own.json",
                 R"({"files": {"train": "a.jsonl", "held_out": "a2.jsonl"}, "format": "jsonl", "prompt": "{q} is",
                     "candidates": [" {x}", " {y}"], "label": {"field": "l"}, "metric": {"name": "f1", "positive": 0},
                     "score": {"against": "That is"}})")
          .string();
  std::string rows;
  for (char const* q : {"It", "He", "She", "This"})
    rows += R"({"q": ")" + std::string(q) + R"(", "x": "warm and dry", "y": "odd", "l": )" +
            (std::string(q) == "He" ? "0" : "1") + "}\n";
  write_file(fixture.directory, "a.jsonl", rows);
  write_file(fixture.directory, "a2.jsonl", rows + R"({"q": "All", "x": "a", "y": "b", "l": 0})");
  // All rows but the last are held out, so none remains for training.
  check_rejected(run_program(fixture.finetune_on(task)), fixture,
                 "expected at least one training example that is not held out, found none");
  write_file(fixture.directory, "a.jsonl", rows + R"({"q": "Most", "x": "a", "y": "b", "l": 0})");
  Outcome const outcome = run_program(fixture.finetune_on(task));
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  CHECK(outcome.out.starts_with("f1 "));
  json const summary = fixture.summary();
  CHECK(summary.at("metric") == "f1");

  std::string const output = (fixture.directory.path() / "eval.json").string();
  REQUIRE(run_program({"eval", "--model", fixture.model, "--task", task, "--data", fixture.data, "--output", output,
                       "--threads", "1"})
              .exit_code == 0);
  json const eval = json::parse(read_file(output));
  CHECK(eval.at("candidates").is_null());
  CHECK(eval.at("metric") == "f1");
  CHECK(eval.at("metric_value") == summary.at("metric_before"));
  int both = 0;
  int either = 0;
  for (json const& example : eval.at("per_example")) {
    CHECK(example.at("candidates").size() == 2);
    CHECK(example.at("prediction") == (example.at("scores")[1] > example.at("scores")[0] ? 1 : 0));
    either += (example.at("label") == 0 ? 1 : 0) + (example.at("prediction") == 0 ? 1 : 0);
    both += example.at("label") == 0 && example.at("prediction") == 0 ? 1 : 0;
  }
  CHECK(eval.at("metric_value").get<double>() == Approx(2.0 * both / either));
}

TEST_CASE("help and version are printed on request") {
  Outcome const help = run_program({"finetune", "--help"});
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, contains_text("zeroth finetune"));
  CHECK_THAT(help.out, contains_text("--sparsity"));
  Outcome const version = run_program({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out.starts_with("zeroth "));
}

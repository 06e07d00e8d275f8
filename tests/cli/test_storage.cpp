// SPDX-License-Identifier: MIT
// The program with 16-bit matrices.
#include <algorithm>
#include <cstdint>
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

/// A run's summary.
json finetune(Fixture const& fixture, Words more) {
  more.insert(more.end(), {"--learning-rate", "1e-3", "--overwrite"});
  Outcome const outcome = run_program(fixture.finetune(more));
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  return fixture.summary();
}

/// The loss of a saved model on the held-out examples.
double loss_of(Fixture const& fixture, std::string const& path, std::string const& dtype) {
  std::string const output = (fixture.directory.path() / "eval.json").string();
  Outcome const outcome = run_program({"eval", "--model", path, "--task", "sst2", "--data", fixture.data, "--output",
                                       output, "--threads", "1", "--dtype", dtype});
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  return json::parse(read_file(output)).at("loss");
}

}  // namespace

TEST_CASE("a run in 16 bits says so, takes half the bytes, and saves what was evaluated in the same type") {
  Fixture const fixture;
  json const floats = finetune(fixture, {});
  CHECK(floats.at("options").at("dtype") == "f32");
  CHECK(floats.at("options").at("rounding").is_null());
  CHECK(floats.at("optimizer_bytes") == 0);
  for (std::string dtype : {"bf16", "f16"}) {
    INFO(dtype);
    json const summary = finetune(fixture, {"--dtype", dtype, "--save", "gguf"});
    CHECK(summary.at("options").at("dtype") == dtype);
    CHECK(summary.at("options").at("rounding").is_string());
    std::uint64_t const bytes = summary.at("weights_bytes");
    CHECK(bytes * 100 < floats.at("weights_bytes").get<std::uint64_t>() * 51);
    CHECK(summary.at("loss_after") != summary.at("loss_before"));
    double const loss = summary.at("loss_after");
    CHECK(loss_of(fixture, fixture.out + "/model", dtype) == Approx(loss).epsilon(1e-12));
    // In f32, the saved weights are the same numbers.
    CHECK(loss_of(fixture, fixture.out + "/model", "f32") == Approx(loss).epsilon(1e-12));

    json const inspected = json::parse(run_program({"inspect", "--model", fixture.out + "/model", "--json"}).out);
    for (json const& tensor : inspected.at("tensors")) {
      bool const vector = tensor.at("shape").size() == 1;
      CHECK(tensor.at("dtype") == (vector ? "F32" : dtype == "f16" ? "F16" : "BF16"));
    }
    double const safetensors = finetune(fixture, {"--dtype", dtype}).at("loss_after");
    CHECK(safetensors == loss);
    // Rows of Q and K are in another order there, and so are the sums.
    CHECK(loss_of(fixture, fixture.out + "/model", dtype) == Approx(loss).epsilon(1e-5));
  }
}

TEST_CASE("products in bf16 leave the weights f32 and move losses only by their rounding") {
  Fixture const fixture;
  json const floats = finetune(fixture, {});
  CHECK(floats.at("options").at("compute_dtype").is_null());
  std::vector<std::string> backends{"cpu"};
#ifdef ZEROTH_ONEDNN
  backends.emplace_back("onednn");
#endif
  for (std::string const& backend : backends) {
    INFO(backend);
    json const summary = finetune(fixture, {"--compute-dtype", "bf16", "--backend", backend});
    CHECK(summary.at("options").at("compute_dtype") == "bf16");
    CHECK(summary.at("weights_bytes") == floats.at("weights_bytes"));
    // A difference of two logits of order 10, whose factors are each off by up to 2^-8 of their magnitude in a dozen
    // products; a wrong one would be off by several units.
    double const before = summary.at("loss_before");
    CHECK(before == Approx(floats.at("loss_before").get<double>()).margin(0.3));
    CHECK(before != floats.at("loss_before"));
  }
#ifdef ZEROTH_ONEDNN
  CHECK(finetune(fixture, {"--backend", "onednn"}).at("loss_before").get<double>() ==
        Approx(floats.at("loss_before").get<double>()).epsilon(1e-5));
#endif
  Outcome const rejected =
      run_program({"eval", "--model", fixture.model, "--task", "sst2", "--data", fixture.data, "--output",
                   fixture.out + ".json", "--backend", "eigen", "--compute-dtype", "bf16"});
  CHECK(rejected.exit_code == 2);
  CHECK_THAT(rejected.error, contains_text("--compute-dtype bf16") && contains_text("--backend eigen"));
}

TEST_CASE("each way of rounding runs, says what it holds, and gives another model") {
  Fixture const fixture;
  std::vector<double> losses;
  for (std::string rounding : {"nearest", "stochastic", "compensated", "extra-byte"}) {
    json const summary = finetune(fixture, {"--dtype", "bf16", "--rounding", rounding});
    CHECK(summary.at("options").at("rounding") == rounding);
    CHECK((summary.at("optimizer_bytes") > 0) == (rounding == "compensated" || rounding == "extra-byte"));
    double const loss = summary.at("loss_after");
    CHECK(std::find(losses.begin(), losses.end(), loss) == losses.end());
    losses.push_back(loss);
  }
  Outcome const outcome = run_program({"finetune", "--model", fixture.model, "--task", "sst2", "--data", fixture.data,
                                       "--out", fixture.out, "--rounding", "up"});
  CHECK(outcome.exit_code == 2);
  CHECK_THAT(outcome.error, contains_text("--rounding") && contains_text("extra-byte") && contains_text("\"up\""));
}

TEST_CASE("score and generate run in 16 bits, close to f32 and not the same") {
  Fixture const fixture;
  std::string const input = write_file(fixture.directory, "lines.txt", "The quick miller walks\n").string();
  auto scores = [&](std::string const& dtype) {
    std::string const output = (fixture.directory.path() / "scores.jsonl").string();
    Outcome const outcome = run_program(
        {"score", "--model", fixture.model, "--input", input, "--output", output, "--dtype", dtype, "--threads", "1"});
    REQUIRE(outcome.exit_code == 0);
    json const line = json::parse(read_file(output));
    return std::vector<double>(line.at("logprobs").begin() + 1, line.at("logprobs").end());
  };
  std::vector<double> const floats = scores("f32");
  for (std::string dtype : {"bf16", "f16"}) {
    std::vector<double> const found = scores(dtype);
    CHECK(found != floats);
    // Weights are off by 2^-9 at most; scores of this model by less than a tenth.
    for (std::size_t i = 0; i < floats.size(); ++i) CHECK(found[i] == Approx(floats[i]).margin(0.1));
    Outcome const text = run_program(
        {"generate", "--model", fixture.model, "--prompt", "The", "--max-new-tokens", "5", "--dtype", dtype});
    INFO(text.error);
    CHECK(text.exit_code == 0);
  }
  Outcome const outcome = run_program({"score", "--model", fixture.model, "--input", input, "--output",
                                       (fixture.directory.path() / "x.jsonl").string(), "--dtype", "f64"});
  CHECK(outcome.exit_code == 2);
  CHECK_THAT(outcome.error, contains_text("--dtype") && contains_text("f32, bf16, f16"));
}

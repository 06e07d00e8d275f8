// SPDX-License-Identifier: MIT
// What is tuned beside weights that stay in their file, as a user of the program meets it.
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include <zeroth_model/io/gguf/gguf.hpp>

#include "catch.hpp"
#include "run_fixture.hpp"

using nlohmann::json;
using namespace zeroth_test;

namespace {

namespace fs = std::filesystem;

/// A run on a model whose matrices are of Q8_0, Q4_0 and Q4_1.
struct QuantizedFixture : Fixture {
  QuantizedFixture() { model = golden("quantized.gguf"); }

  [[nodiscard]] double loss(std::string const& of, Words const& more = {}) const {
    std::string const output = (directory.path() / "eval.json").string();
    Words words{"eval", "--model", of, "--task", "sst2", "--data", data, "--output", output, "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    Outcome const outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    return json::parse(read_file(output)).at("loss");
  }

  void run(Words const& more) const {
    Outcome const outcome = run_program(finetune(more));
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
  }

  void replay(std::string const& output, Words const& more = {}) const {
    Words words{"replay", "--model", model, "--journal", out + "/journal", "--output", output, "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    Outcome const outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
  }
};

}  // namespace

TEST_CASE("weights that are only read stay in their file, with the bits of decoded ones") {
  QuantizedFixture const fixture;
  CHECK(fixture.loss(fixture.model) == fixture.loss(fixture.model, {"--no-mmap"}));
  fixture.run({"--lora-rank", "3", "--learning-rate", "1e-2"});
  json const mapped = fixture.summary();
  std::string const journal = read_file(fixture.out + "/journal");
  std::string const adapter = read_file(fixture.out + "/adapter/adapter_model.safetensors");
  fixture.run({"--lora-rank", "3", "--learning-rate", "1e-2", "--no-mmap", "--overwrite"});
  json const decoded = fixture.summary();
  CHECK((read_file(fixture.out + "/journal") == journal));
  CHECK((read_file(fixture.out + "/adapter/adapter_model.safetensors") == adapter));
  CHECK(mapped.at("loss_after") == decoded.at("loss_after"));
  CHECK(mapped.at("weights") == decoded.at("weights"));
  CHECK(mapped.at("weights_bytes").get<double>() < 0.4 * decoded.at("weights_bytes").get<double>());
  CHECK(decoded.at("options").at("no_mmap") == true);

  // A merged model has the decoded weights.
  fixture.run({"--lora-rank", "3", "--learning-rate", "1e-2", "--save", "safetensors", "--overwrite"});
  CHECK(fixture.loss(fixture.out + "/model") == Approx(fixture.summary().at("loss_after").get<double>()).margin(1e-5));
}

TEST_CASE("tuned scales give a file of the same size and types") {
  QuantizedFixture const fixture;
  fixture.run({"--tune-scales", "--learning-rate", "1e-5"});
  json const summary = fixture.summary();
  CHECK(summary.at("options").at("epsilon") == 1e-4);
  CHECK(summary.at("loss_after") != summary.at("loss_before"));
  CHECK(summary.at("tuned_weights") == summary.at("adapter_bytes").get<std::uint64_t>() / 4);
  std::string const tuned = fixture.out + "/model/model.gguf";
  CHECK(fs::file_size(tuned) == fs::file_size(fixture.model));
  CHECK(fixture.loss(tuned) == Approx(summary.at("loss_after").get<double>()).margin(1e-3));
  CHECK(fixture.loss(tuned) != fixture.loss(fixture.model));

  // Nothing but scales differs.
  zeroth::model::GgufFile const before(fixture.model);
  zeroth::model::GgufFile const after(tuned);
  REQUIRE(before.tensors().size() == after.tensors().size());
  for (std::size_t i = 0; i < before.tensors().size(); ++i) {
    auto const& tensor = before.tensors()[i];
    CHECK(after.tensors()[i].type == tensor.type);
    auto const traits = *zeroth::model::find_tensor_type(tensor.type);
    std::span<std::byte const> const one = before.bytes(tensor);
    std::span<std::byte const> const other = after.bytes(after.tensors()[i]);
    bool same = true;
    for (std::size_t k = 0; k < one.size(); ++k) {
      bool const is_scale = traits.is_quantized() && k % traits.block_bytes - traits.scale_at < 2;
      same = same && (is_scale || one[k] == other[k]);
    }
    CHECK(same);
  }

  std::string const replayed = (fixture.directory.path() / "replayed").string();
  fixture.replay(replayed, {"--save", "gguf"});
  CHECK((read_file(replayed + "/model.gguf") == read_file(tuned)));
  fixture.replay(replayed, {"--save", "safetensors", "--overwrite"});
  CHECK(fixture.loss(replayed) == Approx(summary.at("loss_after").get<double>()).margin(1e-6));
}

TEST_CASE("a delta tunes a share of each matrix's weights, and is saved with the model") {
  QuantizedFixture const fixture;
  for (std::string const choice : {"smallest", "largest", "random"}) {
    fixture.run(
        {"--delta", "0.05", "--delta-choice", choice, "--method", "mezo", "--learning-rate", "1e-2", "--overwrite"});
    json const summary = fixture.summary();
    CHECK(summary.at("options").at("delta") == 0.05);
    CHECK(summary.at("options").at("delta_choice") == choice);
    CHECK(summary.at("options").at("epsilon") == 1e-3);
    CHECK(summary.at("active_share") == 1);
    // Matrices of linear layers: 2 x (2 x 64 x 64 + 2 x 64 x 32 + 3 x 64 x 96).
    CHECK(summary.at("tuned_weights").get<double>() == Approx(0.05 * 61440).margin(14));
    CHECK(summary.at("loss_after") != summary.at("loss_before"));
    // In another order of rows, sums round otherwise.
    CHECK(fixture.loss(fixture.out + "/model") == Approx(summary.at("loss_after").get<double>()).margin(1e-5));
    std::string const replayed = (fixture.directory.path() / "replayed").string();
    fixture.replay(replayed, {"--overwrite"});
    CHECK((read_file(replayed + "/model.safetensors") == read_file(fixture.out + "/model/model.safetensors")));
  }
}

TEST_CASE("runs of deltas and scales are resumed to the bit") {
  QuantizedFixture const fixture;
  for (Words const& how : {Words{"--delta", "0.1", "--method", "mezo", "--learning-rate", "1e-2"},
                           Words{"--tune-scales", "--learning-rate", "1e-5"}}) {
    Words words = how;
    words.push_back("--overwrite");
    fixture.run(words);
    std::string const journal = read_file(fixture.out + "/journal");
    double const loss = fixture.summary().at("loss_after");
    // As if it had been killed after its third step.
    write_file(fixture.directory, "out/journal", journal.substr(0, journal.size() - 40));
    fs::remove(fixture.out + "/summary.json");
    fs::remove_all(fixture.out + "/model");
    Outcome const outcome = run_program({"finetune", "--resume", fixture.out});
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK((read_file(fixture.out + "/journal") == journal));
    CHECK(fixture.summary().at("loss_after") == loss);
  }
}

TEST_CASE("options of what is tuned that do not go together are rejected by name") {
  QuantizedFixture const fixture;
  check_rejected_at_once(fixture.finetune({"--delta", "0.1"}), "--delta: expected --method mezo or r-mezo");
  check_rejected_at_once(fixture.finetune({"--delta", "0"}), "--delta: expected a number above 0 and at most 1");
  check_rejected_at_once(fixture.finetune({"--delta", "0.1", "--method", "mezo", "--lora-rank", "2"}),
                         "--delta: expected no adapter with it");
  check_rejected_at_once(fixture.finetune({"--tune-scales", "--lora-rank", "2"}),
                         "--tune-scales: expected no adapter with it");
  check_rejected_at_once(fixture.finetune({"--tune-scales", "--delta", "0.1", "--method", "mezo"}),
                         "--tune-scales: expected no --delta with it");
  check_rejected_at_once(fixture.finetune({"--tune-scales", "--no-mmap"}), "--tune-scales: expected no --no-mmap");
  check_rejected_at_once(fixture.finetune({"--tune-scales", "--dtype", "bf16"}), "--tune-scales: expected --dtype f32");
  Fixture const floats;
  check_rejected(run_program(floats.finetune({"--tune-scales"})), floats,
                 "--tune-scales: expected a model with quantised weights, found none in " + floats.model);
}

TEST_CASE("export writes quantised files that score as the model, within their rounding") {
  QuantizedFixture const fixture;
  std::string const output = (fixture.directory.path() / "exported.gguf").string();
  double const loss = fixture.loss(fixture.model);
  std::uintmax_t bytes = fs::file_size(fixture.model) * 8;
  for (std::string const dtype : {"f16", "q8_0", "q4_0"}) {
    Outcome const outcome = run_program(
        {"export", "--model", fixture.model, "--to", "gguf", "--dtype", dtype, "--output", output, "--overwrite"});
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK(fs::file_size(output) < bytes);
    bytes = fs::file_size(output);
    CHECK(fixture.loss(output) == Approx(loss).margin(dtype == "q4_0" ? 0.5 : 0.02));
  }
  check_rejected_at_once({"export", "--model", fixture.model, "--dtype", "q8_0", "--output", output},
                         "--dtype q8_0: expected --to gguf with it");
  Fixture const odd;
  Outcome const refused = run_program({"export", "--model", odd.model, "--to", "gguf", "--dtype", "q8_0", "--output",
                                       (odd.directory.path() / "odd.gguf").string()});
  CHECK(refused.exit_code == 2);
  CHECK_THAT(refused.error, contains_text("token_embd.weight") && contains_text("multiple of 32 values"));
}

TEST_CASE("export --to gguf-lora writes the adapter as llama.cpp reads it") {
  QuantizedFixture const fixture;
  fixture.run({"--lora-rank", "3", "--lora-alpha", "4.5", "--learning-rate", "1e-2"});
  std::string const output = (fixture.directory.path() / "adapter.gguf").string();
  Outcome const outcome = run_program({"export", "--model", fixture.model, "--adapter", fixture.out + "/adapter",
                                       "--to", "gguf-lora", "--output", output});
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  zeroth::model::GgufFile const file(output);
  CHECK(file.get<std::string_view>("general.type") == "adapter");
  CHECK(file.get<std::string_view>("general.architecture") == "llama");
  CHECK(file.get<std::string_view>("adapter.type") == "lora");
  CHECK(file.get<float>("adapter.lora.alpha") == 4.5F);
  REQUIRE(file.tensors().size() == 8);
  CHECK(file.tensor("blk.1.attn_q.weight.lora_a").dims == std::vector<std::uint64_t>{64, 3});
  CHECK(file.tensor("blk.1.attn_v.weight.lora_b").dims == std::vector<std::uint64_t>{3, 32});
  check_rejected_at_once({"export", "--model", fixture.model, "--to", "gguf-lora", "--output", output},
                         "--to gguf-lora: expected --adapter with it");
}

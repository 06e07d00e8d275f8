// SPDX-License-Identifier: MIT
// Adapters, as a user of the program meets them.
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "run_fixture.hpp"

using nlohmann::json;
using namespace zeroth_test;

namespace {

namespace fs = std::filesystem;

json read_json(fs::path const& path) {
  return json::parse(read_file(path));
}

/// The results of `score` for a text, with more options.
std::vector<json> scores_of(Fixture const& fixture, Words const& more) {
  std::string const input =
      write_file(fixture.directory, "lines.txt", "The quick miller walks along the river\nIt was great").string();
  std::string const output = (fixture.directory.path() / "scores.jsonl").string();
  Words words{"score", "--input", input, "--output", output, "--threads", "1"};
  words.insert(words.end(), more.begin(), more.end());
  Outcome const outcome = run_program(words);
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  return Fixture::lines(output);
}

void check_close(std::vector<json> const& found, std::vector<json> const& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t line = 0; line < found.size(); ++line)
    for (std::size_t i = 1; i < found[line].at("logprobs").size(); ++i)
      CHECK(found[line].at("logprobs")[i].get<double>() ==
            Approx(expected[line].at("logprobs")[i].get<double>()).margin(1e-4));
}

}  // namespace

TEST_CASE("a run with --lora-rank tunes and saves only an adapter") {
  Fixture const fixture;
  for (std::string method : {"s-mezo", "mezo", "r-mezo"}) {
    Outcome const outcome = run_program(
        fixture.finetune({"--lora-rank", "3", "--lora-alpha", "4.5", "--lora-targets", "*.attn_q.weight,blk.1.ffn_*",
                          "--method", method, "--learning-rate", "1e-2", "--overwrite"}));
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    // Layer 1: 3 (54 + 54), 2 x 3 (54 + 88), 3 (88 + 54); layer 0: 3 (54 + 54).
    CHECK_THAT(outcome.error, contains_text("rank 3 and alpha 4.5 on 5 matrices: 1926 weights, 7.7 kB"));
    CHECK_THAT(outcome.error, contains_text("saved in " + fixture.out + "/adapter"));
    json const summary = fixture.summary();
    CHECK(summary.at("weights") == 59292);
    CHECK(summary.at("tuned_weights") == 1926);
    CHECK(summary.at("adapter_bytes") == 1926 * 4);
    CHECK(summary.at("options").at("lora_rank") == 3);
    CHECK(summary.at("options").at("lora_alpha") == 4.5);
    CHECK(summary.at("options").at("lora_targets") == json{"*.attn_q.weight", "blk.1.ffn_*"});
    CHECK(summary.at("options").at("save").is_null());
    CHECK(summary.at("options").at("adapter").is_null());
    CHECK(summary.at("loss_after") != summary.at("loss_before"));
    double const share = summary.at("active_share");
    if (method == "mezo") CHECK(share == 1);
    if (method == "r-mezo") CHECK(share == Approx(0.25).margin(0.05));
    // All of each B and a quarter of each A, minus weights that a step has carried past their threshold.
    if (method == "s-mezo") CHECK(share == Approx((978 + 948 / 4.0) / 1926).margin(0.05));
    CHECK_FALSE(fs::exists(fixture.out + "/model"));
    json const config = read_json(fixture.out + "/adapter/adapter_config.json");
    CHECK(config.at("peft_type") == "LORA");
    CHECK(config.at("r") == 3);
    CHECK(config.at("lora_alpha") == 4.5);
    CHECK(config.at("target_modules") ==
          json{"q_proj", "model.layers.1.mlp.gate_proj", "model.layers.1.mlp.up_proj", "model.layers.1.mlp.down_proj"});
    CHECK(config.at("base_model_name_or_path").is_null());
  }
}

TEST_CASE("eval, score and finetune with --adapter see what the run had tuned") {
  Fixture const fixture;
  REQUIRE(
      run_program(fixture.finetune({"--lora-rank", "4", "--method", "mezo", "--learning-rate", "1e-2"})).exit_code ==
      0);
  json const first = fixture.summary();
  std::string const adapter = fixture.out + "/adapter";
  std::string const output = (fixture.directory.path() / "eval.json").string();
  Outcome const eval = run_program({"eval", "--model", fixture.model, "--adapter", adapter, "--task", "sst2", "--data",
                                    fixture.data, "--output", output, "--threads", "1"});
  INFO(eval.error);
  REQUIRE(eval.exit_code == 0);
  json const result = read_json(output);
  CHECK(result.at("adapter") == adapter);
  CHECK(result.at("loss") == first.at("loss_after"));
  CHECK(scores_of(fixture, {"--model", fixture.model, "--adapter", adapter}) !=
        scores_of(fixture, {"--model", fixture.model}));
  check_close(scores_of(fixture, {"--model", fixture.model, "--adapter", adapter, "--backend", "eigen"}),
              scores_of(fixture, {"--model", fixture.model, "--adapter", adapter}));

  // A run that resumes. Not in the same folder, where it would replace its own input.
  std::string const moved = (fixture.directory.path() / "moved").string();
  Words const words = fixture.finetune({"--adapter", adapter, "--overwrite", "--learning-rate", "1e-2"});
  check_rejected_at_once(words, "--adapter: " + adapter + ": expected one that the run does not overwrite, found " +
                                    fixture.out + "/adapter");
  CHECK(fixture.summary() == first);
  fs::rename(adapter, moved);
  Outcome const more = run_program(fixture.finetune({"--adapter", moved, "--overwrite", "--learning-rate", "1e-2"}));
  INFO(more.error);
  REQUIRE(more.exit_code == 0);
  json const second = fixture.summary();
  CHECK(second.at("loss_before") == first.at("loss_after"));
  CHECK(second.at("loss_after") != second.at("loss_before"));
  CHECK(second.at("options").at("adapter") == moved);
  CHECK(second.at("options").at("lora_rank") == 4);
  CHECK(second.at("options").at("lora_targets").is_null());
  CHECK(second.at("tuned_weights") == first.at("tuned_weights"));
}

TEST_CASE("a merged model scores as the adapter does, from finetune --save and from export") {
  Fixture const fixture;
  REQUIRE(run_program(
              fixture.finetune({"--lora-rank", "4", "--method", "mezo", "--learning-rate", "1e-2", "--save", "both"}))
              .exit_code == 0);
  std::string const adapter = fixture.out + "/adapter";
  auto const expected = scores_of(fixture, {"--model", fixture.model, "--adapter", adapter});
  check_close(scores_of(fixture, {"--model", fixture.out + "/model/model.gguf"}), expected);
  std::string const merged = (fixture.directory.path() / "merged").string();
  Outcome const exported = run_program({"export", "--model", fixture.model, "--adapter", adapter, "--output", merged});
  INFO(exported.error);
  REQUIRE(exported.exit_code == 0);
  check_close(scores_of(fixture, {"--model", merged}), expected);
  // To the bit the model that finetune merged.
  CHECK(read_file(merged + "/model.safetensors") == read_file(fixture.out + "/model/model.safetensors"));

  // The adapter of a GGUF file on the same model in Hugging Face's order of rows.
  std::string const folder = (fixture.directory.path() / "folder").string();
  REQUIRE(run_program({"export", "--model", fixture.model, "--output", folder}).exit_code == 0);
  check_close(scores_of(fixture, {"--model", folder, "--adapter", adapter}), expected);
  std::string const moved = (fixture.directory.path() / "moved").string();
  fs::rename(adapter, moved);
  Outcome const again = run_program(fixture.finetune({"--adapter", moved, "--overwrite"}));
  REQUIRE(again.exit_code == 0);
  CHECK_FALSE(fs::exists(fixture.out + "/model"));  // it would be the earlier run's, not this one's
  REQUIRE(run_program(fixture.finetune({"--overwrite"})).exit_code == 0);
  CHECK_FALSE(fs::exists(fixture.out + "/adapter"));
}

TEST_CASE("generate uses an adapter, and a saved adapter names its base") {
  Fixture fixture;
  std::string const folder = (fixture.directory.path() / "folder").string();
  REQUIRE(run_program({"export", "--model", fixture.model, "--output", folder}).exit_code == 0);
  fixture.model = folder;
  REQUIRE(
      run_program(fixture.finetune({"--lora-rank", "2", "--lora-targets", "*", "--learning-rate", "0.1"})).exit_code ==
      0);
  std::string const adapter = fixture.out + "/adapter";
  CHECK(read_json(adapter + "/adapter_config.json").at("base_model_name_or_path") == folder);
  std::string const merged = (fixture.directory.path() / "merged").string();
  REQUIRE(run_program({"export", "--model", folder, "--adapter", adapter, "--output", merged}).exit_code == 0);
  auto text = [](Words words) {
    words.insert(words.end(), {"--prompt", "The quick", "--max-new-tokens", "20", "--threads", "1"});
    Outcome const outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    return outcome.out;
  };
  CHECK(text({"generate", "--model", folder, "--adapter", adapter}) == text({"generate", "--model", merged}));
  CHECK(text({"generate", "--model", folder, "--adapter", adapter}) != text({"generate", "--model", folder}));
}

TEST_CASE("options of adapters that do not fit and adapters that do not load are rejected") {
  Fixture fixture;
  check_rejected_at_once(fixture.finetune({"--lora-alpha", "2"}), "--lora-alpha: expected --lora-rank with it");
  check_rejected_at_once(fixture.finetune({"--lora-targets", "*"}), "--lora-targets: expected --lora-rank with it");
  check_rejected_at_once(fixture.finetune({"--lora-rank", "2", "--adapter", "x"}),
                         "--adapter: expected no --lora-rank with it");
  check_rejected_at_once(fixture.finetune({"--lora-rank", "0"}),
                         "--lora-rank: expected a whole number from 1 to 65536");
  check_rejected_at_once(fixture.finetune({"--lora-rank", "2", "--lora-alpha", "0"}),
                         "--lora-alpha: expected a number above 0, found \"0\"");
  check_rejected_at_once(fixture.finetune({"--lora-rank", "2", "--lora-targets", "*.attn_q.weight,q_proj"}),
                         "--lora-targets: lora target 'q_proj': expected a glob that matches a matrix");
  CHECK_FALSE(fs::exists(fixture.out));

  std::string const other = (tests_directory() / "golden" / "peft" / "opt").string();
  for (char const* command : {"finetune", "eval", "score", "generate", "export"}) {
    Words words{command, "--model", fixture.model, "--adapter", other};
    if (words[0] == "finetune" || words[0] == "eval")
      words.insert(words.end(), {"--task", "sst2", "--data", fixture.data});
    if (words[0] == "finetune") words.insert(words.end(), {"--out", fixture.out});
    if (words[0] == "score") words.insert(words.end(), {"--input", fixture.data + "/SST-2/dev.tsv"});
    if (words[0] == "generate") words.insert(words.end(), {"--prompt", "a"});
    if (words[0] == "eval" || words[0] == "score" || words[0] == "export")
      words.insert(words.end(), {"--output", (fixture.directory.path() / "output").string()});
    check_rejected_at_once(words,
                           other + "/adapter_model.safetensors: tensor 'base_model.model.model.decoder.layers.0.");
  }
  CHECK_FALSE(fs::exists(fixture.out));
  check_rejected_at_once(fixture.finetune({"--adapter", "no/such"}), "no/such/adapter_config.json: cannot open");

  // A finished run is kept.
  REQUIRE(run_program(fixture.finetune({"--lora-rank", "2"})).exit_code == 0);
  fs::remove(fixture.out + "/summary.json");
  check_rejected_at_once(fixture.finetune({"--lora-rank", "2"}),
                         "expected no earlier run, found " + fixture.out + "/adapter");
}

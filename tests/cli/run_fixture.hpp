// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "files.hpp"
#include "paths.hpp"
#include "program.hpp"

namespace zeroth_test {

using Words = std::vector<std::string>;

/// A file of tests/golden.
inline std::string golden(std::string const& name) {
  return (tests_directory() / "golden" / name).string();
}

/// A small sst2 in a folder of its own, and where to put results.
struct Fixture {
  TemporaryDirectory directory;
  std::string model = golden("gqa_odd_tied.gguf");
  std::string data = directory.path().string();
  std::string out = (directory.path() / "out").string();

  Fixture() {
    write_file(directory, "SST-2/train.tsv",
               "label\tsentence\n1\ta fine film\n0\tdull and slow\n1\twarm and funny\n0\ta mess\n1\tgrand\n");
    write_file(directory, "SST-2/dev.tsv", "label\tsentence\n1\tgood\n0\tbad\n0\tweak and long\n");
  }

  [[nodiscard]] Words finetune(Words const& more = {}) const { return finetune_on("sst2", more); }
  [[nodiscard]] Words finetune_on(std::string const& task, Words const& more = {}) const {
    Words words{"finetune", "--model",   model, "--task",       task, "--data",  data, "--out",
                out,        "--threads", "1",   "--batch-size", "2",  "--steps", "4"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  [[nodiscard]] nlohmann::json summary() const { return nlohmann::json::parse(read_file(out + "/summary.json")); }
  [[nodiscard]] std::vector<nlohmann::json> metrics() const { return lines(out + "/metrics.jsonl"); }

  static std::vector<nlohmann::json> lines(std::string const& path) {
    std::vector<nlohmann::json> records;
    std::string const text = read_file(path);
    for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      records.push_back(nlohmann::json::parse(text.substr(begin, end - begin)));
    return records;
  }
};

/// Exit code 2, one line on stderr that begins as every error does, and nothing under a final name.
inline void check_rejected(Outcome const& outcome, Fixture const& fixture, std::string const& expected) {
  INFO(outcome.error);
  CHECK(outcome.exit_code == 2);
  std::size_t const error = outcome.error.find("zeroth: error: ");
  REQUIRE(error != std::string::npos);
  CHECK(outcome.error.find('\n', error) == outcome.error.size() - 1);
  CHECK_THAT(outcome.error.substr(error), contains_text(expected));
  CHECK_FALSE(std::filesystem::exists(fixture.out + "/summary.json"));
  CHECK_FALSE(std::filesystem::exists(fixture.out + "/model"));
}

/// The error of a program that rejects its arguments first: the line is all it prints.
inline void check_rejected_at_once(Words const& arguments, std::string const& expected) {
  Outcome const outcome = run_program(arguments);
  INFO(outcome.error);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.error.starts_with("zeroth: error: "));
  CHECK(outcome.error.find('\n') == outcome.error.size() - 1);
  CHECK_THAT(outcome.error, contains_text(expected));
}

}  // namespace zeroth_test

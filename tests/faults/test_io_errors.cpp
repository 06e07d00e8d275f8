// SPDX-License-Identifier: MIT
// Every call of a short run, a resume, a replay and an export on its files fails once, or from then on, in every
// possible way: the program reports it on one line or does without, nothing incomplete has a final name, and the next
// attempt ends with the bits of an undisturbed one. In the manner of SQLite's tests of I/O errors.
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "catch.hpp"
#include "run_tree.hpp"
#include "traced_program.hpp"

using namespace zeroth_test;
namespace fs = std::filesystem;

namespace {

/// What happens to a call, and whether it also happens to later calls of its kind.
struct Fault {
  std::string name;
  Verdict verdict;
  bool stays = false;
};

std::vector<Fault> faults_of(std::string_view call) {
  auto once = [](std::string name, int error) { return Fault{std::move(name), {.error = error}, false}; };
  auto stays = [](std::string name, int error) { return Fault{name + " from then on", {.error = error}, true}; };
  Fault const half{"half of it", {.is_short = true}, false};
  Fault const halves{"half of it from then on", {.is_short = true}, true};
  if (call == "open")
    return {once("EMFILE", EMFILE), stays("EMFILE", EMFILE), once("EIO", EIO),
            once("EINTR", EINTR),   once("ENOSPC", ENOSPC),  stays("ENOSPC", ENOSPC)};
  if (call == "read") return {once("EIO", EIO), stays("EIO", EIO), once("EINTR", EINTR), half, halves};
  if (call == "write")
    return {once("ENOSPC", ENOSPC),
            stays("ENOSPC", ENOSPC),
            once("EIO", EIO),
            stays("EIO", EIO),
            once("EINTR", EINTR),
            half,
            halves};
  if (call == "fsync") return {once("EIO", EIO), stays("EIO", EIO), once("ENOSPC", ENOSPC), once("EINTR", EINTR)};
  if (call == "mmap") return {once("ENOMEM", ENOMEM), stays("ENOMEM", ENOMEM), once("ENODEV", ENODEV)};
  if (call == "flock") return {once("EINTR", EINTR), once("ENOLCK", ENOLCK), stays("ENOLCK", ENOLCK)};
  if (call == "truncate") return {once("EIO", EIO), stays("EIO", EIO), once("EINTR", EINTR)};
  if (call == "unlink") return {once("EIO", EIO), stays("EIO", EIO)};
  return {once("ENOSPC", ENOSPC), stays("ENOSPC", ENOSPC), once("EIO", EIO)};  // mkdir, rename, link
}

/// A command, its starting point, and the command that completes it after a failure.
struct Scenario {
  std::string name;
  Words command;
  Words again;    ///< the same work, after a failure
  Words resumed;  ///< the same after a failure that left options.json; empty: `again`
  std::string result;
};

/// A folder with a model, data, and the starting point of a scenario.
struct Workshop {
  TemporaryDirectory directory;
  fs::path root = directory.path() / "w";
  Tree start;

  Workshop() {
    Fixture const fixture;
    fs::create_directories(root / "SST-2");
    fs::copy_file(fixture.model, root / "model.gguf");
    for (char const* name : {"SST-2/train.tsv", "SST-2/dev.tsv"}) fs::copy_file(fixture.data + "/" + name, root / name);
    start = read_tree(root);
  }

  [[nodiscard]] std::string path(std::string const& name) const { return (root / name).string(); }

  [[nodiscard]] Words finetune() const {
    return {"finetune",
            "--model",
            path("model.gguf"),
            "--task",
            "sst2",
            "--data",
            root.string(),
            "--out",
            path("out"),
            "--threads",
            "1",
            "--batch-size",
            "2",
            "--steps",
            "6",
            "--eval-every",
            "3",
            "--learning-rate",
            "1e-3",
            "--save",
            "both"};
  }

  /// Runs the command from its starting point without a fault.
  Outcome undisturbed(Words const& words) const {
    Outcome outcome = run_program(words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    return outcome;
  }

  /// Has a run killed once it has written its fourth step, and uses that as the starting point.
  void start_from_killed_run() {
    write_tree(start, root);
    std::size_t records = 0;
    Outcome const outcome = run_traced(finetune(), root, [&](FileCall const& call) {
      bool const is_record = call.name == "write" && call.path.ends_with("/journal");
      return Verdict{.kills = is_record && ++records == 7};  // header, evaluation, three steps, evaluation
    });
    REQUIRE(outcome.exit_code == -1);
    start = read_tree(root);
  }

  void start_from_finished_run() {
    write_tree(start, root);
    (void)undisturbed(finetune());
    start = read_tree(root);
  }
};

/// Only one of every `stride` faults is tried; $ZEROTH_FAULTS=all tries each.
std::size_t stride() {
  char const* const wanted = std::getenv("ZEROTH_FAULTS");
  return wanted != nullptr && std::string(wanted) == "all" ? 1 : 7;
}

struct Counts {
  std::size_t calls = 0, tried = 0, without = 0, rejected = 0;
};

/// Error lines of the program that are not what docs/cli.md promises; empty if there are none.
std::string complaint(Outcome const& outcome) {
  std::size_t const error = outcome.error.find("zeroth: error: ");
  if (error == std::string::npos) return "no line of error";
  if (outcome.error.find('\n', error) != outcome.error.size() - 1) return "more than one line of error";
  for (char const* bare : {"[json.exception", "filesystem error", "basic_ios", "terminate called", "std::"})
    if (outcome.error.find(bare) != std::string::npos) return std::string("a library's own words: ") + bare;
  return "";
}

Counts try_faults(Workshop const& shop, Scenario const& scenario) {
  write_tree(shop.start, shop.root);
  (void)shop.undisturbed(scenario.command);
  Tree const expected = comparable(read_tree(shop.path(scenario.result)));
  REQUIRE_FALSE(expected.empty());

  // The calls of an undisturbed run.
  std::vector<std::string> calls;
  write_tree(shop.start, shop.root);
  REQUIRE(run_traced(scenario.command, shop.root, [&](FileCall const& call) {
            calls.emplace_back(call.name);
            return Verdict{};
          }).exit_code == 0);

  Counts counts{.calls = calls.size()};
  std::size_t number = 0;
  for (std::size_t n = 0; n < calls.size(); ++n) {
    for (Fault const& fault : faults_of(calls[n])) {
      if (number++ % stride() != 0) continue;
      ++counts.tried;
      write_tree(shop.start, shop.root);
      std::size_t at = 0;
      std::string call_text;
      Outcome const outcome = run_traced(scenario.command, shop.root, [&](FileCall const& call) {
        std::size_t const i = at++;
        if (i == n) call_text = std::string(call.name) + " " + call.path;
        bool const hit = i == n || (fault.stays && i > n && call.name == calls[n]);
        return hit ? fault.verdict : Verdict{};
      });
      INFO(scenario.name << ": call " << n << ", " << call_text << ": " << fault.name << "\n" << outcome.error);
      Tree const left = read_tree(shop.path(scenario.result));
      if (outcome.exit_code == 0) {
        ++counts.without;
        // Only what could not be removed may also remain: a lock, or a part of a file.
        Tree found = comparable(left);
        if (calls[n] == "unlink")
          std::erase_if(found, [](auto const& file) { return is_part(file.first) || file.first.ends_with(".lock"); });
        bool const is_same = found == expected;
        CHECK(is_same);
        continue;
      }
      ++counts.rejected;
      CHECK(outcome.exit_code == 2);
      CHECK(complaint(outcome) == "");
      // Everything with a final name is complete.
      for (auto const& [name, bytes] : left) {
        INFO(name);
        bool const grows = name == "journal" || name == "metrics.jsonl" || name.ends_with("lock");
        if (is_part(name)) {
          CHECK((calls[n] == "unlink" || is_part(call_text)));  // only what cannot be removed is left
        } else if (name == "summary.json") {
          CHECK(nlohmann::json::accept(bytes));
        } else if (!grows && !name.ends_with('/')) {
          bool const is_whole = expected.contains(name) && bytes == expected.at(name);
          CHECK(is_whole);
        }
      }
      if (left.contains("model/")) CHECK(left.contains("model/model.gguf"));
      bool const can_resume = !scenario.resumed.empty() && left.contains("options.json");
      Outcome const next = run_program(can_resume ? scenario.resumed : scenario.again);
      INFO("then: " << next.error);
      CHECK(next.exit_code == 0);
      bool const ends_the_same = comparable(read_tree(shop.path(scenario.result))) == expected;
      CHECK(ends_the_same);
    }
  }
  WARN(scenario.name << ": " << counts.calls << " calls, " << counts.tried << " faults tried: " << counts.without
                     << " done without, " << counts.rejected
                     << " rejected in one line; each then ended in the same bits");
  return counts;
}

}  // namespace

TEST_CASE("an I/O error at any call of a run loses nothing") {
  if (!can_trace()) ZEROTH_SKIP("programs cannot be traced here");
  Workshop const shop;
  Words const words = shop.finetune();
  try_faults(shop, {"finetune", words, words, {"finetune", "--resume", shop.path("out")}, "out"});
}

TEST_CASE("an I/O error at any call of a resumed run loses nothing") {
  if (!can_trace()) ZEROTH_SKIP("programs cannot be traced here");
  Workshop shop;
  shop.start_from_killed_run();
  Words const words{"finetune", "--resume", shop.path("out")};
  try_faults(shop, {"resume", words, words, words, "out"});
}

TEST_CASE("an I/O error at any call of a replay loses nothing") {
  if (!can_trace()) ZEROTH_SKIP("programs cannot be traced here");
  Workshop shop;
  shop.start_from_finished_run();
  Words const words{"replay",
                    "--model",
                    shop.path("model.gguf"),
                    "--journal",
                    shop.path("out/journal"),
                    "--output",
                    shop.path("replayed"),
                    "--threads",
                    "1"};
  try_faults(shop, {"replay", words, words, {}, "replayed"});
}

TEST_CASE("an I/O error at any call of an export loses nothing") {
  if (!can_trace()) ZEROTH_SKIP("programs cannot be traced here");
  Workshop const shop;
  Words const words{"export",      "--model",  shop.path("model.gguf"), "--to",
                    "safetensors", "--output", shop.path("exported")};
  try_faults(shop, {"export", words, words, {}, "exported"});
}

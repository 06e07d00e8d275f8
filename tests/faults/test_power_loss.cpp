// SPDX-License-Identifier: MIT
// The machine goes down at any instant of a run, and unsynced data is on disk in part and out of order. The run is then
// resumed, or started again if it had left nothing, and ends with the bits of an undisturbed one.
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "recorded_disk.hpp"
#include "run_tree.hpp"
#include "traced_program.hpp"

using namespace zeroth_test;
namespace fs = std::filesystem;

namespace {

/// How many states of the disk are tried after each event in addition to the two extremes; $ZEROTH_FAULTS=all: more.
std::size_t draws() {
  char const* const wanted = std::getenv("ZEROTH_FAULTS");
  return wanted != nullptr && std::string(wanted) == "all" ? 12 : 1;
}

/// What must agree after a power loss: the metrics of steps from the journal may lack what the journal does not record.
Tree comparable_after_loss(Tree tree) {
  tree = comparable(std::move(tree));
  if (!tree.contains("metrics.jsonl")) return tree;
  std::string& metrics = tree.at("metrics.jsonl");
  std::string kept;
  for (std::size_t begin = 0, end = 0; (end = metrics.find('\n', begin)) != std::string::npos; begin = end + 1) {
    auto const line = nlohmann::json::parse(metrics.substr(begin, end - begin), nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) return tree;
    kept += line.at("type").dump() + line.at("step").dump() + line.at("loss").dump() + "\n";
  }
  metrics = kept;
  return tree;
}

struct PowerLoss {
  TemporaryDirectory directory;
  Fixture fixture;
  fs::path root = directory.path() / "w";
  std::string out = (root / "out").string();
  Words words{"finetune",   "--model",         fixture.model, "--task",       "sst2", "--data",
              fixture.data, "--out",           out,           "--threads",    "1",    "--steps",
              "40",         "--eval-every",    "20",          "--batch-size", "2",    "--save",
              "both",       "--learning-rate", "1e-3"};

  /// Tries the states of the disk after each event of a run from there.
  void try_states(Tree const& start, Words const& command, Tree const& expected) {
    write_tree(start, root);
    RecordedDisk disk(root);
    REQUIRE(run_traced(command, root, [&](FileCall const& call) {
              disk.note(call);
              return Verdict{};
            }).exit_code == 0);
    // First check that the record is what the program did.
    auto const newest = [](std::size_t count) { return count - 1; };
    REQUIRE(disk.after(disk.events(), newest, newest) == read_tree(root));

    std::mt19937_64 random(1);
    auto const oldest = [](std::size_t) { return std::size_t{0}; };
    auto const any = [&](std::size_t count) {
      return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
    };
    std::set<Tree> tried;
    std::size_t resumed = 0, begun = 0, finished = 0;
    auto const try_state = [&](Tree const& state, std::size_t events) {
      if (!tried.insert(state).second) return;
      write_tree(state, root);
      std::string listing;
      for (auto const& [name, bytes] : state) listing += name + " " + std::to_string(bytes.size()) + "\n";
      INFO("after " << events << " of " << disk.events() << " events:\n" << listing);
      bool const can_resume = state.contains("out/options.json");
      bool const is_finished = state.contains("out/summary.json");
      Outcome const outcome = run_program(can_resume ? Words{"finetune", "--resume", out} : words);
      INFO(outcome.error);
      CHECK(outcome.exit_code == 0);
      Tree const found = comparable_after_loss(read_tree(out));
      for (auto const& [name, bytes] : expected) {
        INFO(name);
        bool const is_same = found.contains(name) && found.at(name) == bytes;
        CHECK(is_same);
      }
      ++(is_finished ? finished : can_resume ? resumed : begun);
    };
    for (std::size_t events = 0; events <= disk.events(); ++events) {
      try_state(disk.after(events, newest, newest), events);
      try_state(disk.after(events, oldest, newest), events);
      try_state(disk.after(events, newest, oldest), events);
      for (std::size_t i = 0; i < draws(); ++i)
        try_state(disk.after(events, any, i % 2 == 0 ? RecordedDisk::Draw(newest) : RecordedDisk::Draw(any)), events);
    }
    WARN(disk.events() << " events, " << tried.size() << " states of the disk: " << resumed << " resumed, " << begun
                       << " begun again, " << finished << " finished; all ended in the bits of an undisturbed run");
  }
};

}  // namespace

TEST_CASE("a run whose machine goes down at any instant ends in the bits of an undisturbed one") {
  if (!can_trace()) ZEROTH_SKIP("programs cannot be traced here");
  PowerLoss loss;
  fs::create_directories(loss.root);
  REQUIRE(run_program(loss.words).exit_code == 0);
  Tree const expected = comparable_after_loss(read_tree(loss.out));
  loss.try_states({}, loss.words, expected);
}

TEST_CASE("a resumed run whose machine goes down again ends in the bits of an undisturbed one") {
  if (!can_trace()) ZEROTH_SKIP("programs cannot be traced here");
  PowerLoss loss;
  fs::create_directories(loss.root);
  REQUIRE(run_program(loss.words).exit_code == 0);
  Tree const expected = comparable_after_loss(read_tree(loss.out));
  fs::remove_all(loss.out);
  std::size_t records = 0;
  REQUIRE(run_traced(loss.words, loss.root, [&](FileCall const& call) {
            bool const is_record = call.name == "write" && call.path.ends_with("/journal");
            return Verdict{.kills = is_record && ++records == 30};
          }).exit_code == -1);
  Tree const killed = read_tree(loss.root);
  loss.try_states(killed, {"finetune", "--resume", loss.out}, expected);
}

// SPDX-License-Identifier: MIT
// One folder, one run: a second one is rejected before anything is touched.
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>
#include <zeroth/journal_file.hpp>

#include "../../cli/run/run_lock.hpp"
#include "catch.hpp"
#include "files.hpp"
#include "program.hpp"
#include "run_fixture.hpp"

using namespace zeroth_test;
using zeroth::cli::RunLock;
namespace fs = std::filesystem;

namespace {

/// Names and contents of all files in a folder.
std::map<std::string, std::string> files_in(fs::path const& folder) {
  std::map<std::string, std::string> files;
  for (fs::directory_entry const& entry : fs::recursive_directory_iterator(folder))
    files[fs::relative(entry.path(), folder).string()] = entry.is_regular_file() ? read_file(entry.path()) : "";
  return files;
}

std::string held_by_this_process(std::string const& name, std::string const& folder) {
  return name + ": " + folder + ": another run is writing here (process " + std::to_string(getpid()) + " on ";
}

/// Checks that everything in the folder of a finished run is from one run.
void check_one_run(Fixture const& fixture) {
  nlohmann::json const options = nlohmann::json::parse(read_file(fixture.out + "/options.json"));
  zeroth::Journal const journal = zeroth::read_journal(fixture.out + "/journal");
  CHECK(fixture.summary().at("options").at("seed") == options.at("seed"));
  CHECK(zeroth::value_of(journal.header().fields, "seed") == options.at("seed").dump());
  CHECK(fixture.summary().at("steps") == journal.steps());
  CHECK(fixture.metrics().size() == journal.entries().size());
  std::string const output = (fixture.directory.path() / "replayed").string();
  Outcome const replay = run_program(
      {"replay", "--model", fixture.model, "--journal", fixture.out + "/journal", "--output", output, "--overwrite"});
  INFO(replay.error);
  REQUIRE(replay.exit_code == 0);
  CHECK(read_file(output + "/model.safetensors") == read_file(fixture.out + "/model/model.safetensors"));
}

}  // namespace

TEST_CASE("while a run writes in a folder, every other that would is rejected by name and changes nothing") {
  Fixture const fixture;
  REQUIRE(run_program(fixture.finetune()).exit_code == 0);
  auto const before = files_in(fixture.out);
  CHECK(before.count(".zeroth.lock") == 0);
  {
    RunLock const lock(fixture.out, "--out", RunLock::Folder::must_exist);
    REQUIRE(lock.is_locked());
    auto const held = files_in(fixture.out);
    for (Words const& words : {fixture.finetune(), fixture.finetune({"--overwrite"})})
      check_rejected_at_once(words, held_by_this_process("--out", fixture.out));
    check_rejected_at_once({"finetune", "--resume", fixture.out}, held_by_this_process("--resume", fixture.out));
    // Also by another path to the same folder.
    std::string const link = (fixture.directory.path() / "link").string();
    fs::create_symlink(fixture.out, link);
    check_rejected_at_once({"finetune", "--resume", link}, held_by_this_process("--resume", link));
    check_rejected_at_once({"journal", link + "/journal", "--repair"},
                           held_by_this_process(link + "/journal", fs::canonical(fixture.out).string()));
    CHECK_THROWS_WITH(RunLock(fixture.out, "--out", RunLock::Folder::must_exist),
                      contains_text(held_by_this_process("--out", fixture.out)));
    // So is a command that would write the model in it.
    for (Words const& words :
         {Words{"replay", "--model", fixture.model, "--journal", fixture.out + "/journal", "--output",
                fixture.out + "/model/", "--overwrite"},
          Words{"export", "--model", fixture.model, "--output", fixture.out + "/model", "--overwrite"}})
      check_rejected_at_once(words, held_by_this_process("--output", fs::canonical(fixture.out).string()));
    CHECK(files_in(fixture.out) == held);
  }
  CHECK(files_in(fixture.out) == before);
  // A lock file without a lock, as a killed run leaves it, is no obstacle.
  write_file(fixture.directory, "out/.zeroth.lock", "process 1 on another\n");
  CHECK(run_program(fixture.finetune({"--overwrite"})).exit_code == 0);
  CHECK_FALSE(fs::exists(fixture.out + "/.zeroth.lock"));
}

TEST_CASE("a folder that is made for a run and stays empty is removed, and not under another that waits for it") {
  TemporaryDirectory const directory;
  fs::path const folder = directory / "a/out";
  {
    RunLock const lock(folder, "--out", RunLock::Folder::may_be_created);
    CHECK(fs::exists(folder / ".zeroth.lock"));
  }
  CHECK_FALSE(fs::exists(folder));
  {
    RunLock const lock(folder, "--out", RunLock::Folder::may_be_created);
    write_file(directory, "a/out/mine", "");
  }
  CHECK(files_in(folder) == std::map<std::string, std::string>{{"mine", ""}});
  CHECK_THROWS_WITH(RunLock(directory / "none", "--resume", RunLock::Folder::must_exist),
                    contains_text("cannot write " + (directory / "none/.zeroth.lock").string()));
}

TEST_CASE("a run notices that its folder is no longer the one that it began in") {
  TemporaryDirectory const directory;
  fs::path const folder = directory / "out";
  RunLock const lock(folder, "--out", RunLock::Folder::may_be_created);
  lock.require_held();
  fs::rename(folder, directory / "moved");
  CHECK_THROWS_WITH(lock.require_held(), contains_text("found it removed or replaced"));
  RunLock const another(folder, "--out", RunLock::Folder::may_be_created);
  CHECK_THROWS_WITH(lock.require_held(), contains_text("found it removed or replaced"));
  another.require_held();
}

TEST_CASE("of runs that start in one folder at once, what is left is of one") {
  Fixture const fixture;
  std::vector<std::unique_ptr<Program>> programs;
  for (int seed = 1; seed <= 6; ++seed) {
    Words words = fixture.finetune({"--seed", std::to_string(seed), "--learning-rate", "1e-3"});
    if (seed > 4) words.emplace_back("--overwrite");
    *std::find(words.begin(), words.end(), "4") = "300";  // steps
    programs.push_back(std::make_unique<Program>(words));
  }
  std::size_t done = 0;
  for (auto const& program : programs) {
    Outcome const outcome = program->wait();
    INFO(outcome.error);
    if (outcome.exit_code == 0)
      ++done;
    else
      CHECK((outcome.error.find(": another run is writing here") != std::string::npos ||
             outcome.error.find(": expected no earlier run") != std::string::npos));
  }
  CHECK(done >= 1);
  check_one_run(fixture);
}

TEST_CASE("a run that replaces another rejects an input that it would replace, before anything is touched") {
  Fixture const fixture;
  REQUIRE(run_program(fixture.finetune({"--save", "both"})).exit_code == 0);
  auto const before = files_in(fixture.out);
  auto rejected = [&](std::string const& option, std::string const& path, std::string const& found) {
    Words words = fixture.finetune({"--overwrite"});
    auto const at = std::find(words.begin(), words.end(), option);
    if (at == words.end())
      words.insert(words.end(), {option, path});
    else
      *std::next(at) = path;
    check_rejected_at_once(words, option + ": " + path + ": expected one that the run does not overwrite, found " +
                                      fixture.out + "/" + found + ", which it replaces");
    CHECK(files_in(fixture.out) == before);
  };
  rejected("--model", fixture.out + "/model", "model");
  rejected("--model", fixture.out + "/model/model.gguf", "model");
  rejected("--model", fixture.out + "/../out/model/", "model");
  std::string const link = (fixture.directory.path() / "link.gguf").string();
  fs::create_symlink(fixture.out + "/model/model.gguf", link);
  rejected("--model", link, "model");
  // A folder whose files are links into the run's folder.
  std::string const folder = (fixture.directory.path() / "folder").string();
  fs::create_directory(folder);
  fs::create_symlink(fixture.out + "/model/model.gguf", folder + "/model.gguf");
  rejected("--model", folder, "model");
  rejected("--data", fixture.out + "/model", "model");
}

TEST_CASE("a run that is rejected after its model was read leaves an earlier one as it was") {
  Fixture const fixture;
  REQUIRE(run_program(fixture.finetune()).exit_code == 0);
  auto const before = files_in(fixture.out);
  write_file(fixture.directory, "SST-2/dev.tsv", "label\tsentence\n1\tgood\nx\tbad\n");
  Outcome const outcome = run_program(fixture.finetune({"--overwrite"}));
  CHECK(outcome.exit_code == 2);
  CHECK(files_in(fixture.out) == before);
}

TEST_CASE("a run that replaces another removes what killed ones left, and so does one that is resumed") {
  Fixture const fixture;
  auto leave_parts = [&] {
    for (char const* name : {"model.part-4000000-0/model.safetensors", "adapter.part-17-3/a", "summary.json.part-17-0",
                             "metrics.jsonl.part-17-0", "options.json.part-18-0"})
      write_file(fixture.directory, std::string("out/") + name, "half");
  };
  auto check_none = [&] {
    for (auto const& [name, content] : files_in(fixture.out)) CHECK(name.find(".part-") == std::string::npos);
  };
  leave_parts();
  REQUIRE(run_program(fixture.finetune()).exit_code == 0);
  check_none();
  leave_parts();
  REQUIRE(run_program(fixture.finetune({"--overwrite"})).exit_code == 0);
  check_none();
  leave_parts();
  fs::remove(fixture.out + "/summary.json");
  REQUIRE(run_program({"finetune", "--resume", fixture.out}).exit_code == 0);
  check_none();
}

TEST_CASE("what a run would write is rejected by name where it is a pipe") {
  Fixture const fixture;
  for (char const* name : {"journal", "metrics.jsonl", "options.json", "summary.json"}) {
    fs::create_directory(fixture.out);
    std::string const pipe = fixture.out + "/" + name;
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    for (Words const& more : {Words{}, Words{"--overwrite"}})
      check_rejected_at_once(fixture.finetune(more), pipe + ": expected a regular file, found a pipe or a device");
    fs::remove_all(fixture.out);
  }
}

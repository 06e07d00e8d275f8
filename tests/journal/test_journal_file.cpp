// SPDX-License-Identifier: MIT
#include <zeroth/journal_file.hpp>

#include <sys/resource.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "support.hpp"
#include "temporary_directory.hpp"

namespace {

namespace fs = std::filesystem;

using zeroth::CpuBackend;
using zeroth::Gaussian;
using zeroth::JournalFile;
using zeroth::Options;
using zeroth::SmallestMagnitude;
using zeroth_test::contains_text;
using zeroth_test::SmallRun;

constexpr std::uint64_t steps = 8;

std::string bytes_of(fs::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(fs::path const& path, std::string const& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Runs on to the end from wherever the journal in the file has come to. Gives the weights and the step it began at.
std::pair<std::vector<std::uint32_t>, std::uint64_t> run(std::string const& path, bool in_place = false,
                                                         std::uint64_t until = steps) {
  SmallRun small;
  SmallRun::Optimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, SmallRun::options());
  JournalFile journal(path, optimizer);
  std::uint64_t const first = optimizer.steps();
  while (optimizer.steps() < until)
    journal.append(in_place ? optimizer.step(small.in_place()) : optimizer.step(small.fused()));
  return {small.bits(), first};
}

TEST_CASE("a run goes on from a journal that is cut at any byte, to the bits of a run that was not stopped") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "run.journal";
  for (bool in_place : {false, true}) {
    auto const [expected, began] = run(path, in_place);
    CHECK(began == 0);
    std::string const whole = bytes_of(path);
    std::size_t const header = zeroth::Journal(zeroth::read_journal(path).header()).size();
    std::size_t const record = (whole.size() - header) / steps;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      INFO(size);
      write(path, whole.substr(0, size));
      auto const [weights, first] = run(path, in_place);
      REQUIRE(weights == expected);
      REQUIRE(first == (size < header ? 0 : (size - header) / record));
      REQUIRE(bytes_of(path) == whole);
    }
    fs::remove(path);
  }
}

TEST_CASE("a journal can be read while it is written, but not opened twice for writing") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "run.journal";
  SmallRun small;
  SmallRun::Optimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, SmallRun::options());
  auto journal = std::make_unique<JournalFile>(path, optimizer);
  journal->append(optimizer.step(small.fused()));
  CHECK(zeroth::read_journal(path).steps() == 1);
  CHECK_THROWS_WITH(run(path), contains_text(path + ": expected a journal that nobody writes"));
  journal.reset();
  CHECK(run(path).second == 1);
}

TEST_CASE("what is no journal, or one of another run, is refused by name and left as it is") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "run.journal";
  write(path, "a text of mine");
  CHECK_THROWS_WITH(run(path), contains_text(path + ": expected a journal of zeroth"));
  CHECK(bytes_of(path) == "a text of mine");
  CHECK_THROWS_WITH(zeroth::read_journal(directory / "none"), contains_text("none: cannot open: No such file"));
  CHECK_THROWS_WITH(run(directory / "no/folder"), contains_text("no/folder: cannot open: No such file"));

  fs::remove(path);
  run(path);
  std::string const before = bytes_of(path);
  SmallRun small;
  Options other = SmallRun::options();
  other.seed = 5;
  SmallRun::Optimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, other);
  CHECK_THROWS_WITH(JournalFile(path, optimizer), contains_text(path + ": seed: expected 5"));
  CHECK(bytes_of(path) == before);
  SmallRun::Optimizer late(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, SmallRun::options());
  late.step(small.fused());
  CHECK_THROWS_WITH(JournalFile(path, late), contains_text("before its first step"));
}

TEST_CASE("notes are kept and compared") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "run.journal";
  auto open = [&](std::vector<zeroth::JournalField> const& notes) {
    SmallRun small;
    SmallRun::Optimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{},
                                  SmallRun::options());
    JournalFile const journal(path, optimizer, {.notes = notes});
    return journal.journal().header().notes;
  };
  std::vector<zeroth::JournalField> const notes = {{"row_order", "gguf"}, {"data", "mine"}};
  CHECK(open(notes) == notes);
  CHECK(open({{"data", "mine"}}) == notes);
  CHECK_THROWS_WITH(open({{"data", "yours"}}), contains_text(path + ": data: expected yours"));
  CHECK_THROWS_WITH(open({{"more", "x"}}),
                    contains_text(path + ": more: expected x, found none in the notes of the run"));
}

TEST_CASE("on a full disk the journal ends with its last whole record") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "run.journal";
  auto const [expected, began] = run(directory / "undisturbed.journal");
  run(path, false, 3);
  std::size_t const size = bytes_of(path).size();

  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit const limit{size + 20, before.rlim_max};
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK_THROWS_WITH(run(path), contains_text(path + ": cannot write: File too large"));
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);

  CHECK(bytes_of(path).size() == size);
  auto const [weights, first] = run(path);
  CHECK(first == 3);
  CHECK(weights == expected);
}

}  // namespace

// SPDX-License-Identifier: MIT
#include <zeroth/journal_file.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

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

/// Runs to the end from wherever the journal in the file stopped. Returns the weights and the step at which it began.
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

TEST_CASE("a run resumes from a journal that is cut at any byte, to the bits of a run that was not stopped") {
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
  CHECK(journal->is_locked());
  CHECK_THROWS_WITH(run(path), contains_text(path + ": expected a journal that no one else has open"));
  CHECK_THROWS_WITH(zeroth::repair_journal(path),
                    contains_text(path + ": expected a journal that no one else has open"));
  journal.reset();
  CHECK(run(path).second == 1);
}

TEST_CASE("a damaged journal is cut at its first bad record, and the rest is kept and named") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "run.journal";
  auto const expected = run(path).first;
  std::string const whole = bytes_of(path);
  std::size_t const header = zeroth::Journal(zeroth::read_journal(path).header()).size();
  std::size_t const record = (whole.size() - header) / steps;
  std::string const good = whole.substr(0, header + 3 * record);
  std::string const last = whole.substr(header + 5 * record);
  int cuts = 0;
  // A page that did not reach the disk while later ones did; a missing record; a repeated record.
  for (std::string const& rest :
       {std::string(2 * record, '\0') + last, last, good.substr(good.size() - record) + last}) {
    write(path, good + rest);
    zeroth::RecoveredJournal const recovered = zeroth::recover_journal(path);
    CHECK(recovered.is_damaged());
    CHECK(recovered.journal.steps() == 3);
    CHECK(recovered.left_bytes == rest.size());
    CHECK_THROWS_WITH(zeroth::read_journal(path), contains_text(path + ": record 3, after 3 steps, is damaged"));
    CHECK(bytes_of(path) == good + rest);  // reading changes nothing

    std::string const kept = path + ".cut-" + std::to_string(++cuts);
    if (cuts == 1) {
      auto const cut = zeroth::repair_journal(path);
      REQUIRE(cut);
      CHECK(cut->text() ==
            "cut " + std::to_string(rest.size()) + " bytes after 3 records and 3 steps; they are in " + kept);
      CHECK_FALSE(zeroth::repair_journal(path));
    } else {
      JournalFile const journal(path, recovered.journal.header());
      REQUIRE(journal.cut());
      CHECK(journal.cut()->bytes == rest.size());
      CHECK(journal.cut()->records == 3);
      CHECK(journal.cut()->steps == 3);
      CHECK(journal.cut()->kept_in == kept);
    }
    CHECK(bytes_of(path) == good);
    CHECK(bytes_of(kept) == rest);
    auto const [weights, first] = run(path);
    CHECK(first == 3);
    CHECK(weights == expected);
    CHECK(bytes_of(path) == whole);
  }
  // The beginning of a record holds no step, so it is cut without being saved to a file.
  write(path, good + last.substr(0, record - 1));
  CHECK_FALSE(zeroth::recover_journal(path).is_damaged());
  auto const torn = zeroth::repair_journal(path);
  REQUIRE(torn);
  CHECK(torn->bytes == record - 1);
  CHECK(torn->kept_in.empty());
  CHECK(bytes_of(path) == good);
  CHECK_FALSE(fs::exists(path + ".cut-4"));
}

TEST_CASE("a cut that cannot be kept is not made") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "run.journal";
  run(path);
  std::string damaged = bytes_of(path);
  damaged[damaged.size() - 3 * 48] ^= 1;
  write(path, damaged);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit const limit{20, before.rlim_max};
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK_THROWS_WITH(zeroth::repair_journal(path), contains_text("run.journal.cut-1: cannot write: File too large"));
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(bytes_of(path) == damaged);
  CHECK_FALSE(fs::exists(path + ".cut-1"));
}

TEST_CASE("a header whose writing the end of the machine cut short is written again") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "run.journal";
  auto const expected = run(path).first;
  std::string const whole = bytes_of(path);
  std::size_t const header = zeroth::Journal(zeroth::read_journal(path).header()).size();
  for (std::size_t written : {std::size_t{0}, std::size_t{20}, header - 1, header}) {
    write(path, whole.substr(0, written) + std::string(header - written, '\0'));
    CHECK(run(path).first == expected);
    CHECK(bytes_of(path) == whole);
  }
}

TEST_CASE("only a regular file is a journal: a pipe does not hang, and what never ends is not read") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = directory / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(zeroth::read_journal(path), contains_text("pipe: expected a regular file, found a pipe"));
  CHECK_THROWS_WITH(zeroth::repair_journal(path), contains_text("pipe: expected a regular file, found a pipe"));
  CHECK_THROWS_WITH(run(path), contains_text("pipe: expected a regular file, found a pipe"));
  CHECK_THROWS_WITH(zeroth::read_journal("/dev/zero"), contains_text("expected a regular file, found a device"));
  CHECK_THROWS_WITH(zeroth::read_journal(directory.path().string()), contains_text("found a directory"));
  // Larger than any memory: its beginning shows that it is not a journal.
  std::string const large = directory / "large";
  write(large, "");
  fs::resize_file(large, std::uintmax_t{1} << 42);
  CHECK_THROWS_WITH(zeroth::read_journal(large), contains_text("expected a journal of zeroth"));
}

TEST_CASE("a file that is not a journal, or one of another run, is rejected by name and left unchanged") {
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

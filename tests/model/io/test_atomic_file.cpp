// SPDX-License-Identifier: MIT
#include "zeroth_model/io/atomic_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "catch.hpp"
#include "temporary_directory.hpp"

namespace {

namespace fs = std::filesystem;
using zeroth::InvalidFile;
using zeroth::model::AtomicDirectory;
using zeroth::model::AtomicFile;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

std::string text_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// While it lives, no file of this process grows beyond `limit` bytes: further writes fail as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(::rlim_t limit) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old_) == 0);
    const ::rlimit tight{limit, old_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  ::rlimit old_{};
  void (*handler_)(int);
};

void write_file(const AtomicDirectory& folder, const std::string& name, const std::string& text) {
  AtomicFile file(folder.file(name));
  file.write(text);
  file.commit();
}

}  // namespace

TEST_CASE("AtomicFile replaces a file on commit and not before") {
  const TemporaryDirectory folder;
  const fs::path path = folder / "model.bin";
  std::ofstream(path) << "old";
  {
    AtomicFile file(path.string());
    CHECK(file.path() == path.string());
    file.write("new ");
    file.write("content");
    CHECK(file.size() == 11);
    CHECK(text_of(path) == "old");
    file.commit();
    CHECK(text_of(path) == "new content");
    CHECK_THROWS_AS(file.write("more"), InvalidFile);
    CHECK_THROWS_AS(file.commit(), InvalidFile);
  }
  CHECK(text_of(path) == "new content");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"model.bin"});
}

TEST_CASE("AtomicFile leaves nothing behind without commit") {
  const TemporaryDirectory folder;
  {
    AtomicFile file((folder / "model.bin").string());
    file.write(std::string(1u << 20, 'x'));
    CHECK(names_in(folder.path()).size() == 1);
  }
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("AtomicFile keeps small and large writes in order") {
  const TemporaryDirectory folder;
  const fs::path path = folder / "model.bin";
  std::string expected;
  AtomicFile file(path.string());
  for (const std::size_t size : {1u, 100000u, 0u, 200000u, 7u, 262144u, 262143u, 1u, 600000u, 3u}) {
    const std::string part(size, static_cast<char>('a' + expected.size() % 26));
    file.write(part);
    expected += part;
  }
  file.commit();
  CHECK(file.size() == expected.size());
  CHECK((text_of(path) == expected));
}

TEST_CASE("AtomicFile writes to the current folder and next to another writer of the same name") {
  const TemporaryDirectory folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  {
    AtomicFile first("model.bin");
    AtomicFile second("model.bin");
    first.write("first");
    second.write("second");
    second.commit();
    first.commit();
  }
  fs::current_path(before);
  CHECK(text_of(folder / "model.bin") == "first");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"model.bin"});
}

TEST_CASE("AtomicFile reports a write that fails and keeps the old file") {
  const TemporaryDirectory folder;
  const fs::path path = folder / "model.bin";
  std::ofstream(path) << "old";
  const std::string large(1u << 20, 'x');

  SECTION("in write(), after a short write") {
    AtomicFile file(path.string());
    const FileSizeLimit limit(300000);
    CHECK_THROWS_WITH(file.write(large), contains_text("model.bin: cannot write: File too large"));
    CHECK_THROWS_AS(file.commit(), InvalidFile);
  }
  SECTION("in commit(), where the buffer goes out") {
    AtomicFile file(path.string());
    const FileSizeLimit limit(10);
    file.write("longer than ten bytes");
    CHECK_THROWS_WITH(file.commit(), contains_text("model.bin: cannot write: File too large"));
    CHECK(names_in(folder.path()) == std::vector<std::string>{"model.bin"});
  }
  CHECK(text_of(path) == "old");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"model.bin"});
}

TEST_CASE("write_all reports a full disk") {
  const int descriptor = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) ZEROTH_SKIP("no /dev/full");
  const std::vector<std::byte> bytes(10);
  CHECK_THROWS_WITH(zeroth::model::detail::write_all(descriptor, bytes, "model.bin"),
                    "model.bin: cannot write: No space left on device");
  ::close(descriptor);
}

TEST_CASE("AtomicFile rejects a name it cannot write to") {
  const TemporaryDirectory folder;
  CHECK_THROWS_WITH(AtomicFile((folder / "none/model.bin").string()),
                    contains_text("none/model.bin: cannot create: No such file or directory"));
  CHECK_THROWS_WITH(AtomicFile(folder.path().string()), contains_text("not a regular file"));
  CHECK_THROWS_WITH(AtomicFile("/dev/null"), contains_text("not a regular file"));
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("AtomicDirectory replaces a folder on commit and not before") {
  const TemporaryDirectory folder;
  const fs::path path = folder / "model";
  const bool exists = GENERATE(false, true);
  if (exists) {
    fs::create_directory(path);
    std::ofstream(path / "config.json") << "old";
    std::ofstream(path / "stale.json") << "old";
  }
  {
    AtomicDirectory directory((folder / "model/").string());
    CHECK(fs::path(directory.path()) == fs::weakly_canonical(path));
    write_file(directory, "config.json", "new");
    write_file(directory, "weights", "data");
    CHECK(fs::exists(path) == exists);
    if (exists) CHECK(text_of(path / "config.json") == "old");
    directory.commit();
    CHECK(names_in(path) == std::vector<std::string>{"config.json", "weights"});
    CHECK(text_of(path / "config.json") == "new");
    CHECK_THROWS_AS(directory.commit(), InvalidFile);
  }
  CHECK(names_in(path).size() == 2);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"model"});
}

TEST_CASE("AtomicDirectory leaves the old folder without commit") {
  const TemporaryDirectory folder;
  fs::create_directory(folder / "model");
  std::ofstream(folder / "model/config.json") << "old";
  {
    AtomicDirectory directory(folder / "model");
    write_file(directory, "config.json", "new");
  }
  CHECK(names_in(folder.path()) == std::vector<std::string>{"model"});
  CHECK(text_of(folder / "model/config.json") == "old");
}

TEST_CASE("AtomicDirectory refuses to replace what is not a plain folder of files") {
  const TemporaryDirectory folder;
  fs::create_directories(folder / "tree/branch");
  CHECK_THROWS_WITH(AtomicDirectory(folder / "tree"), contains_text("holds more than regular files, found 'branch'"));
  std::ofstream(folder / "file") << "text";
  CHECK_THROWS_WITH(AtomicDirectory(folder / "file"), contains_text("exists and is not a folder"));
  CHECK_THROWS_WITH(AtomicDirectory(folder / "none/model"), contains_text("cannot create: No such file"));
  CHECK(names_in(folder.path()) == std::vector<std::string>{"file", "tree"});

  SECTION("even if it becomes one while the new folder is written") {
    AtomicDirectory directory(folder / "model");
    fs::create_directories(folder / "model/branch");
    CHECK_THROWS_AS(directory.commit(), InvalidFile);
    CHECK(fs::exists(folder / "model/branch"));
  }
}

TEST_CASE("what a killed process left of a file or folder is removed by the next one that writes it, nothing else") {
  const TemporaryDirectory folder;
  const auto touch = [&](const std::string& name) { std::ofstream(folder / name) << "half"; };
  for (const char* name : {"model.part-17-0", "model.part-99999999-12", "model.part-17", "model.part-17-x",
                           "model.part-17-0.txt", "other.part-17-0", "model.old.part-17-0"})
    touch(name);
  fs::create_directories(folder / "model.part-18-0");
  touch("model.part-18-0/weights");
  fs::create_directories(folder / "model.part-19-0/branch");  // never created when a model is written
  fs::create_symlink(folder / "other.part-17-0", folder / "model.part-20-0");
  const std::vector<std::string> left{"model.old.part-17-0", "model.part-17",   "model.part-17-0.txt",
                                      "model.part-17-x",     "model.part-19-0", "model.part-20-0",
                                      "other.part-17-0"};
  SECTION("by a file") {
    AtomicFile file((folder / "model").string());
    file.write("new");
    file.commit();
  }
  SECTION("by a folder") {
    AtomicDirectory directory(folder / "model");
    directory.commit();
  }
  std::vector<std::string> names = names_in(folder.path());
  CHECK(names.front() == "model");
  names.erase(names.begin());
  CHECK(names == left);
}

TEST_CASE("what a living writer has is not taken for what a killed one left") {
  const TemporaryDirectory folder;
  AtomicFile file((folder / "file").string());
  AtomicDirectory directory(folder / "model");
  file.write("first");
  write_file(directory, "weights", "first");
  zeroth::model::remove_dead_parts(folder / "file");
  zeroth::model::remove_dead_parts(folder / "model");
  AtomicFile second((folder / "file").string());
  AtomicDirectory another(folder / "model");
  CHECK(names_in(folder.path()).size() == 4);
  file.commit();
  directory.commit();
  CHECK(text_of(folder / "file") == "first");
  CHECK(text_of(folder / "model/weights") == "first");
}

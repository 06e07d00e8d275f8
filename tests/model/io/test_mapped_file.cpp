// SPDX-License-Identifier: MIT
#include "zeroth_model/io/mapped_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "catch.hpp"
#include "temporary_directory.hpp"

namespace {

using zeroth::InvalidFile;
using zeroth::model::MappedFile;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

static_assert(!std::is_copy_constructible_v<MappedFile>);

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// Bytes of file mappings resident in this process's memory, according to Linux.
std::size_t resident_file_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0, shared = 0;
  statm >> total >> resident >> shared;
  return shared * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("MappedFile shows the bytes of a file") {
  const TemporaryDirectory folder;
  const std::string path = (folder / "some.bin").string();
  std::ofstream(path) << "0123456789";
  MappedFile file(path);
  CHECK(file.path() == path);
  CHECK(text_of(file) == "0123456789");

  SECTION("and so does what it is moved to") {
    std::ofstream(folder / "other.bin") << "other";
    MappedFile moved(std::move(file));
    CHECK(text_of(moved) == "0123456789");
    MappedFile assigned((folder / "other.bin").string());
    assigned = std::move(moved);
    CHECK(assigned.path() == path);
    CHECK(text_of(assigned) == "0123456789");
  }
}

TEST_CASE("MappedFile takes an empty file") {
  const TemporaryDirectory folder;
  std::ofstream(folder / "empty");
  const MappedFile file((folder / "empty").string());
  CHECK(file.bytes().empty());
  file.release(0, 10);
}

TEST_CASE("MappedFile can hold bytes that are not on disk") {
  std::string text = "0123456789";
  MappedFile file = MappedFile::in_memory("a name", std::as_bytes(std::span(text)));
  text[0] = 'x';
  CHECK(file.path() == "a name");
  CHECK(text_of(file) == "0123456789");
  file.release(0, 10);
  const std::byte* const data = file.bytes().data();
  const MappedFile moved(std::move(file));
  CHECK(moved.bytes().data() == data);
  CHECK(text_of(moved) == "0123456789");
  CHECK(MappedFile::in_memory("empty", {}).bytes().empty());
}

TEST_CASE("MappedFile::release keeps the bytes readable, whatever the range") {
  const TemporaryDirectory folder;
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::string text(3 * page + 100, 'a');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  std::ofstream(folder / "pages") << text;
  const MappedFile file((folder / "pages").string());
  const std::size_t places[] = {0, 1, page - 1, page, 2 * page + 7, text.size() - 1, text.size(), text.size() + page};
  for (const std::size_t offset : places) {
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, page, 2 * page, text.size(), ~std::size_t{0}}) {
      file.release(offset, length);
      CHECK(text_of(file) == text);
    }
  }
}

TEST_CASE("MappedFile::release gives memory back") {
  constexpr std::size_t size = 8u << 20;
  const TemporaryDirectory folder;
  std::ofstream(folder / "large") << std::string(size, 'a');
  const MappedFile file((folder / "large").string());
  const std::size_t before = resident_file_bytes();
  REQUIRE(text_of(file).size() == size);
  const std::size_t read = resident_file_bytes();
  if (read < before + size / 2) ZEROTH_SKIP("this system does not tell how much of a mapping is resident");
  file.release(0, size);
  CHECK(resident_file_bytes() < before + size / 8);
}

TEST_CASE("what MappedFile keeps stays as it was when the file is cut or written to") {
  const TemporaryDirectory folder;
  const std::string path = (folder / "large").string();
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::string text = std::string(3 * page, 'a') + "end";
  std::ofstream(path) << text;
  MappedFile file(path);
  const std::byte* const first = file.bytes().data();
  file.keep(page + 1);
  file.keep(1);  // already kept
  file.release(0, text.size());
  CHECK(text_of(file) == text);
  std::fstream(path).put('b');
  CHECK(text_of(file) == text);
  MappedFile moved(std::move(file));
  CHECK(moved.bytes().data() == first);
  moved.release(0, 2 * page);
  REQUIRE(::truncate(path.c_str(), 0) == 0);
  CHECK(std::string(reinterpret_cast<const char*>(first), 2 * page) == std::string(2 * page, 'a'));

  std::ofstream(path) << text;
  MappedFile whole(path);
  whole.keep(text.size() + 10 * page);
  REQUIRE(::truncate(path.c_str(), 0) == 0);
  CHECK(text_of(whole) == text);
}

TEST_CASE("MappedFile tells whether its file was written to") {
  const TemporaryDirectory folder;
  const std::string path = (folder / "file").string();
  std::ofstream(path) << "0123456789";
  const MappedFile file(path);
  CHECK_NOTHROW(file.require_unchanged());
  // Another file of that name, or none, does not affect this one.
  std::filesystem::rename(path, folder / "old");
  CHECK_NOTHROW(file.require_unchanged());
  std::ofstream(path) << "other";
  CHECK_NOTHROW(file.require_unchanged());
  CHECK(text_of(file) == "0123456789");
  std::filesystem::rename(folder / "old", path);
  CHECK_NOTHROW(file.require_unchanged());
  std::ofstream(path, std::ios::app) << "x";
  CHECK_THROWS_WITH(file.require_unchanged(), path + ": expected the file as it was opened, found it written to since");
}

TEST_CASE("read_file reads regular files up to a bound") {
  const TemporaryDirectory folder;
  const std::string path = (folder / "file").string();
  std::ofstream(path) << "0123456789";
  CHECK(zeroth::model::read_file(path, 10) == "0123456789");
  CHECK_THROWS_WITH(zeroth::model::read_file(path, 9), path + ": expected at most 9 bytes, found 10");
  CHECK_THROWS_WITH(zeroth::model::read_file("/dev/zero", 9), "/dev/zero: expected a regular file, found a device");
  CHECK_THROWS_WITH(zeroth::model::read_file(folder.path().string(), 9), contains_text("found a folder"));
}

TEST_CASE("MappedFile names a file that it cannot map") {
  const TemporaryDirectory folder;
  const std::string missing = (folder / "missing.gguf").string();
  CHECK_THROWS_AS(MappedFile(missing), InvalidFile);
  CHECK_THROWS_WITH(MappedFile(missing), contains_text(missing) && contains_text("No such file"));
  CHECK_THROWS_WITH(MappedFile(folder.path().string()), contains_text("expected a regular file"));
  const std::string pipe = (folder / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(MappedFile(pipe), contains_text("expected a regular file"));
}

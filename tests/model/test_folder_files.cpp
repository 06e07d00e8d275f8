// SPDX-License-Identifier: MIT
#include "zeroth_model/io/hugging_face/folder_files.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "catch.hpp"
#include "temporary_directory.hpp"

namespace {

namespace fs = std::filesystem;
using zeroth::model::read_carried_files;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;
using Files = std::map<std::string, std::string>;

void write(fs::path const& path, std::string const& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("the files of a model's folder are read, and others left") {
  TemporaryDirectory const directory;
  write(directory / "config.json", "{}");
  write(directory / "merges.txt", "a b");
  write(directory / "README.md", "no");
  write(directory / "model.safetensors", "no");
  fs::create_symlink("merges.txt", directory / "vocab.json");
  CHECK(read_carried_files(directory.path()) == Files{{"merges.txt", "a b"}, {"vocab.json", "a b"}});
  // Reached through a link, it is the same folder.
  TemporaryDirectory const elsewhere;
  fs::create_directory_symlink(directory.path(), elsewhere / "link");
  CHECK(read_carried_files(elsewhere / "link").size() == 2);
}

TEST_CASE("the links of Hugging Face's cache are followed") {
  TemporaryDirectory const cache;
  fs::path const snapshot = cache / "models--a--b/snapshots/0123";
  write(cache / "models--a--b/blobs/1", "{}");
  write(cache / "models--a--b/blobs/2", "a b");
  fs::create_directories(snapshot);
  fs::create_symlink("../../blobs/1", snapshot / "config.json");
  fs::create_symlink("../../blobs/2", snapshot / "merges.txt");
  CHECK(read_carried_files(snapshot) == Files{{"merges.txt", "a b"}});
  // Another model's blobs do not belong to this one.
  write(cache / "models--c--d/blobs/3", "{}");
  fs::create_symlink("../../../models--c--d/blobs/3", snapshot / "vocab.json");
  CHECK_THROWS_WITH(read_carried_files(snapshot),
                    contains_text("0123/vocab.json: expected a file of the model's folder") &&
                        contains_text("models--c--d/blobs/3; put a copy in its place"));
}

TEST_CASE("what is not a regular file of the folder, or too large, is rejected by name") {
  TemporaryDirectory const outside;
  write(outside / "secret", "secret");
  auto refusal = [](std::string const& name, auto const& make) {
    TemporaryDirectory const directory;
    write(directory / "config.json", "{}");
    make(directory / name);
    try {
      static_cast<void>(read_carried_files(directory.path()));
    } catch (zeroth::InvalidFile const& error) {
      std::string const what = error.what();
      std::string const path = (directory / name).string() + ": ";
      CHECK(what.starts_with(path));
      return what.substr(path.size());
    }
    return std::string("accepted");
  };
  for (std::string_view const view : zeroth::model::carried_files) {
    std::string const name(view);
    CHECK_THAT(refusal(name, [&](fs::path const& path) { fs::create_symlink(outside / "secret", path); }),
               contains_text("expected a file of the model's folder"));
  }
  CHECK_THAT(refusal("merges.txt", [](fs::path const& path) { fs::create_symlink("/dev/zero", path); }),
             contains_text("found a link to /dev/zero"));
  CHECK_THAT(refusal("merges.txt", [](fs::path const& path) { fs::create_symlink("/proc/self/environ", path); }),
             contains_text("expected a file of the model's folder"));
  CHECK_THAT(refusal("merges.txt", [](fs::path const& path) { fs::create_symlink("missing", path); }),
             contains_text("cannot follow the link: "));
  CHECK_THAT(refusal("merges.txt", [](fs::path const& path) { fs::create_symlink("merges.txt", path); }),
             contains_text("cannot follow the link: "));
  CHECK(refusal("merges.txt", [](fs::path const& path) { fs::create_directory(path); }) ==
        "expected a regular file, found a folder");
  CHECK(refusal("merges.txt", [](fs::path const& path) { REQUIRE(::mkfifo(path.c_str(), 0600) == 0); }) ==
        "expected a regular file, found a pipe");
  CHECK(refusal("merges.txt", [](fs::path const& path) {
          write(path, "");
          fs::resize_file(path, zeroth::model::carried_file_limit + 1);  // without blocks
        }) == "expected at most 268435456 bytes, found 268435457");
}

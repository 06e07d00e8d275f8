// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "../../cli/io/text.hpp"
#include "catch.hpp"
#include "files.hpp"

using namespace zeroth::cli;

TEST_CASE("strip takes white space from both ends and leaves the middle") {
  CHECK(strip(" \t a  b \r\n") == "a  b");
  CHECK(strip("a") == "a");
  CHECK(strip(" \n\v\f ").empty());
  CHECK(strip("").empty());
}

TEST_CASE("lines end in LF or CRLF, and the last with or without") {
  zeroth_test::TemporaryDirectory const directory;
  using Lines = std::vector<std::string>;
  CHECK(read_lines(write_file(directory, "a", "one\ntwo\r\n\nfour")) == Lines{"one", "two", "", "four"});
  CHECK(read_lines(write_file(directory, "b", "one\n")) == Lines{"one"});
  CHECK(read_lines(write_file(directory, "c", "")).empty());
}

TEST_CASE("lines have no byte order mark and are UTF-8, of regular files and pipes only") {
  zeroth_test::TemporaryDirectory const directory;
  using Lines = std::vector<std::string>;
  CHECK(read_lines(write_file(directory, "mark", "\xEF\xBB\xBFone\n")) == Lines{"one"});
  std::string const wide = write_file(directory, "wide", std::string("o\0n\0e\0\n\0", 8)).string();
  CHECK_THROWS_WITH(read_lines(wide), wide + ": expected text in UTF-8, found UTF-16, little-endian");
  CHECK_THROWS_WITH(read_lines("/dev/zero"), "/dev/zero: expected a regular file or a pipe, found a device");
  CHECK_THROWS_WITH(read_lines(directory.path()),
                    directory.path().string() + ": expected a regular file or a pipe, found a directory");

  // A named pipe is waited for, as in every program, and read to its end.
  std::string const pipe = (directory.path() / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe) << "c\nd"; });
  CHECK(read_lines(pipe) == Lines{"c", "d"});
  writer.join();
  int ends[2] = {};
  REQUIRE(::pipe(ends) == 0);
  REQUIRE(::write(ends[1], "a\nb\n", 4) == 4);
  REQUIRE(::close(ends[1]) == 0);
  CHECK(read_lines("/dev/fd/" + std::to_string(ends[0])) == Lines{"a", "b"});
  REQUIRE(::close(ends[0]) == 0);
  std::string const long_text = write_file(directory, "long", "12345").string();
  CHECK(read_text(long_text, 5) == "12345");
  CHECK_THROWS_WITH(read_text(long_text, 4), long_text + ": expected at most 4 B, found more");
}

TEST_CASE("an error message quotes on one line and not without end") {
  CHECK(in_quotes("a\nb\tc") == "\"a b c\"");
  CHECK(in_quotes("\x1b[2J\xC2\x9B\xE2\x80\xAE") == "\"?[2J??\"");
  CHECK(in_quotes("caf\xE9") == "\"caf?\"");
  CHECK(in_quotes(std::string(59, 'x') + "\xC3\xA9") == '"' + std::string(59, 'x') + "...\"");
  CHECK(in_quotes(std::string(500, 'x')).size() < 80);
}

TEST_CASE("bytes are shown in the unit that people would choose") {
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(98'362'432) == "98.4 MB");
  CHECK(human_bytes(999'960'000) == "1.0 GB");
}

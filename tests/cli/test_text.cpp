// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include "../../examples/finetune/text.hpp"
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

TEST_CASE("an error message quotes on one line and not without end") {
  CHECK(in_quotes("a\nb") == "\"a b\"");
  CHECK(in_quotes(std::string(500, 'x')).size() < 80);
}

TEST_CASE("bytes are shown in the unit that people would choose") {
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(98'362'432) == "98.4 MB");
  CHECK(human_bytes(999'960'000) == "1.0 GB");
}

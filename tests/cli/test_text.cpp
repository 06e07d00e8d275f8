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

TEST_CASE("bytes that are not UTF-8 become one replacement character for each maximal part") {
  std::string const r = "\xEF\xBF\xBD";
  CHECK(to_valid_utf8("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x99\x82") == "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x99\x82");
  CHECK(to_valid_utf8("caf\xE9 noir") == "caf" + r + " noir");              // Latin-1
  CHECK(to_valid_utf8("a\xE2\x82") == "a" + r);                             // cut off: one part
  CHECK(to_valid_utf8("\xC0\xAF") == r + r);                                // overlong
  CHECK(to_valid_utf8("\xE0\x80\xAF") == r + r + r);                        // overlong, third byte stray
  CHECK(to_valid_utf8("\xED\xA0\x80") == r + r + r);                        // a surrogate
  CHECK(to_valid_utf8("\xF4\x90\x80\x80") == r + r + r + r);                // beyond U+10FFFF
  CHECK(to_valid_utf8("\xF1\x80\x80\xE1\x80\xC2\x62") == r + r + r + "b");  // the standard's own example, in part
  CHECK(to_valid_utf8(std::string_view("a\0b", 3)) == std::string("a\0b", 3));
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

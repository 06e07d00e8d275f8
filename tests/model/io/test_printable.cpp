// SPDX-License-Identifier: MIT
#include <zeroth_model/text/printable.hpp>

#include <string>

#include "catch.hpp"

using zeroth::model::is_unprintable;
using zeroth::model::replace_unprintable;
using zeroth::model::detail::printable;

TEST_CASE("control characters, marks of direction, and separators of lines are unprintable, and no others") {
  for (char32_t c = 0; c < 0x3000; ++c) {
    bool const expected = c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
                          c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    INFO(static_cast<unsigned>(c));
    CHECK(is_unprintable(c) == expected);
  }
}

TEST_CASE("each character that cannot be shown becomes one question mark") {
  CHECK(replace_unprintable("a\x1b[31mb") == "a?[31mb");
  CHECK(replace_unprintable("tab\tnl\ncr\rdel\x7f") == "tab?nl?cr?del?");
  CHECK(replace_unprintable(std::string("a\0b", 3)) == "a?b");
  CHECK(replace_unprintable("csi \xC2\x9B") == "csi ?");          // U+009B
  CHECK(replace_unprintable("\xE2\x80\xAEturned") == "?turned");  // U+202E
  CHECK(replace_unprintable("\xD8\x9C\xE2\x81\xA9") == "??");     // U+061C, U+2069
  CHECK(replace_unprintable("\xE2\x80\xA8\xE2\x80\xA9") == "??");
  CHECK(replace_unprintable("caf\xE9 \xC3\xA9") == "caf? \xC3\xA9");
  CHECK(replace_unprintable("\xF0\x9F\x98\x80") == "\xF0\x9F\x98\x80");
  CHECK(replace_unprintable("a\nb\tc\x1b", "\n\t") == "a\nb\tc?");
}

TEST_CASE("a long text is cut between two characters") {
  CHECK(printable("abc", 3) == "abc");
  CHECK(printable("abcd", 3) == "abc...");
  CHECK(printable("a\xC3\xA9z", 2) == "a...");
  CHECK(printable("a\xC3\xA9z", 3) == "a\xC3\xA9...");
  CHECK(printable("ab\xF0\x9F\x98\x80", 5) == "ab...");
  // Bytes that continue no character are cut exactly at the limit.
  CHECK(printable(std::string(9, '\x80'), 6) == "??????...");
}

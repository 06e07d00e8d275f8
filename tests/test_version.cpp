// SPDX-License-Identifier: MIT
// Parts, number and text of a version are one version, and journals begin with those of their format and noise.
// scripts/release compares the library's with those of the packages.
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include <zeroth/journal/header_bytes.hpp>
#include <zeroth/zeroth.hpp>

#include "catch.hpp"

TEST_CASE("the version is the same as text, as a number and in parts") {
  CHECK(std::string(zeroth::version) == std::to_string(zeroth::version_major) + "." +
                                            std::to_string(zeroth::version_minor) + "." +
                                            std::to_string(zeroth::version_patch));
  CHECK(ZEROTH_VERSION == zeroth::version_major * 10000 + zeroth::version_minor * 100 + zeroth::version_patch);
  // Otherwise two versions could be one number.
  CHECK(zeroth::version_minor < 100);
  CHECK(zeroth::version_patch < 100);
}

TEST_CASE("a journal says which format and which noise it was written with") {
  std::vector<std::byte> const bytes = encode(zeroth::JournalHeader{.samples = 1});
  auto const number = [&](std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, &bytes[at], sizeof value);
    return value;
  };
  CHECK(number(8) == ZEROTH_JOURNAL_VERSION);
  CHECK(number(16) == ZEROTH_NOISE_VERSION);
}

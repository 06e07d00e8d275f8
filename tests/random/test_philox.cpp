// SPDX-License-Identifier: MIT
#include <zeroth/random/philox.hpp>

#include <array>
#include <cstdint>
#include <set>
#include <tuple>

#include "catch.hpp"
#include "known_answers.hpp"

namespace {

using zeroth::Purpose;
using zeroth::RandomBlock;
using zeroth::RandomSource;

TEST_CASE("philox gives the published answers") {
  int read = 0;
  for (zeroth_test::KnownAnswer line : zeroth_test::known_answers("philox.txt")) {
    auto const rounds = line.decimal();
    RandomBlock counter;
    for (std::uint32_t& word : counter) word = line.hex<std::uint32_t>();
    auto const key_0 = line.hex<std::uint32_t>();
    auto const key_1 = line.hex<std::uint32_t>();
    RandomBlock answer;
    for (std::uint32_t& word : answer) word = line.hex<std::uint32_t>();
    INFO(line.text());
    REQUIRE((rounds == 7 || rounds == 10));
    if (rounds == 7)
      CHECK(zeroth::Philox4x32<7>{}(counter, key_0, key_1) == answer);
    else
      CHECK(zeroth::Philox4x32<10>{}(counter, key_0, key_1) == answer);
    ++read;
  }
  CHECK(read == 6);
}

TEST_CASE("philox is usable in constant expressions") {
  static_assert(zeroth::Philox4x32<7>{}({0, 0, 0, 0}, 0, 0)[0] == 0x5f6fb709U);
  static_assert(RandomSource{}.block(0) == zeroth::Philox{}({0, 0, 0, 0}, 0, 0));
  SUCCEED();
}

TEST_CASE("the counter has the documented layout") {
  RandomSource const source{0x0123456789abcdefU, 0x11111111U, 0x22222222U, 0xabcU, Purpose::mask};
  CHECK(source.counter(0x9876'5432'1fedU) == RandomBlock{0x5432'1fedU, 0x2abc'9876U, 0x2222'2222U, 0x1111'1111U});
  CHECK(source.key_0() == 0x89abcdefU);
  CHECK(source.key_1() == 0x01234567U);
}

TEST_CASE("no two uses share a counter") {
  std::set<RandomBlock> counters;
  std::size_t uses = 0;
  for (Purpose purpose : {Purpose::perturbation, Purpose::rounding, Purpose::mask, Purpose::data_order})
    for (std::uint32_t sample : {0U, 1U, 2U, zeroth::max_samples / 2, zeroth::max_samples - 1})
      for (std::uint64_t block : {0ULL, 1ULL, 0xffff'ffffULL, 1ULL << 32, (1ULL << 48) - 1})
        for (std::uint32_t stream : {0U, 1U, 0xffff'ffffU})
          for (std::uint32_t step : {0U, 1U, 0xffff'ffffU}) {
            counters.insert(RandomSource{7, step, stream, sample, purpose}.counter(block));
            ++uses;
          }
  CHECK(counters.size() == uses);
}

TEST_CASE("both halves of the seed matter") {
  RandomBlock const base = RandomSource{1}.block(0);
  CHECK(RandomSource{2}.block(0) != base);
  CHECK(RandomSource{1 + (1ULL << 32)}.block(0) != base);
}

}  // namespace

// SPDX-License-Identifier: MIT
// The bytes of a journal are those that docs/journal.md describes and tests/known_answers/known_journal.py writes.
#include <zeroth/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "known_answers.hpp"

namespace {

using zeroth::Arithmetic;
using zeroth::EvaluationRecord;
using zeroth::Journal;
using zeroth::JournalHeader;
using zeroth::Role;
using zeroth::SkipReason;
using zeroth::StepRecord;

std::vector<std::byte> known_bytes() {
  std::vector<std::byte> bytes;
  for (zeroth_test::KnownAnswer line : zeroth_test::known_answers("journal.txt")) {
    if (line.word() != "journal") continue;
    std::string_view const digits = line.word();
    for (std::size_t i = 0; i < digits.size(); i += 2)
      bytes.push_back(static_cast<std::byte>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

JournalHeader known_header() {
  JournalHeader header;
  header.base_hash = 0x0123456789abcdef;
  header.samples = 2;
  header.fields = {
      {"sampler", "gaussian"}, {"mask", "smallest-magnitude(sparsity=0.75)"}, {"seed", "18446744073709551615"}};
  header.notes = {{"row_order", "gguf"}};
  header.tensors = {{"blk.0.w", Role::matrix, zeroth::DataType::f32, {300, 7}, 0xdeadbeef, 0},
                    {"b\xc3\xbc"
                     "ffel",
                     Role::vector,
                     zeroth::DataType::bf16,
                     {1, 128},
                     1,
                     (std::uint64_t{1} << 40) + 5}};
  return header;
}

Journal known_journal() {
  Journal journal(known_header());
  journal.append(EvaluationRecord{0, 0, 0.5, 0.75, 500});
  journal.append(StepRecord{
      .step = 0, .step_size = 1e-6F, .coefficients = {-1.5e-7F, 2.5e-7F}, .active_weights = 525, .loss = 0.6931});
  journal.append(StepRecord{.step = 1,
                            .arithmetic = Arithmetic::in_place,
                            .abandoned = 3,
                            .decay = 1e-9F,
                            .step_size = 5e-7F,
                            .coefficients = {1e-30F, -0.0F},
                            .active_weights = std::uint64_t{1} << 33,
                            .loss = 1.25});
  journal.append(StepRecord{.step = 2,
                            .arithmetic = Arithmetic::in_place,
                            .skip_reason = SkipReason::non_finite_loss,
                            .loss = std::numeric_limits<double>::infinity()});
  journal.append(EvaluationRecord{3, 1, -0.625, 0.625, 1});
  return journal;
}

TEST_CASE("a journal has the bytes that its documentation describes") {
  std::vector<std::byte> const bytes = known_bytes();
  REQUIRE(bytes.size() > 300);
  Journal const journal = known_journal();
  CHECK(journal.bytes() == bytes);
  CHECK(journal.size() == bytes.size());

  Journal const read = Journal::read(bytes, "known");
  CHECK(read.header() == journal.header());
  CHECK(read.entries() == journal.entries());
  CHECK(read.steps() == 3);
  CHECK(read.bytes() == bytes);
}

TEST_CASE("the hash of weights gives the known answers") {
  int read = 0;
  for (zeroth_test::KnownAnswer line : zeroth_test::known_answers("journal.txt")) {
    if (line.word() != "hash") continue;
    auto const stream = line.hex<std::uint32_t>();
    auto const element = line.hex<std::uint64_t>();
    auto const bits = line.hex<std::uint32_t>();
    INFO(line.text());
    CHECK(zeroth::weight_hash(stream, element, bits) == line.hex<std::uint64_t>());
    ++read;
  }
  CHECK(read == 4);
}

TEST_CASE("the checksum is the CRC-32 of zlib") {
  std::string_view const text = "123456789";
  auto const bytes = std::as_bytes(std::span(text));
  CHECK(zeroth::crc32(bytes) == 0xcbf43926U);
  CHECK(zeroth::crc32(bytes.subspan(4), zeroth::crc32(bytes.first(4))) == 0xcbf43926U);
  CHECK(zeroth::crc32({}) == 0);
}

}  // namespace

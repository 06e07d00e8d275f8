// SPDX-License-Identifier: MIT
// A journal holds only what its readers and a replay accept.
#include <zeroth/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "catch.hpp"

namespace {

using zeroth::Journal;
using zeroth::JournalHeader;
using zeroth::StepRecord;
using zeroth_test::contains_text;

/// The bytes of a journal with one skipped step, whose record is valid except for one 32-bit number.
std::vector<std::byte> journal_with(std::size_t at, std::uint32_t value) {
  Journal journal(JournalHeader{});
  std::size_t const record = journal.size();
  journal.append(StepRecord{.skip_reason = zeroth::SkipReason::non_finite_loss});
  std::vector<std::byte> bytes = journal.bytes();
  auto put = [&](std::size_t position, std::uint64_t number, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes[position + i] = static_cast<std::byte>(number >> (8 * i) & 0xffU);
  };
  put(record + at, value, 4);
  std::vector<std::byte> place(bytes.begin() + static_cast<std::ptrdiff_t>(record) - 4,
                               bytes.begin() + static_cast<std::ptrdiff_t>(record));
  place.resize(12);  // the header's checksum, and the record's place: 0
  auto const content = std::span(bytes).subspan(record, bytes.size() - record - 4);
  put(bytes.size() - 4, zeroth::crc32(content, zeroth::crc32(place)), 4);
  return bytes;
}

TEST_CASE("a journal has at most so many abandoned attempts at a step, and a reader rejects more") {
  constexpr std::size_t abandoned_at = 8;
  CHECK(zeroth::max_abandoned == 100);
  Journal const read = Journal::read(journal_with(abandoned_at, zeroth::max_abandoned), "run.journal");
  CHECK(std::get<StepRecord>(read.entries().front()).abandoned == zeroth::max_abandoned);
  for (std::uint32_t abandoned : {zeroth::max_abandoned + 1, 0xffffffffU})
    CHECK_THROWS_WITH(
        Journal::read(journal_with(abandoned_at, abandoned), "run.journal"),
        "run.journal: record 0: abandoned attempts: expected at most 100, found " + std::to_string(abandoned));
}

TEST_CASE("what a reader would reject is not written") {
  Journal journal(JournalHeader{});
  auto refused = [&](zeroth::JournalEntry const& entry, std::string const& message) {
    CHECK_THROWS_WITH(journal.append(entry), contains_text(message));
    CHECK(journal.entries().empty());
  };
  StepRecord step{.coefficients = {1}};
  step.abandoned = zeroth::max_abandoned + 1;
  refused(step, "journal: step 0: expected at most 100 abandoned attempts, found 101");
  step.abandoned = 0;
  step.arithmetic = static_cast<zeroth::Arithmetic>(2);
  refused(step, "journal: step 0: arithmetic must be one of the 2 choices of its enum, got number 2");
  step.arithmetic = zeroth::Arithmetic::fused;
  step.skip_reason = static_cast<zeroth::SkipReason>(zeroth::skip_reasons);
  step.coefficients.clear();
  refused(step, "journal: step 0: skip_reason must be one of the 4 choices of its enum, got number 4");
  step.skip_reason = zeroth::SkipReason::none;
  step.coefficients = {std::numeric_limits<float>::quiet_NaN()};
  refused(step, "journal: step 0: expected finite coefficients, found nan");

  auto header_refused = [](zeroth::Role role, zeroth::DataType dtype, std::string const& message) {
    JournalHeader header;
    header.tensors.push_back({.name = "w", .role = role, .dtype = dtype});
    CHECK_THROWS_WITH(Journal(header), contains_text(message));
  };
  header_refused(static_cast<zeroth::Role>(4), zeroth::DataType::f32, "journal: tensor 'w': role must be one of the 4");
  header_refused(zeroth::Role::head, static_cast<zeroth::DataType>(3),
                 "journal: tensor 'w': dtype must be one of the 3");
}

TEST_CASE("a note that is not there is no note of the value none, and of two notes of a name both count") {
  JournalHeader found;
  found.notes = {{"data", "mine"}, {"data", "theirs"}, {"empty", ""}, {"null", "null"}};
  JournalHeader expected;
  auto refused = [&](std::string const& name, std::string const& value, std::string const& message) {
    expected.notes = {{name, value}};
    CHECK_THROWS_WITH(require_same(found, expected, "run.journal"), "run.journal: " + message);
  };
  refused("data", "mine", "data: expected mine, found theirs in the notes of the run");
  refused("data", "theirs", "data: expected theirs, found mine in the notes of the run");
  refused("order", "gguf", "order: expected gguf, found none in the notes of the run");
  refused("order", "none", "order: expected none, found no such note in the notes of the run");
  refused("empty", "null", "empty: expected null, found  in the notes of the run");
  refused("null", "", "null: expected , found null in the notes of the run");
  expected.notes = {{"empty", ""}, {"null", "null"}};
  CHECK_NOTHROW(require_same(found, expected, "run.journal"));
}

}  // namespace

// SPDX-License-Identifier: MIT
// Journals of runs. An accepted journal must read the same again after writing, and after any number of records.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <zeroth/zeroth.hpp>

#include "fuzz_target.hpp"

namespace zeroth_fuzz {
namespace {

using namespace zeroth;

std::string text_of(std::vector<std::byte> const& bytes) {
  return std::string(zeroth_fuzz::text_of(Input(bytes)));
}

/// The input with the checksums of its header and records corrected, or as they would be: otherwise hardly a changed
/// byte gets past them.
std::vector<std::byte> with_checksums(Input input) {
  std::vector<std::byte> bytes(input.begin(), input.end());
  auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[at + i]) << (8 * i);
    return value;
  };
  auto put = [&](std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xffU);
  };
  constexpr std::size_t header_size_at = 12;
  constexpr std::size_t samples_at = 20;
  if (bytes.size() < detail::journal_prefix_bytes) return bytes;
  std::size_t const header = number(header_size_at);
  if (header < detail::journal_prefix_bytes + 4 || header > bytes.size()) return bytes;
  std::uint32_t const of_header = crc32(std::span(bytes).first(header - 4));
  put(header - 4, of_header);
  std::size_t const record = 40 + 4 * std::size_t{number(samples_at)};
  for (std::size_t i = 0; header + (i + 1) * record <= bytes.size(); ++i) {
    detail::ByteWriter place;
    place.number(of_header);
    place.number(std::uint64_t{i});
    std::size_t const at = header + i * record;
    put(at + record - 4, crc32(std::span(bytes).subspan(at, record - 4), crc32(place.bytes())));
  }
  return bytes;
}

/// Returns whether it was accepted.
bool check(std::span<std::byte const> bytes) {
  return reads_or_refuses([&] {
    Journal journal = Journal::read(bytes, "run.journal");
    require(journal.size() <= bytes.size(), "it has more bytes than it was read from");
    std::vector<std::byte> const written = journal.bytes();
    require(text_of(written) == zeroth_fuzz::text_of(bytes.first(journal.size())), "written again, it has other bytes");
    require(read_again([&] { return Journal::read(written, "written"); }).bytes() == written,
            "written again, it reads otherwise");
    std::uint64_t steps = 0;
    for (JournalEntry const& entry : journal.entries()) steps += std::holds_alternative<StepRecord>(entry) ? 1 : 0;
    require(journal.steps() == steps, "it counts other steps than it has");
    if (std::optional<EvaluationRecord> const best = best_evaluation(journal, 1))
      require(best->step <= steps, "the best step is after the last");
    journal.truncate(journal.entries().size() / 2);
    require(journal.bytes().size() == journal.size(), "cut, it has another size than it says");
  });
}

JournalHeader small_header(std::uint32_t samples) {
  JournalHeader header;
  header.base_hash = 0x0123456789abcdef;
  header.samples = samples;
  header.fields = {{"sampler", "gaussian"}, {"seed", "7"}};
  header.notes = {{"row_order", "gguf"}};
  header.tensors = {{"a", Role::matrix, DataType::bf16, {2, 300}, 5, 0},
                    {"b", Role::vector, DataType::f32, {1, 4}, 6, 200}};
  return header;
}

}  // namespace

bool run(Input input) {
  bool const taken = check(input);
  check(with_checksums(input));
  return taken;
}

std::vector<std::string> seeds() {
  Journal one(small_header(1));
  std::vector<std::string> files{text_of(one.bytes())};
  StepRecord step;
  step.coefficients = {0.5F};
  step.loss = 1.25;
  step.active_weights = 600;
  one.append(EvaluationRecord{.step = 0, .kind = 0, .score = 0.5, .loss = 2, .examples = 9});
  one.append(step);
  one.append(EvaluationRecord{.step = 1, .kind = 1, .score = 1, .loss = 1, .examples = 9});
  files.insert(files.begin(), text_of(one.bytes()));
  Journal two(small_header(2));
  step.coefficients = {0.5F, -2.0F};
  step.arithmetic = Arithmetic::in_place;
  step.decay = 0.01F;
  two.append(step);
  StepRecord skipped;
  skipped.step = 1;
  skipped.skip_reason = SkipReason::non_finite_loss;
  two.append(skipped);
  files.push_back(text_of(two.bytes()));
  files.push_back(text_of(two.bytes()) + "torn");
  return files;
}

}  // namespace zeroth_fuzz

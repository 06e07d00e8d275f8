// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/journal/bytes.hpp>
#include <zeroth/journal/checksum.hpp>
#include <zeroth/journal/evaluation_record.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/step_record.hpp>

namespace zeroth::ZEROTH_ISA {

/// One entry of a journal: a step, or an evaluation between steps.
using JournalEntry = std::variant<StepRecord, EvaluationRecord>;

namespace detail {

/// The layout of one journal's records: all have the same size, each with its own checksum that also covers the
/// header's and the record's place, so that no record can be moved or come from another journal. See docs/journal.md.
class RecordLayout {
 public:
  /// @param header encoded: it ends with its checksum
  RecordLayout(std::uint32_t samples, std::span<std::byte const> header)
      : samples_(samples), header_bytes_(header.size()), header_checksum_(stored_checksum(header)) {}

  [[nodiscard]] std::size_t record_bytes() const noexcept { return fixed_bytes + samples_ * sizeof(float); }

  /// Where a record begins in the journal.
  [[nodiscard]] std::size_t start_of(std::size_t index) const noexcept {
    return header_bytes_ + index * record_bytes();
  }

  /// @param step the number of steps that the journal holds, which is the number of the next step
  /// @param index place of the record among all records
  /// @throws InvalidArgument if the entry is not that step's, or has other coefficients than a step of this run
  [[nodiscard]] std::vector<std::byte> encode(JournalEntry const& entry, std::uint64_t step, std::size_t index) const {
    ByteWriter out;
    std::visit([&](auto const& record) { write(out, record, step); }, entry);
    out.pad_to(record_bytes() - checksum_bytes);
    out.number(checksum(out.bytes(), index));
    return out.take();
  }

  /// Whether a record's checksum matches its content and its place.
  [[nodiscard]] bool is_whole(std::span<std::byte const> record, std::size_t index) const {
    return stored_checksum(record) == checksum(record.first(record.size() - checksum_bytes), index);
  }

  /// @param source where the record comes from, for messages
  /// @throws InvalidFile if a record with a matching checksum holds what no run writes
  [[nodiscard]] JournalEntry decode(std::span<std::byte const> record, std::uint64_t step,
                                    std::string const& source) const {
    ByteReader in(record.first(record.size() - checksum_bytes), source);
    auto const number = in.number<std::uint32_t>();
    if (number != step) in.refuse("step: expected " + std::to_string(step) + ", found " + std::to_string(number));
    JournalEntry entry = in.choice(kinds, "kind") == step_kind ? JournalEntry(read_step(in, step))
                                                               : JournalEntry(read_evaluation(in, step));
    in.zeros_to(record.size() - checksum_bytes);
    return entry;
  }

 private:
  static constexpr std::size_t checksum_bytes = sizeof(std::uint32_t);
  static constexpr std::size_t fixed_bytes = 40;
  static constexpr std::uint8_t step_kind = 0;
  static constexpr std::uint8_t evaluation_kind = 1;
  static constexpr std::uint8_t kinds = 2;

  [[nodiscard]] static std::uint32_t stored_checksum(std::span<std::byte const> bytes) {
    return ByteReader(bytes.last(checksum_bytes), {}).number<std::uint32_t>();
  }

  [[nodiscard]] std::uint32_t checksum(std::span<std::byte const> content, std::size_t index) const {
    ByteWriter place;
    place.number(header_checksum_);
    place.number(static_cast<std::uint64_t>(index));
    return crc32(content, crc32(place.bytes()));
  }

  void write(ByteWriter& out, StepRecord const& record, std::uint64_t step) const {
    auto const refuse = [&](std::string const& why) {
      throw InvalidArgument("journal: step " + std::to_string(record.step) + ": " + why);
    };
    if (record.step != step || step > std::numeric_limits<std::uint32_t>::max())
      refuse("expected step " + std::to_string(step) + " to come next");
    if (record.coefficients.size() != (record.skipped() ? 0 : samples_))
      refuse("expected coefficients of " + std::to_string(record.skipped() ? 0 : samples_) + " samples, found " +
             std::to_string(record.coefficients.size()));
    // Write nothing that a reader would reject.
    std::string const what = "journal: step " + std::to_string(record.step) + ": ";
    require_choice(record.arithmetic, arithmetics, what + "arithmetic");
    require_choice(record.skip_reason, skip_reasons, what + "skip_reason");
    if (record.abandoned > max_abandoned)
      refuse("expected at most " + std::to_string(max_abandoned) + " abandoned attempts, found " +
             std::to_string(record.abandoned));
    for (float coefficient : record.coefficients)
      if (!is_finite(coefficient)) refuse("expected finite coefficients, found " + number_text(coefficient));
    out.number(static_cast<std::uint32_t>(record.step));
    out.number(step_kind);
    out.number(static_cast<std::uint8_t>(record.arithmetic));
    out.number(static_cast<std::uint8_t>(record.skip_reason));
    out.number(std::uint8_t{0});
    out.number(record.abandoned);
    out.number(record.decay);
    out.number(record.step_size);
    out.number(record.loss);
    out.number(record.active_weights);
    for (float coefficient : record.coefficients) out.number(coefficient);
  }

  [[nodiscard]] StepRecord read_step(ByteReader& in, std::uint64_t step) const {
    StepRecord record;
    record.step = step;
    record.arithmetic = static_cast<Arithmetic>(in.choice(arithmetics, "arithmetic"));
    record.skip_reason = static_cast<SkipReason>(in.choice(skip_reasons, "skip reason"));
    in.zeros_to(in.position() + 1);
    record.abandoned = in.number<std::uint32_t>();
    if (record.abandoned > max_abandoned)
      in.refuse("abandoned attempts: expected at most " + std::to_string(max_abandoned) + ", found " +
                std::to_string(record.abandoned));
    record.decay = in.single();
    record.step_size = in.single();
    record.loss = in.real();
    record.active_weights = in.number<std::uint64_t>();
    for (std::uint32_t s = 0; s < samples_ && !record.skipped(); ++s) {
      record.coefficients.push_back(in.single());
      if (!is_finite(record.coefficients.back())) in.refuse("coefficient: expected a finite number, found another");
    }
    return record;
  }

  void write(ByteWriter& out, EvaluationRecord const& record, std::uint64_t step) const {
    if (record.step != step || step > std::numeric_limits<std::uint32_t>::max())
      throw InvalidArgument("journal: evaluation at step " + std::to_string(record.step) + ": expected one at step " +
                            std::to_string(step));
    out.number(static_cast<std::uint32_t>(record.step));
    out.number(evaluation_kind);
    out.number(record.kind);
    out.number(std::uint16_t{0});
    out.number(record.score);
    out.number(record.loss);
    out.number(record.examples);
  }

  [[nodiscard]] static EvaluationRecord read_evaluation(ByteReader& in, std::uint64_t step) {
    EvaluationRecord record;
    record.step = step;
    record.kind = in.number<std::uint8_t>();
    in.zeros_to(in.position() + 2);
    record.score = in.real();
    record.loss = in.real();
    record.examples = in.number<std::uint64_t>();
    return record;
  }

  std::uint32_t samples_;
  std::size_t header_bytes_;
  std::uint32_t header_checksum_;
};

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA

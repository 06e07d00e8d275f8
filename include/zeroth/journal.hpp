// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/journal/evaluation_record.hpp>
#include <zeroth/journal/header.hpp>
#include <zeroth/journal/header_bytes.hpp>
#include <zeroth/journal/record_bytes.hpp>
#include <zeroth/step_record.hpp>

namespace zeroth::ZEROTH_ISA {

class Journal;

namespace detail {

/// Describes a journal that `left` bytes follow which are not its next records.
[[nodiscard]] inline std::string damage(Journal const& journal, std::size_t left);

}  // namespace detail

/// The log of a run: what it started from and what each step did. Base weights plus journal give the tuned model.
///
///     zeroth::Journal journal(zeroth::make_journal_header(optimizer));
///     for (int i = 0; i < 1000; ++i) journal.append(optimizer.step(loss));
///     ...
///     zeroth::replay(journal, another);  // an equal optimizer over the base weights, which become the tuned ones
///
/// A value in memory; JournalFile (journal_file.hpp) keeps one on disk during the run. docs/journal.md defines the
/// format.
class Journal {
 public:
  /// @throws InvalidArgument if the header's number of samples is out of range
  explicit Journal(JournalHeader header) : header_(std::move(header)), layout_(header_.samples, encode(header_)) {}

  [[nodiscard]] JournalHeader const& header() const noexcept { return header_; }
  [[nodiscard]] std::vector<JournalEntry> const& entries() const noexcept { return entries_; }

  /// Number of steps, including skipped ones.
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

  /// Adds the record of the next step, or an evaluation after the last one. Returns the bytes by which the journal
  /// grows.
  /// @throws InvalidArgument if the record is not the next step's or has another number of samples
  std::vector<std::byte> append(JournalEntry entry) {
    std::vector<std::byte> bytes = layout_.encode(entry, steps_, entries_.size());
    add(std::move(entry));
    return bytes;
  }

  /// Drops all but the first `count` entries.
  void truncate(std::size_t count) {
    for (; entries_.size() > count; entries_.pop_back()) steps_ -= is_step(entries_.back()) ? 1U : 0U;
  }

  /// Size in bytes.
  [[nodiscard]] std::size_t size() const noexcept { return layout_.start_of(entries_.size()); }

  /// The whole journal as bytes.
  [[nodiscard]] std::vector<std::byte> bytes() const {
    Journal copy(header_);
    std::vector<std::byte> all = encode(header_);
    for (JournalEntry const& entry : entries_) {
      std::vector<std::byte> const record = copy.append(entry);
      all.insert(all.end(), record.begin(), record.end());
    }
    return all;
  }

  /// Size of each record in bytes.
  [[nodiscard]] std::size_t record_bytes() const noexcept { return layout_.record_bytes(); }

  /// Reads a journal up to the first record that does not follow on from those before it. `size()` is where that record
  /// starts. If it is less than `bytes.size()`, the rest is left out, even if it contains good records: a journal with
  /// a gap, or with a missing or extra record, describes a run only up to there.
  /// @param source where the bytes come from, for messages
  /// @throws InvalidFile if this is not a journal, its version is unknown, its header is damaged, or a record with a
  ///   matching checksum holds what no run writes
  [[nodiscard]] static Journal recover(std::span<std::byte const> bytes, std::string const& source) {
    Journal journal(decode_header(bytes, source));
    detail::RecordLayout const& layout = journal.layout_;
    for (std::size_t i = 0; bytes.size() - journal.size() >= layout.record_bytes(); ++i) {
      auto const record = bytes.subspan(layout.start_of(i), layout.record_bytes());
      if (!layout.is_whole(record, i)) break;
      journal.add(layout.decode(record, journal.steps_, source + ": record " + std::to_string(i)));
    }
    return journal;
  }

  /// Reads a complete journal. Only the beginning of one more record, whose writing was cut short, may follow; it is
  /// left out. `size()` is then less than `bytes.size()`, and is where the next record goes.
  /// @param source where the bytes come from, for messages
  /// @throws InvalidFile as `recover` does, and if a record is damaged, missing or duplicated
  [[nodiscard]] static Journal read(std::span<std::byte const> bytes, std::string const& source) {
    Journal journal = recover(bytes, source);
    if (std::size_t const left = bytes.size() - journal.size(); left >= journal.record_bytes())
      throw InvalidFile(source + ": " + detail::damage(journal, left));
    return journal;
  }

 private:
  [[nodiscard]] static bool is_step(JournalEntry const& entry) { return std::holds_alternative<StepRecord>(entry); }

  void add(JournalEntry entry) {
    steps_ += is_step(entry) ? 1U : 0U;
    entries_.push_back(std::move(entry));
  }

  JournalHeader header_;
  detail::RecordLayout layout_;
  std::vector<JournalEntry> entries_;
  std::uint64_t steps_ = 0;
};

inline std::string detail::damage(Journal const& journal, std::size_t left) {
  return "record " + std::to_string(journal.entries().size()) + ", after " + std::to_string(journal.steps()) +
         " steps, is damaged: its checksum does not match its content and place; expected " +
         std::to_string(left / journal.record_bytes()) + " more records, found " + std::to_string(left) +
         " bytes from there on that do not follow on from those before";
}

/// Whether one evaluation is better than another: it has the higher score or, on a tie, the lower loss.
[[nodiscard]] inline bool is_better(EvaluationRecord const& one, EvaluationRecord const& other) noexcept {
  return one.score > other.score || (one.score == other.score && one.loss < other.loss);
}

/// The evaluation of that kind with the highest score; on a tie the one with the lowest loss, and of these the first.
/// None if the journal has no evaluation of that kind.
[[nodiscard]] inline std::optional<EvaluationRecord> best_evaluation(Journal const& journal, std::uint8_t kind) {
  std::optional<EvaluationRecord> best;
  for (JournalEntry const& entry : journal.entries()) {
    auto const* const found = std::get_if<EvaluationRecord>(&entry);
    if (found == nullptr || found->kind != kind) continue;
    if (!best || is_better(*found, *best)) best = *found;
  }
  return best;
}

/// Options of `replay`.
struct ReplayOptions {
  std::optional<std::uint64_t> until{};  ///< number of steps; all by default
  std::vector<JournalField> notes{};     ///< notes that the journal must have, see make_journal_header
  std::string source = "journal";        ///< where the journal comes from, for messages
};

namespace detail {

template <class Optimizer>
void require_no_step(Optimizer const& optimizer, std::string const& source) {
  if (optimizer.steps() != 0)
    throw InvalidArgument(source + ": expected an optimizer before its first step, found one after " +
                          std::to_string(optimizer.steps()));
}

template <class Optimizer>
void replay_steps(Journal const& journal, Optimizer& optimizer, std::uint64_t steps) {
  for (JournalEntry const& entry : journal.entries()) {
    if (optimizer.steps() == steps) return;
    if (auto const* const record = std::get_if<StepRecord>(&entry)) optimizer.replay(*record);
  }
}

}  // namespace detail

/// Replays the steps of a journal without evaluating a loss: the optimizer's weights become those of the run, to the
/// bit.
/// @param optimizer equal to the run's, before its first step, over the base weights
/// @throws InvalidFile naming the difference if the journal is of another run, or if it is too short
/// @throws InvalidArgument if the optimizer has already taken a step
template <class Optimizer>
void replay(Journal const& journal, Optimizer& optimizer, ReplayOptions const& options = {}) {
  detail::require_no_step(optimizer, options.source);
  std::uint64_t const steps = options.until.value_or(journal.steps());
  if (steps > journal.steps())
    throw InvalidFile(options.source + ": expected at least " + std::to_string(steps) + " steps, found " +
                      std::to_string(journal.steps()));
  require_same(journal.header(), make_journal_header(optimizer, options.notes), options.source);
  detail::replay_steps(journal, optimizer, steps);
}

}  // namespace zeroth::ZEROTH_ISA

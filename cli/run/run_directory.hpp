// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "run_lock.hpp"

namespace zeroth::cli {

/// What to do about the run that a folder already holds.
enum class EarlierRun : std::uint8_t { reject, replace, resume };

/// The folder of a run: options.json, metrics.jsonl, journal, summary.json, and model/, adapter/ or both. It stays
/// locked as long as the object lives, see RunLock.
class RunDirectory {
 public:
  /// Creates the folder if it does not exist (unless a run is resumed), locks it, and checks that all of these can be
  /// written. Nothing of an earlier run is changed.
  /// @throws InvalidFile if another run is writing there, if something cannot be written, if there is no run to resume,
  ///   or if there is a run (summary.json, model, adapter, or a journal with a step) that is to be rejected.
  RunDirectory(std::filesystem::path path, EarlierRun earlier);

  [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path options() const { return path_ / "options.json"; }
  [[nodiscard]] std::filesystem::path journal() const { return path_ / "journal"; }
  [[nodiscard]] std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  [[nodiscard]] std::filesystem::path summary() const { return path_ / "summary.json"; }
  [[nodiscard]] std::filesystem::path model() const { return path_ / "model"; }
  [[nodiscard]] std::filesystem::path adapter() const { return path_ / "adapter"; }

  /// Whether a second run is kept out, which a file system without locks cannot do.
  [[nodiscard]] bool is_locked() const noexcept { return lock_.is_locked(); }

  /// See RunLock.
  void require_held() const { lock_.require_held(); }

  /// @param option that gave the input, for messages: "--model"
  /// @param input a file or a folder that the run reads
  /// @throws InvalidFile if it is, or leads to, something in the folder that a run replaces
  void require_not_written(std::string const& option, std::filesystem::path const& input) const;

  /// Removes what becomes invalid once the run writes: the summary of a run that is resumed, or everything of a run
  /// that is replaced, so that the folder never mixes two runs. Also removes incomplete files and models that killed
  /// processes left.
  void begin() const;

  /// @throws InvalidFile if the disk has less than `bytes` free.
  void check_space(std::uint64_t bytes) const;

 private:
  void check() const;

  std::filesystem::path path_;
  EarlierRun earlier_;
  RunLock lock_;
};

/// Locks the folder of a run if `output` is the model or the adapter in it, which an active run would replace.
/// @return the lock; null if `output` is not in the folder of a run
/// @throws InvalidFile if a run is writing there
[[nodiscard]] std::unique_ptr<RunLock> lock_run_of(std::filesystem::path const& output);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>

namespace zeroth::cli {

/// What is to become of the run that a folder already holds.
enum class EarlierRun : std::uint8_t { refuse, replace, go_on };

/// The folder of a run: options.json, metrics.jsonl, journal, summary.json, and model/, adapter/ or both.
class RunDirectory {
 public:
  /// Makes the folder if it is not there, and checks that all of these can be written to it.
  /// @throws InvalidFile if not, or if it holds a run (summary.json, model, adapter, or a journal with a step) and that
  ///   is to be refused.
  RunDirectory(std::filesystem::path path, EarlierRun earlier);
  RunDirectory(RunDirectory const&) = delete;
  RunDirectory& operator=(RunDirectory const&) = delete;

  /// Removes the folder again if it was made here and nothing has come into it.
  ~RunDirectory();

  [[nodiscard]] std::filesystem::path options() const { return path_ / "options.json"; }
  [[nodiscard]] std::filesystem::path journal() const { return path_ / "journal"; }
  [[nodiscard]] std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  [[nodiscard]] std::filesystem::path summary() const { return path_ / "summary.json"; }
  [[nodiscard]] std::filesystem::path model() const { return path_ / "model"; }
  [[nodiscard]] std::filesystem::path adapter() const { return path_ / "adapter"; }

  /// Removes the summary of an earlier run, which no longer holds once there are more metrics, and if the run does not
  /// go on its options and journal.
  void begin();

  /// Removes what killed processes left of models and adapters that they were saving.
  void remove_parts() const;

  /// Removes the model or the adapter that an earlier run left and this one does not replace.
  static void remove_stale(std::filesystem::path const& saved);

  /// @throws InvalidFile if the disk has less than `bytes` free.
  void check_space(std::uint64_t bytes) const;

 private:
  std::filesystem::path path_;
  EarlierRun earlier_;
  bool made_here_ = false;
};

}  // namespace zeroth::cli

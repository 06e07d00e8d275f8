// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include <zeroth/model/format/atomic_file.hpp>

namespace zeroth::cli {

/// A text file being written, whose every failure (a full disk, say) is an exception.
///
/// A regular file appears under its name complete, at `finish`, or not at all; a link is followed, and stays. A device
/// or a pipe is opened once and written where it lies. What stands for a descriptor of this process (/dev/stdout,
/// /dev/fd/3, links to them) is written to that descriptor, after what was written to it before.
class OutputFile {
 public:
  /// @throws InvalidFile if the file cannot be made, or is the very one that standard output or standard error goes to.
  explicit OutputFile(std::filesystem::path const& path);

  /// @throws InvalidFile if not all of `text` could be written; small texts may only fail at `finish`.
  void write(std::string_view text);

  /// @throws InvalidFile if the rest of the text could not be written.
  void finish();

 private:
  friend class AppendedFile;
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using Stream = std::unique_ptr<std::FILE, Close>;

  std::filesystem::path path_;
  std::optional<model::AtomicFile> file_;
  Stream stream_;  ///< to a device, a pipe or a descriptor
};

/// A text file that grows line by line under its final name; each line is with the operating system when `append`
/// returns, and is put on disk by the next that comes a second or more after the last time.
class AppendedFile {
 public:
  /// Starts the file anew.
  /// @throws InvalidFile if it cannot be made.
  explicit AppendedFile(std::filesystem::path const& path);

  /// Goes on after the first `bytes` of the file; what follows them is cut off.
  /// @throws InvalidFile if it cannot be opened or cut.
  AppendedFile(std::filesystem::path const& path, std::uint64_t bytes);

  /// @throws InvalidFile if the line could not be written.
  void append(std::string_view line);

 private:
  using Clock = std::chrono::steady_clock;

  std::filesystem::path path_;
  OutputFile::Stream file_;
  Clock::time_point synchronized_ = Clock::now();
};

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

/// Checks, before any work is done, that `path` can be written as an OutputFile and is none of `inputs`.
/// @throws InvalidFile if not.
void check_writable(std::filesystem::path const& path, std::initializer_list<std::filesystem::path> inputs = {});

/// Checks that neither standard output nor standard error goes to that regular file: what is written to them would come
/// between what is written to the file, or be lost with it when it is replaced.
/// @throws InvalidFile if one does.
void check_not_standard_stream(std::filesystem::path const& path);

/// What a model is saved as.
enum class SavedAs : std::uint8_t { file, folder };

/// Whether what is written to `path` comes to where standard output goes.
[[nodiscard]] bool leads_to_standard_output(std::filesystem::path const& path);

/// Checks, before any work is done, that a model can be saved as the file or folder `path` of the option --output.
/// @returns the path that the links at its end lead to
/// @throws InvalidFile or InvalidArgument if something is there and is not to be replaced, or cannot be.
[[nodiscard]] std::filesystem::path check_saveable(std::filesystem::path const& path, SavedAs form, bool overwrite);

}  // namespace zeroth::cli

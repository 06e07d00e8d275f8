// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include <zeroth_model/io/atomic_file.hpp>

namespace zeroth::cli {

/// A text file being written. Every failure, such as a full disk, is an exception.
///
/// A regular file appears under its name at `finish`, complete, or not at all; links to it are followed and kept. A
/// device or a pipe is opened once and written in place. A path that stands for a descriptor of this process
/// (/dev/stdout, /dev/fd/3, links to them) is written to that descriptor, after what was written to it before.
class OutputFile {
 public:
  /// @throws InvalidFile if the file cannot be created, or is the one that standard output or standard error goes to.
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

/// A text file that grows line by line under its final name. When `append` returns, the operating system has the line;
/// the file is synchronized to disk at most once per second, by `append`.
class AppendedFile {
 public:
  /// Starts an empty file.
  /// @throws InvalidFile if it cannot be created.
  explicit AppendedFile(std::filesystem::path const& path);

  /// Continues after the first `bytes` of the file; what follows them is cut off.
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

/// Checks, before any work is done, that `path` can be written as an OutputFile and is not one of `inputs`.
/// @throws InvalidFile if not.
void check_writable(std::filesystem::path const& path, std::initializer_list<std::filesystem::path> inputs = {});

/// Checks that neither standard output nor standard error goes to that regular file: their text would be mixed into the
/// file, or be lost when the file is replaced.
/// @throws InvalidFile if one does.
void check_not_standard_stream(std::filesystem::path const& path);

/// Whether a model is saved as one file or as a folder.
enum class SavedAs : std::uint8_t { file, folder };

/// Whether what is written to `path` ends up where standard output goes.
[[nodiscard]] bool leads_to_standard_output(std::filesystem::path const& path);

/// Checks, before any work is done, that a model can be saved as the file or folder `path` of the option --output.
/// @returns the path that the links at its end lead to
/// @throws InvalidFile or InvalidArgument if something is there that must not or cannot be replaced.
[[nodiscard]] std::filesystem::path check_saveable(std::filesystem::path const& path, SavedAs form, bool overwrite);

}  // namespace zeroth::cli

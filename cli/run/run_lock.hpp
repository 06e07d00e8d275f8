// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace zeroth::cli {

/// A process's claim to a run's folder: while it is held, no other process of this program writes there.
///
/// It is a file `.zeroth.lock` in the folder, locked by the system, which ends the lock when the process ends, however
/// that is. A file that is there and not locked, as one that a killed process left, is no obstacle. At the end the file
/// is removed. On a file system without locks nobody is kept out.
class RunLock {
 public:
  enum class Folder : std::uint8_t { must_exist, may_be_made };

  static constexpr char const* file_name = ".zeroth.lock";

  /// @param name of the option that gave the folder, for messages: "--out"
  /// @throws InvalidFile if another process holds the folder, if it cannot be made or nothing can be written to it
  RunLock(std::filesystem::path folder, std::string name, Folder mode);
  RunLock(RunLock const&) = delete;
  RunLock& operator=(RunLock const&) = delete;

  /// Gives the folder free, and removes it if it was made here and nothing has come into it.
  ~RunLock();

  /// Whether others are kept out.
  [[nodiscard]] bool is_locked() const noexcept { return locked_; }

  /// @throws InvalidFile if the folder under that name is no longer the one that was locked: it was removed, moved or
  ///   replaced, and may be another run's
  void require_held() const;

 private:
  [[nodiscard]] bool try_to_hold(Folder kind);
  void write_owner() const;

  std::filesystem::path folder_;
  std::filesystem::path file_;
  std::string name_;
  int descriptor_ = -1;
  bool locked_ = false;
  bool made_here_ = false;
};

}  // namespace zeroth::cli

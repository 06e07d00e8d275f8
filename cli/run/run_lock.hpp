// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace zeroth::cli {

/// A process's claim to a run's folder: while it is held, no other process of this program writes there.
///
/// It is a file `.zeroth.lock` in the folder, locked by the system, which releases the lock when the process ends for
/// whatever reason. A file that is not locked, such as one left by a killed process, is no obstacle. The file is
/// removed at the end. On a file system without locks, no process is kept out.
class RunLock {
 public:
  enum class Folder : std::uint8_t { must_exist, may_be_created };

  static constexpr char const* file_name = ".zeroth.lock";

  /// @param name of the option that gave the folder, for messages: "--out"
  /// @throws InvalidFile if another process holds the folder, or if it cannot be created or written to
  RunLock(std::filesystem::path folder, std::string name, Folder mode);
  RunLock(RunLock const&) = delete;
  RunLock& operator=(RunLock const&) = delete;

  /// Releases the folder, and removes it if it was created here and is empty.
  ~RunLock();

  /// Whether other processes are kept out.
  [[nodiscard]] bool is_locked() const noexcept { return locked_; }

  /// @throws InvalidFile if the folder of that name is no longer the one that was locked: it was removed, moved or
  ///   replaced, and may belong to another run
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

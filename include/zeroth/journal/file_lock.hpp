// SPDX-License-Identifier: MIT
#pragma once

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// Result of requesting a lock.
enum class LockResult : std::uint8_t {
  held,         ///< we hold it until the open file is closed, however the process ends
  busy,         ///< another open file holds it, in this process or another
  unavailable,  ///< the file system has no locks, so nobody is kept out
};

/// Requests the lock of an open file (flock), without waiting. The lock belongs to the open file: a second `open` of
/// the same file in this process cannot get it either, and a child made by fork shares it.
[[nodiscard]] inline LockResult try_lock(int descriptor) noexcept {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    return errno == EWOULDBLOCK ? LockResult::busy : LockResult::unavailable;
  }
  return LockResult::held;
}

/// Whether `path` still leads to this open file. Only then does a lock count: the previous holder may have removed or
/// replaced the file between our `open` and our lock.
[[nodiscard]] inline bool is_named(int descriptor, char const* path) noexcept {
  struct ::stat opened {};
  struct ::stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace zeroth::ZEROTH_ISA::detail

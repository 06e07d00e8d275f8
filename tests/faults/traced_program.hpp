// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../cli/program.hpp"

namespace zeroth_test {

/// A system call that a traced program is about to make, on files below the watched folder.
struct FileCall {
  std::string_view name;   ///< "write", "rename", ...; calls of one kind have one name ("open" for openat)
  std::string path;        ///< the file, or the source of a rename
  std::string other_path;  ///< the target of a rename
  std::array<std::uint64_t, 6> arguments{};
  bool at_place = false;  ///< a read or write at the position in the fourth argument
  pid_t process = 0;

  /// Bytes of the program's memory, such as those that a write is about to put into a file.
  [[nodiscard]] std::vector<std::byte> memory(std::uint64_t address, std::size_t count) const;
};

/// What happens to a call.
struct Verdict {
  int error = 0;          ///< if not 0, the call is not made and fails with this errno
  bool is_short = false;  ///< a read or write transfers half of the requested bytes, at least one
  bool kills = false;     ///< the program is killed before the call
};

/// Runs the program zeroth and asks `judge` about each of its calls on files below `watched`, in order. This includes
/// calls whose path does not exist.
///
/// Uses ptrace: nothing in the program or its libraries is replaced, so the test sees what the kernel sees.
/// @throws std::runtime_error if the program hangs: it ran for a minute of processor time
[[nodiscard]] Outcome run_traced(std::vector<std::string> const& arguments, std::filesystem::path const& watched,
                                 std::function<Verdict(FileCall const&)> const& judge);

/// Whether programs can be traced here: on Linux on x86-64, unless a sandbox forbids it.
[[nodiscard]] bool can_trace();

}  // namespace zeroth_test

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

/// A call into the kernel that a traced program is about to make, on files below the watched folder.
struct FileCall {
  std::string_view name;   ///< "write", "rename", ...; calls of one kind have one name ("open" for openat)
  std::string path;        ///< the file, or where a rename comes from
  std::string other_path;  ///< where a rename leads
  std::array<std::uint64_t, 6> arguments{};
  bool at_place = false;  ///< a read or write at the place that the fourth argument gives
  pid_t process = 0;

  /// Bytes of the program's memory, such as those that a write is about to put into a file.
  [[nodiscard]] std::vector<std::byte> memory(std::uint64_t address, std::size_t count) const;
};

/// What becomes of a call.
struct Verdict {
  int error = 0;          ///< not 0: the call is not made and fails with this errno
  bool is_short = false;  ///< a read or write moves half of what was asked for, at least a byte
  bool kills = false;     ///< the program is killed before the call
};

/// Runs the program zeroth and asks `judge` about each of its calls on files below `watched`, in the order in which
/// they are made. Calls that begin with a path which does not exist are among them.
///
/// Through ptrace: nothing in the program or its libraries is replaced, so what is seen is what the kernel sees.
/// @throws std::runtime_error if the program ran for a minute of processor time: it hangs
[[nodiscard]] Outcome run_traced(std::vector<std::string> const& arguments, std::filesystem::path const& watched,
                                 std::function<Verdict(FileCall const&)> const& judge);

/// Whether programs can be traced here: on Linux on x86-64, where a sandbox does not forbid it.
[[nodiscard]] bool can_trace();

}  // namespace zeroth_test

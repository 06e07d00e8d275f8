// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>

namespace zeroth::cli {

/// Opens /dev/null on each of the descriptors 0, 1 and 2 that the process was started without: the next file that it
/// opens would have that number else, and what is printed would be written into it.
/// @returns false if it cannot
[[nodiscard]] bool open_standard_descriptors() noexcept;

/// Where a path leads when something is written to it.
struct Destination {
  /// What the links at the end of the path lead to, whether or not that exists; a folder on the way may be a link.
  std::filesystem::path path;
  /// The descriptor of this process that `path` stands for: of /dev/stdout, /dev/stderr, /dev/fd/N, /proc/self/fd/N
  /// and their like.
  std::optional<int> descriptor;
};

/// Follows the links at the end of `path`, but none of the system's that stand for a descriptor of this process: they
/// lead to the file's name, where only the descriptor knows how it was opened, at which place, and who shares it.
/// @throws InvalidFile if the links lead to each other.
[[nodiscard]] Destination destination_of(std::filesystem::path const& path);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>

namespace zeroth::cli {

/// Opens /dev/null on each of the descriptors 0, 1 and 2 that the process was started without. Otherwise the next file
/// that it opens would get that number, and printed text would go into it.
/// @returns false if it cannot
[[nodiscard]] bool open_standard_descriptors() noexcept;

/// Where something that is written to a path goes.
struct Destination {
  /// The target of the links at the end of the path, whether or not it exists; folders on the way may be links.
  std::filesystem::path path;
  /// The descriptor of this process that `path` stands for, as /dev/stdout, /dev/stderr, /dev/fd/N and
  /// /proc/self/fd/N do.
  std::optional<int> descriptor;
};

/// Follows the links at the end of `path`, except the system's links that stand for a descriptor of this process: those
/// lead to the file's name, but only the descriptor knows how it was opened, its position, and who shares it.
/// @throws InvalidFile if the links form a loop.
[[nodiscard]] Destination destination_of(std::filesystem::path const& path);

}  // namespace zeroth::cli

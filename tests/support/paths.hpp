// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace zeroth_test {

/// The repository's tests/ folder, where fixtures lie. Defined in main.cpp.
std::filesystem::path tests_directory();

/// The folder with data that cannot be redistributed: $ZEROTH_SHARED, otherwise ../shared next to the repository.
/// Nothing if it does not exist: the test then calls ZEROTH_SKIP.
inline std::optional<std::filesystem::path> shared_directory() {
  const char* const given = std::getenv("ZEROTH_SHARED");
  const std::filesystem::path path = given ? given : tests_directory() / ".." / ".." / "shared";
  if (!std::filesystem::is_directory(path)) return std::nullopt;
  return path;
}

}  // namespace zeroth_test

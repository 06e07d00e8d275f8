// SPDX-License-Identifier: MIT
#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// What the process may do with a range of its memory.
enum class MemoryAccess : std::uint8_t { unknown, none, read_only, write };

/// The least access that any part of the range has; `none` where a part is not mapped. As /proc/self/maps of Linux
/// says, `unknown` on other systems.
[[nodiscard]] inline MemoryAccess memory_access([[maybe_unused]] void const* data,
                                                [[maybe_unused]] std::uint64_t bytes) {
#if defined(__linux__)
  std::FILE* const maps = std::fopen("/proc/self/maps", "r");
  if (maps == nullptr) return MemoryAccess::unknown;
  auto at = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(data));
  std::uint64_t const end = at + bytes;
  MemoryAccess least = MemoryAccess::write;
  char line[512];
  bool begins_line = true;
  // In order of address; a line may be longer than we care for.
  while (at < end && std::fgets(line, sizeof line, maps) != nullptr) {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    char readable = 0;
    char writable = 0;
    bool const is_range =
        begins_line && std::sscanf(line, "%" SCNx64 "-%" SCNx64 " %c%c", &first, &last, &readable, &writable) == 4;
    begins_line = false;
    for (char const c : line) {
      begins_line = begins_line || c == '\n';
      if (c == '\n' || c == '\0') break;
    }
    if (!is_range || last <= at) continue;
    if (first > at || readable != 'r') break;
    if (writable != 'w') least = MemoryAccess::read_only;
    at = last;
  }
  std::fclose(maps);
  return at < end ? MemoryAccess::none : least;
#else
  return MemoryAccess::unknown;
#endif
}

}  // namespace zeroth::ZEROTH_ISA

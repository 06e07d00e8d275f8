// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace zeroth::cli {

/// The most memory that this process has held at once, in bytes: VmHWM of /proc/self/status, or getrusage's ru_maxrss
/// where there is no such file. Pages of mapped files count while they are resident.
[[nodiscard]] std::uint64_t peak_memory_bytes();

}  // namespace zeroth::cli

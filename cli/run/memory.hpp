// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace zeroth::cli {

/// The peak memory of this process in bytes: VmHWM of /proc/self/status, or getrusage's ru_maxrss where there is no
/// such file. Resident pages of mapped files count.
[[nodiscard]] std::uint64_t peak_memory_bytes();

}  // namespace zeroth::cli

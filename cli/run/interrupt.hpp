// SPDX-License-Identifier: MIT
#pragma once

namespace zeroth::cli {

/// From now on the first SIGINT or SIGTERM is only noted; the second ends the process as if nothing had caught it.
void catch_interrupts();

/// From now on a reader of what the process writes to a pipe may go away: the write then fails, and the process lives.
void outlive_readers();

/// Whether a signal has come that catch_interrupts() catches.
[[nodiscard]] bool interrupted() noexcept;

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

namespace zeroth::cli {

/// From now on the first SIGINT or SIGTERM is only noted; a second one ends the process by default action.
void catch_interrupts();

/// From now on a write to a pipe that nobody reads fails instead of ending the process.
void outlive_readers();

/// Whether a signal was noted since catch_interrupts().
[[nodiscard]] bool interrupted() noexcept;

}  // namespace zeroth::cli

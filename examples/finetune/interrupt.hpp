// SPDX-License-Identifier: MIT
#pragma once

namespace zeroth::cli {

/// From now on the first SIGINT or SIGTERM is only noted; the second ends the process as if nothing had caught it.
void catch_interrupts();

/// Whether such a signal has come.
[[nodiscard]] bool interrupted() noexcept;

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#include "interrupt.hpp"

#include <csignal>

namespace zeroth::cli {
namespace {

volatile std::sig_atomic_t signal_count = 0;

extern "C" void note_signal(int) {
  signal_count = 1;
  // Async-signal-safe; a second signal of either kind then ends the process.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;  // a write that is under way continues
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void outlive_readers() {
  std::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() noexcept {
  return signal_count != 0;
}

}  // namespace zeroth::cli

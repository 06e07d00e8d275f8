// SPDX-License-Identifier: MIT
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "../../cli/run/interrupt.hpp"
#include "catch.hpp"

namespace {

/// The signal that ended a process which caught `first` and then received `second`; 0 if none did.
int fatal_signal(int first, int second) {
  pid_t const child = fork();
  if (child == 0) {
    zeroth::cli::catch_interrupts();
    if (zeroth::cli::interrupted()) _exit(1);
    std::raise(first);
    if (!zeroth::cli::interrupted()) _exit(2);
    std::raise(second);
    _exit(3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

TEST_CASE("the first interrupt is noted, the second is final, whichever of the two they are") {
  for (int first : {SIGINT, SIGTERM})
    for (int second : {SIGINT, SIGTERM}) CHECK(fatal_signal(first, second) == second);
}

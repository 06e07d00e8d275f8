// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <zeroth/error.hpp>

namespace zeroth_bench {

/// What else a machine does.
struct Load {
  std::string name;
  unsigned processes = 0;
  int niceness = 0;  ///< added to that of this process
};

/// Processes that compute without end while this object lives, as a compiler or another user's program would.
class BusyLoops {
 public:
  /// @throws zeroth::Error if they cannot be started
  explicit BusyLoops(Load const& load) {
    for (unsigned i = 0; i < load.processes; ++i) {
      pid_t const child = ::fork();
      if (child == 0) compute(load.niceness);
      if (child < 0) {
        end();
        throw zeroth::Error(std::string("fork: ") + std::strerror(errno));
      }
      children_.push_back(child);
    }
  }
  ~BusyLoops() { end(); }
  BusyLoops(BusyLoops const&) = delete;
  BusyLoops& operator=(BusyLoops const&) = delete;

 private:
  [[noreturn]] static void compute(int niceness) {
#ifdef __linux__
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    errno = 0;
    if (::nice(niceness) == -1 && errno != 0) ::_exit(1);
    for (std::atomic<unsigned> count{0};;) count.fetch_add(1, std::memory_order_relaxed);
  }

  void end() {
    for (pid_t child : children_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    children_.clear();
  }

  std::vector<pid_t> children_;
};

}  // namespace zeroth_bench

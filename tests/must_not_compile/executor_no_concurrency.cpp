// SPDX-License-Identifier: MIT
// expect: executor.concurrency()
// Executor, requirement 1: it says how many bodies may run at once.
#include <cstddef>

#include <zeroth/executor.hpp>

struct NearMiss {
#ifdef ZEROTH_FIXED
  unsigned concurrency() const {
    return 1;
  }
#endif
  void parallel_for(std::size_t, zeroth::IndexedTask) const {}
};

zeroth::AnyExecutor borrow(NearMiss& executor) {
  return zeroth::AnyExecutor(executor);
}

// SPDX-License-Identifier: MIT
// expect: executor.parallel_for(count, body)
// Executor, requirement 2: it takes a count and a body.
#include <cstddef>

#include <zeroth/executor.hpp>

struct NearMiss {
  unsigned concurrency() const { return 1; }
#ifdef ZEROTH_FIXED
  void parallel_for(std::size_t, zeroth::IndexedTask) const {}
#else
  void parallel_for(zeroth::IndexedTask) const {}
#endif
};

zeroth::AnyExecutor borrow(NearMiss& executor) {
  return zeroth::AnyExecutor(executor);
}

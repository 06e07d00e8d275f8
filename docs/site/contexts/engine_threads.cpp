// SPDX-License-Identifier: MIT
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/zeroth.hpp>

void context() {
  // @block
  static_cast<void>(backend);
}

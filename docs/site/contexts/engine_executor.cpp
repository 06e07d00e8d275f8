// SPDX-License-Identifier: MIT
#include <zeroth/zeroth.hpp>

class WorkerPool {
 public:
  unsigned size() const;
  void run(std::size_t count, zeroth::IndexedTask task);
};
extern WorkerPool pool;

// @block

static_assert(zeroth::Executor<EngineExecutor const>);

// SPDX-License-Identifier: MIT
#include <zeroth/zeroth.hpp>

class ThreadPool {
 public:
  unsigned size() const;
  void run(std::size_t count, zeroth::IndexedTask task);
};
extern ThreadPool pool;

// @block

static_assert(zeroth::Executor<EngineExecutor const>);

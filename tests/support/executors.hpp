// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include <zeroth/executor.hpp>

namespace zeroth_test {

/// Runs the odd indices backwards, then the even ones: an order on which nothing may depend.
struct ShuffledExecutor {
  [[nodiscard]] unsigned concurrency() const { return 3; }
  void parallel_for(std::size_t count, zeroth::IndexedTask body) const {
    for (std::size_t i = count; i-- > 0;)
      if (i % 2 == 1) body(i);
    for (std::size_t i = 0; i < count; i += 2) body(i);
  }
};

/// Four threads that each take the next index.
struct ThreadExecutor {
  [[nodiscard]] unsigned concurrency() const { return 4; }
  void parallel_for(std::size_t count, zeroth::IndexedTask body) const {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < std::min<std::size_t>(count, 4); ++t)
      threads.emplace_back([&] {
        for (std::size_t i = next++; i < count; i = next++) body(i);
      });
    for (std::thread& thread : threads) thread.join();
  }
};

}  // namespace zeroth_test

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

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

}  // namespace zeroth_test

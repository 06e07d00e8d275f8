// SPDX-License-Identifier: MIT
#include <zeroth/executor/openmp.hpp>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "catch.hpp"

namespace {

using zeroth::OpenMpExecutor;

TEST_CASE("OpenMP's threads run each index once") {
  for (unsigned threads : {0U, 1U, 3U}) {
    OpenMpExecutor executor(threads);
    CHECK(executor.concurrency() >= 1);
    std::vector<int> counts(1000, 0);
    zeroth::AnyExecutor(executor).parallel_for(counts.size(), [&](std::size_t i) { ++counts[i]; });
    CHECK(counts == std::vector<int>(1000, 1));
  }
}

TEST_CASE("an exception leaves OpenMP's threads once all have ended") {
  OpenMpExecutor executor(3);
  std::atomic<int> ended{0};
  auto body = [&](std::size_t i) {
    if (i == 0) throw std::runtime_error("from a body");
    ++ended;
  };
  CHECK_THROWS_WITH(zeroth::AnyExecutor(executor).parallel_for(100, body), "from a body");
  // On one thread (no -fopenmp) the first exception ends the loop.
  CHECK((ended == 99 || executor.concurrency() == 1));
}

}  // namespace

// SPDX-License-Identifier: MIT
#include <zeroth/executor.hpp>

#include <numeric>
#include <vector>

#include "catch.hpp"
#include "executors.hpp"

namespace {

using zeroth::AnyExecutor;

struct NoConcurrency {
  void parallel_for(std::size_t, zeroth::IndexedTask) const {}
};

/// How often each index ran.
std::vector<int> runs(AnyExecutor executor, std::size_t count) {
  std::vector<int> counts(count, 0);
  executor.parallel_for(count, [&](std::size_t i) { ++counts[i]; });
  return counts;
}

TEST_CASE("the concept Executor accepts what it documents and nothing less") {
  STATIC_REQUIRE(zeroth::Executor<zeroth::SerialExecutor>);
  STATIC_REQUIRE(zeroth::Executor<zeroth_test::ShuffledExecutor>);
  STATIC_REQUIRE_FALSE(zeroth::Executor<NoConcurrency>);
}

TEST_CASE("every executor runs each index once") {
  zeroth_test::ShuffledExecutor shuffled;
  for (std::size_t count : {0U, 1U, 2U, 7U, 1000U}) {
    std::vector<int> const once(count, 1);
    CHECK(runs({}, count) == once);
    CHECK(runs(AnyExecutor(shuffled), count) == once);
  }
}

TEST_CASE("the default executor is serial, a borrowed one says how many it runs at once") {
  CHECK(AnyExecutor{}.concurrency() == 1);
  zeroth_test::ShuffledExecutor shuffled;
  AnyExecutor const borrowed(shuffled);
  AnyExecutor const copy = borrowed;
  CHECK(copy.concurrency() == 3);

  std::vector<std::size_t> order;
  AnyExecutor{}.parallel_for(5, [&](std::size_t i) { order.push_back(i); });
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 4});
}

TEST_CASE("an exception from a body leaves the executor") {
  CHECK_THROWS_AS(AnyExecutor{}.parallel_for(3,
                                             [](std::size_t i) {
                                               if (i == 1) throw 7;
                                             }),
                  int);
}

}  // namespace

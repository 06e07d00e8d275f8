// SPDX-License-Identifier: MIT
#include <zeroth/executor/thread_pool.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"

namespace {

using zeroth::AnyExecutor;
using zeroth::ThreadPool;

/// How often each index ran.
std::vector<int> runs(AnyExecutor pool, std::size_t count) {
  std::vector<int> counts(count, 0);
  pool.parallel_for(count, [&](std::size_t i) { ++counts[i]; });
  return counts;
}

/// Runs `threads` bodies that each wait until all have begun, so it returns only if as many threads take part. Sleeps
/// before, if asked to, for longer than workers spin.
std::set<std::thread::id> meet(ThreadPool const& pool, bool sleeps) {
  if (sleeps) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  std::vector<std::thread::id> threads(pool.concurrency());
  std::atomic<std::size_t> begun{0};
  AnyExecutor(pool).parallel_for(threads.size(), [&](std::size_t i) {
    threads[i] = std::this_thread::get_id();
    ++begun;
    while (begun < threads.size()) std::this_thread::yield();
  });
  return {threads.begin(), threads.end()};
}

TEST_CASE("a pool runs each index once") {
  for (unsigned threads : {0U, 1U, 2U, 3U, 8U}) {
    ThreadPool const pool(threads);
    CHECK(pool.concurrency() == (threads == 0 ? ThreadPool::default_threads() : threads));
    for (std::size_t count : {0U, 1U, 2U, 3U, 7U, 1000U}) CHECK(runs(pool, count) == std::vector<int>(count, 1));
  }
}

TEST_CASE("all threads of a pool work, also after they have slept") {
  for (unsigned threads : {2U, 5U}) {
    ThreadPool const pool(threads);
    for (int i = 0; i < 20; ++i) CHECK(meet(pool, i % 2 == 0).size() == threads);
    CHECK(meet(pool, false).contains(std::this_thread::get_id()));
  }
}

TEST_CASE("a loop of fewer tasks than threads wakes as many as it needs") {
  ThreadPool const pool(5);
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> begun{0};
    AnyExecutor(pool).parallel_for(2, [&](std::size_t) {
      ++begun;
      while (begun < 2) std::this_thread::yield();
    });
    CHECK(begun == 2);
  }
}

TEST_CASE("workers that come late to one loop of a pool work in the next") {
  // More threads than processors, and loops that end before all have come. The state of each is gone when they come.
  ThreadPool const pool(16);
  std::size_t sum = 0;
  for (std::size_t loop = 0; loop < 20'000; ++loop) {
    std::size_t const count = 2 + loop % 5;
    std::vector<std::size_t> values(count, 0);
    AnyExecutor(pool).parallel_for(count, [&](std::size_t i) { values[i] = loop; });
    for (std::size_t value : values) sum += value - loop + 1;
  }
  CHECK(sum == 80'000);
}

TEST_CASE("a loop does not wait for a worker that never comes") {
  ThreadPool const pool(4);
  (void)meet(pool, false);
  // fork() copies only the thread that calls it.
  pid_t const child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    bool right = true;
    for (int i = 0; i < 100; ++i) right = right && runs(pool, 50) == std::vector<int>(50, 1);
    _exit(right ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(runs(pool, 50) == std::vector<int>(50, 1));
}

TEST_CASE("an exception leaves a pool once all bodies have ended, and the pool still works") {
  ThreadPool const pool(3);
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> ended{0};
    auto body = [&](std::size_t i) {
      if (i % 10 == 3) throw std::runtime_error("from a body");
      ++ended;
    };
    CHECK_THROWS_WITH(AnyExecutor(pool).parallel_for(100, body), "from a body");
    CHECK(ended == 90);
  }
  CHECK(meet(pool, false).size() == 3);
}

TEST_CASE("a body may run a loop of the same pool") {
  ThreadPool const pool(3);
  std::vector<std::vector<int>> counts(20);
  AnyExecutor(pool).parallel_for(counts.size(), [&](std::size_t i) { counts[i] = runs(pool, 30); });
  CHECK(counts == std::vector<std::vector<int>>(20, std::vector<int>(30, 1)));
  CHECK_THROWS_AS(AnyExecutor(pool).parallel_for(
                      5, [&](std::size_t) { AnyExecutor(pool).parallel_for(5, [](std::size_t) { throw 7; }); }),
                  int);
  CHECK(meet(pool, false).size() == 3);
}

TEST_CASE("several threads may use a pool at once") {
  ThreadPool const pool(3);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> callers;
  for (int& count : wrong)
    callers.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) count += runs(pool, 10) == std::vector<int>(10, 1) ? 0 : 1;
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("a pool may end at any moment, and its threads end with it") {
  for (int i = 0; i < 200; ++i) {
    ThreadPool const pool(4);
    if (i % 2 == 0) CHECK(runs(pool, static_cast<std::size_t>(i)) == std::vector<int>(static_cast<std::size_t>(i), 1));
    if (i % 50 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_CASE("two pools work inside each other") {
  ThreadPool const outer(2);
  ThreadPool const inner(2);
  for (int i = 0; i < 100; ++i) {
    std::vector<std::vector<int>> counts(8);
    AnyExecutor(outer).parallel_for(counts.size(), [&](std::size_t k) { counts[k] = runs(inner, 8); });
    CHECK(counts == std::vector<std::vector<int>>(8, std::vector<int>(8, 1)));
  }
}

TEST_CASE("a pool of too many threads is rejected") {
  CHECK_THROWS_WITH(ThreadPool(4097), "threads of a pool: expected at most 4096, got 4097");
}

}  // namespace

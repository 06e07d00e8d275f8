// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>

namespace zeroth::ZEROTH_ISA {

/// Threads of its own as an executor, for machines that do other work too.
///
/// The calling thread works as well: a loop never waits for a worker that has not begun a task, so a worker that the
/// system lets run late costs nothing. It waits at most for tasks that were begun. Threads that have nothing to do spin
/// for a moment, so that one loop soon after another is cheap, and then sleep.
///
/// Any number of threads may call `parallel_for` at once: one uses the workers, the others run their loops by
/// themselves, as does a body that calls it. No thread outlives the pool. In a child of fork(), which has no workers,
/// every loop runs on the calling thread; do not destroy the pool there.
class ThreadPool {
 public:
  static constexpr unsigned most_threads = 4096;

  /// @param threads number of threads, counting the one that calls; 0: one for each processor that the process may use
  /// @throws InvalidArgument for more than `most_threads`, Error if the system cannot start so many
  explicit ThreadPool(unsigned threads = 0) {
    if (threads == 0) threads = default_threads();
    if (threads > most_threads)
      throw InvalidArgument("threads of a pool: expected at most " + std::to_string(most_threads) + ", got " +
                            std::to_string(threads));
    workers_.reserve(threads - 1);
    try {
      while (concurrency() < threads) workers_.emplace_back([this] { work(); });
    } catch (std::system_error const& error) {
      std::string const started = std::to_string(concurrency());
      stop();
      throw Error("threads of a pool: expected the system to start " + std::to_string(threads) + ", found that it " +
                  "starts " + started + " (" + error.what() + "); use fewer");
    } catch (...) {
      stop();
      throw;
    }
  }
  ~ThreadPool() { stop(); }
  ThreadPool(ThreadPool const&) = delete;
  ThreadPool& operator=(ThreadPool const&) = delete;

  /// The threads of a pool that is told no number: as many as there are processors for this process.
  [[nodiscard]] static unsigned default_threads() noexcept {
#if defined(__linux__) && defined(CPU_COUNT)
    cpu_set_t processors;
    if (::sched_getaffinity(0, sizeof processors, &processors) == 0)
      return std::clamp(static_cast<unsigned>(CPU_COUNT(&processors)), 1U, most_threads);
#endif
    return std::clamp(std::thread::hardware_concurrency(), 1U, most_threads);
  }

  [[nodiscard]] unsigned concurrency() const noexcept {
    return static_cast<unsigned>(workers_.size()) + 1;
  }

  void parallel_for(std::size_t count, IndexedTask body) const {
    if (count < 2 || workers_.empty() || is_in_use_.test_and_set(std::memory_order_acquire)) {
      SerialExecutor{}.parallel_for(count, body);
      return;
    }
    Loop loop(count, body);
    open(loop);
    loop.run();
    close();
    is_in_use_.clear(std::memory_order_release);
    if (loop.failure) std::rethrow_exception(loop.failure);
  }

 private:
  /// Lives on the stack of the thread that calls: only workers that have entered the gate may use it.
  struct Loop {
    Loop(std::size_t tasks, IndexedTask task) : count(tasks), body(task) {}

    /// Takes tasks until there are none.
    void run() noexcept {
      for (std::size_t i = next.fetch_add(1, std::memory_order_relaxed); i < count;
           i = next.fetch_add(1, std::memory_order_relaxed)) {
        try {
          body(i);
        } catch (...) {
          if (!has_failed.test_and_set(std::memory_order_relaxed)) failure = std::current_exception();
        }
      }
    }

    std::size_t const count;
    IndexedTask const body;
    std::atomic_flag has_failed;
    std::exception_ptr failure;
    alignas(64) std::atomic<std::size_t> next{0};
  };

  // The gate is one word, so that each change of it is seen as a whole: how many workers are in the loop, how many
  // sleep, and these flags.
  static constexpr std::uint32_t one_inside = 1;
  static constexpr std::uint32_t one_asleep = most_threads;
  static constexpr std::uint32_t all_inside = one_asleep - 1;
  static constexpr std::uint32_t is_open = one_asleep * most_threads;  // a loop has tasks that nobody has taken yet
  static constexpr std::uint32_t is_awaited = is_open << 1;            // the caller sleeps until all have left
  static constexpr std::uint32_t is_ending = is_open << 2;             // workers are to return

  // Longer than what lies between two loops of a forward pass, shorter than what another program would miss.
  static constexpr std::chrono::microseconds spinning{100};

  /// Waits for a condition without sleeping, for that time at most. Returns whether it is met.
  template <class Condition>
  static bool spin_until(Condition is_met) {
    auto poll = [&] {
      for (int i = 0; i < 32; ++i) {
        if (is_met()) return true;
#if defined(__SSE2__) || defined(_M_X64)
        _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
        __asm__ volatile("yield");
#endif
      }
      return false;
    };
    if (poll()) return true;  // before the clock is read
    auto const end = std::chrono::steady_clock::now() + spinning;
    do {
      if (poll()) return true;
    } while (std::chrono::steady_clock::now() < end);
    return false;
  }

  /// Lets workers enter, and wakes those that the loop can use.
  void open(Loop& loop) const {
    loop_ = &loop;
    std::uint32_t const before = gate_.fetch_or(is_open);
    std::size_t const asleep = before / one_asleep % most_threads;
    if (asleep == 0) return;
    std::size_t const awake = workers_.size() - asleep;
    std::size_t const useful = std::min(loop.count - 1, workers_.size());
    if (useful == workers_.size())
      gate_.notify_all();
    else
      for (std::size_t i = awake; i < useful; ++i) gate_.notify_one();
  }

  /// Lets no more workers enter, and waits for those inside.
  void close() const {
    if ((gate_.fetch_and(~is_open, std::memory_order_acquire) & all_inside) == 0) return;
    if (spin_until([this] { return (gate_.load(std::memory_order_acquire) & all_inside) == 0; })) return;
    // A worker that has to wait for its processor gets this one sooner if nobody spins on it.
    have_left_.store(0, std::memory_order_relaxed);
    if ((gate_.fetch_or(is_awaited, std::memory_order_acq_rel) & all_inside) != 0)
      have_left_.wait(0, std::memory_order_acquire);
    gate_.fetch_and(~is_awaited, std::memory_order_relaxed);
  }

  /// A worker's life.
  void work() noexcept {
    while (wait_for_loop()) {
      if (!enter()) continue;
      loop_->run();
      leave();
    }
  }

  /// Returns whether there is a loop, or was a moment ago; false when the pool ends.
  bool wait_for_loop() noexcept {
    auto now = [this] { return gate_.load(std::memory_order_relaxed); };
    if (!spin_until([&] { return (now() & (is_open | is_ending)) != 0; })) {
      std::uint32_t gate = gate_.fetch_add(one_asleep) + one_asleep;
      for (; (gate & (is_open | is_ending)) == 0; gate = now()) gate_.wait(gate, std::memory_order_relaxed);
      gate_.fetch_sub(one_asleep, std::memory_order_relaxed);
    }
    return (now() & is_ending) == 0;
  }

  /// Returns whether the loop was still open.
  bool enter() noexcept {
    std::uint32_t gate = gate_.load(std::memory_order_relaxed);
    while ((gate & is_open) != 0)
      if (gate_.compare_exchange_weak(gate, gate + one_inside, std::memory_order_acquire, std::memory_order_relaxed))
        return true;
    return false;
  }

  /// Nobody enters after the first who leaves: there are no tasks any more.
  void leave() noexcept {
    std::uint32_t gate = gate_.load(std::memory_order_relaxed);
    while (!gate_.compare_exchange_weak(gate, (gate & ~is_open) - one_inside, std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
    }
    if ((gate & all_inside) != one_inside || (gate & is_awaited) == 0) return;
    have_left_.store(1, std::memory_order_release);
    have_left_.notify_one();
  }

  void stop() noexcept {
    gate_.fetch_or(is_ending);
    gate_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  alignas(64) mutable std::atomic<std::uint32_t> gate_{0};
  mutable Loop* loop_ = nullptr;  // written while the gate is closed
  alignas(64) mutable std::atomic<std::uint32_t> have_left_{0};
  mutable std::atomic_flag is_in_use_;
  std::vector<std::thread> workers_;  // last, as they use the rest
};

static_assert(Executor<ThreadPool const>);

}  // namespace zeroth::ZEROTH_ISA

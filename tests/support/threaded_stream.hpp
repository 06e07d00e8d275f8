// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/kernel.hpp>

#include "host_stream.hpp"

namespace zeroth_test {

/// A HostStream that runs kernels like a device: the 256 threads of a block at once, with a barrier between phases, and
/// several blocks at once. For the thread sanitizer, which finds unordered accesses.
class ThreadedStream : private HostStream {
 public:
  using HostStream::allocate;
  using HostStream::blocks_at_once;
  using HostStream::reaches;
  using HostStream::synchronize;
  using HostStream::transfer;
  using HostStream::upload;
  using HostStream::zero;

  static constexpr unsigned resident_blocks = 2;

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t blocks, std::string const& what) const {
    zeroth::cuda::check_launch<Kernel>(blocks, what);
    std::atomic<std::uint64_t> next = 0;
    std::vector<std::unique_ptr<Block<Kernel>>> resident;
    for (unsigned b = 0; b < resident_blocks; ++b) resident.push_back(std::make_unique<Block<Kernel>>());
    pool_->run([&](unsigned b, unsigned thread) { run_thread(kernel, *resident[b], next, blocks, thread); });
  }
  template <class Kernel>
  void launch_stored(Kernel const* kernel, std::uint64_t blocks, std::string const& what) const {
    launch(*kernel, blocks, what);
  }

 private:
  class Barrier {
   public:
    explicit Barrier(unsigned threads) { pthread_barrier_init(&barrier_, nullptr, threads); }
    ~Barrier() { pthread_barrier_destroy(&barrier_); }
    Barrier(Barrier const&) = delete;
    Barrier& operator=(Barrier const&) = delete;
    void wait() { pthread_barrier_wait(&barrier_); }

   private:
    pthread_barrier_t barrier_;
  };

  /// The threads of all resident blocks, which live as long as the stream: creating them takes longer than most
  /// kernels.
  class Pool {
   public:
    Pool() {
      for (unsigned b = 0; b < resident_blocks; ++b)
        for (unsigned t = 0; t < zeroth::cuda::block_threads; ++t) threads_.emplace_back([this, b, t] { serve(b, t); });
    }
    ~Pool() {
      run({});
      for (std::thread& thread : threads_) thread.join();
    }
    Pool(Pool const&) = delete;
    Pool& operator=(Pool const&) = delete;

    /// Calls work(block, thread) on each thread; null: the threads end.
    void run(std::function<void(unsigned, unsigned)> work) {
      work_ = std::move(work);
      begin_.wait();
      end_.wait();
    }

   private:
    static constexpr unsigned participants = resident_blocks * zeroth::cuda::block_threads + 1;

    void serve(unsigned block, unsigned thread) {
      for (;;) {
        begin_.wait();
        bool const ends = work_ == nullptr;
        if (!ends) work_(block, thread);
        end_.wait();
        if (ends) return;
      }
    }

    std::function<void(unsigned, unsigned)> work_;
    Barrier begin_{participants};
    Barrier end_{participants};
    std::vector<std::thread> threads_;
  };

  /// What the threads of a resident block share.
  template <class Kernel>
  struct Block {
    typename Kernel::Shared shared;
    std::uint64_t number = 0;
    Barrier barrier{zeroth::cuda::block_threads};
  };

  /// Runs one thread of a resident block, for each block of the grid that it becomes.
  template <class Kernel>
  static void run_thread(Kernel const& kernel, Block<Kernel>& block, std::atomic<std::uint64_t>& next,
                         std::uint64_t blocks, unsigned thread) {
    for (;;) {
      if (thread == 0) {
        block.number = next++;
        std::memset(&block.shared, 0x5a, sizeof block.shared);  // shared memory is not zeroed
      }
      block.barrier.wait();
      if (block.number >= blocks) return;
      zeroth::cuda::Place at{thread, block.number, blocks};
      unsigned rounds = 1;
      if constexpr (requires { kernel.rounds(at); }) rounds = kernel.rounds(at);
      for (; at.round != rounds; ++at.round)
        run_phases(kernel, at, block, std::make_integer_sequence<unsigned, Kernel::phases>());
    }
  }
  template <class Kernel, unsigned... phases>
  static void run_phases(Kernel const& kernel, zeroth::cuda::Place at, Block<Kernel>& block,
                         std::integer_sequence<unsigned, phases...> /*all*/) {
    ((kernel.template run<phases>(at, block.shared), block.barrier.wait()), ...);
  }

  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
};

}  // namespace zeroth_test

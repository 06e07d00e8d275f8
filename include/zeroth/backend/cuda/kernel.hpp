// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>

// A kernel here is a value whose code is host and device code, so that the tests run it without a device:
//
//     struct Kernel {
//       struct Shared {...};                         // what the threads of a block share; zeroed by nobody
//       static constexpr unsigned phases = 1;        // the threads of a block wait for each other between two
//       template <unsigned phase>
//       ZEROTH_HOST_DEVICE void run(cuda::Place at, Shared& shared) const;
//     };
//
// A grid's blocks have cuda::block_threads threads, and every thread runs every phase to its end. A kernel that has
//
//       ZEROTH_HOST_DEVICE unsigned rounds(cuda::Place at) const;
//
// runs all its phases that often, at.round counting from 0; it says the same for all threads of a block.

namespace zeroth::cuda {

/// Threads of a block.
inline constexpr unsigned block_threads = 256;

/// Which thread of a grid this is.
struct Place {
  unsigned thread;       ///< of the block
  std::uint64_t block;   ///< of the grid
  std::uint64_t blocks;  ///< in the grid
  unsigned round = 0;    ///< of a kernel that has rounds()

  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t global() const noexcept { return block * block_threads + thread; }
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t threads() const noexcept { return blocks * block_threads; }
};

/// For kernels whose threads share nothing.
struct NothingShared {};

/// Adds to a number in memory that other threads add to.
template <class T>
ZEROTH_HOST_DEVICE void add_to(T* sum, T value) noexcept {
#if defined(__CUDA_ARCH__)
  atomicAdd(sum, value);
#else
  *sum += value;
#endif
}

/// The same of a thread's count; all threads of its warp must come here together. Integers: no order matters.
ZEROTH_HOST_DEVICE inline void add_count(unsigned long long* sum, unsigned count) noexcept {
#if defined(__CUDA_ARCH__)
#if __CUDA_ARCH__ >= 800
  unsigned const of_warp = __reduce_add_sync(0xffffffffU, count);
  if (threadIdx.x % 32 == 0 && of_warp != 0) atomicAdd(sum, static_cast<unsigned long long>(of_warp));
#endif
#else
  *sum += count;
#endif
}

}  // namespace zeroth::cuda

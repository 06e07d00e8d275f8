// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <zeroth/config.hpp>
#include <zeroth/error.hpp>

// A kernel here is a value whose code is host and device code, so the tests can run it without a device:
//
//     struct Kernel {
//       struct Shared {...};                         // memory that the threads of a block share; not zeroed
//       static constexpr unsigned phases = 1;        // a block's threads synchronize between phases
//       template <unsigned phase>
//       ZEROTH_HOST_DEVICE void run(cuda::Place at, Shared& shared) const;
//     };
//
// The blocks of a grid have cuda::block_threads threads, and every thread runs every phase to its end. A kernel with
//
//       ZEROTH_HOST_DEVICE unsigned rounds(cuda::Place at) const;
//
// runs all its phases that many times, with at.round counting from 0; it returns the same number for all threads of a
// block.

namespace zeroth::ZEROTH_ISA::cuda {

/// Threads per block.
inline constexpr unsigned block_threads = 256;

/// The most bytes that the threads of a block may share: every device provides this without being configured.
inline constexpr std::size_t most_shared_bytes = std::size_t{48} << 10;

/// The most bytes of a kernel's values, which are its argument.
inline constexpr std::size_t most_argument_bytes = 4096;

/// The most blocks of a grid.
inline constexpr std::uint64_t most_blocks = 0x7fffffff;

/// The checks that every stream makes before it launches a kernel.
/// @throws InvalidArgument if no device accepts the grid
template <class Kernel>
void check_launch(std::uint64_t blocks, std::string const& what) {
  static_assert(std::is_trivially_copyable_v<Kernel>, "a kernel is copied to the device as bytes");
  static_assert(sizeof(Kernel) <= most_argument_bytes, "a kernel's values take at most 4 KiB");
  static_assert(sizeof(typename Kernel::Shared) <= most_shared_bytes, "threads of a block share at most 48 KiB");
  static_assert(Kernel::phases >= 1, "a kernel has a phase");
  if (blocks == 0 || blocks > most_blocks)
    throw InvalidArgument("launch (" + what + "): expected a grid of 1 to " + std::to_string(most_blocks) +
                          " blocks, got " + std::to_string(blocks));
}

/// Identifies a thread within a grid.
struct Place {
  unsigned thread;       ///< within the block
  std::uint64_t block;   ///< within the grid
  std::uint64_t blocks;  ///< in the grid
  unsigned round = 0;    ///< for a kernel that has rounds()

  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t global() const noexcept { return block * block_threads + thread; }
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t threads() const noexcept { return blocks * block_threads; }
};

/// For kernels whose threads share no memory.
struct NothingShared {};

/// Adds to a number in memory to which other threads also add. Integers only, so the order does not matter.
template <class T>
ZEROTH_HOST_DEVICE void add_to(T* sum, T value) noexcept {
  static_assert(std::is_integral_v<T>, "sums of other numbers depend on the order");
#if defined(__CUDA_ARCH__)
  atomicAdd(sum, value);
#else
  __atomic_fetch_add(sum, value, __ATOMIC_RELAXED);  // the tests also use threads
#endif
}

/// Adds a thread's count to a sum; all threads of its warp must call it together.
ZEROTH_HOST_DEVICE inline void add_count(unsigned long long* sum, unsigned count) noexcept {
#if defined(__CUDA_ARCH__)
#if __CUDA_ARCH__ >= 800
  unsigned const of_warp = __reduce_add_sync(0xffffffffU, count);
  if (threadIdx.x % 32 == 0 && of_warp != 0) atomicAdd(sum, static_cast<unsigned long long>(of_warp));
#endif
#else
  add_to(sum, static_cast<unsigned long long>(count));
#endif
}

}  // namespace zeroth::ZEROTH_ISA::cuda

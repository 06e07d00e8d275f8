// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include <zeroth/config.hpp>
#include <zeroth/error.hpp>

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

namespace zeroth::ZEROTH_ISA::cuda {

/// Threads of a block.
inline constexpr unsigned block_threads = 256;

/// Bytes that the threads of a block may share: what every device gives without being asked for more.
inline constexpr std::size_t most_shared_bytes = std::size_t{48} << 10;

/// Bytes of a kernel's values, which are its argument.
inline constexpr std::size_t most_argument_bytes = 4096;

/// Blocks of a grid.
inline constexpr std::uint64_t most_blocks = 0x7fffffff;

/// What every stream asks of a kernel and its grid before it launches it.
/// @throws InvalidArgument if a device would not take the grid
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

/// Adds to a number in memory that other threads add to. Integers: no order matters.
template <class T>
ZEROTH_HOST_DEVICE void add_to(T* sum, T value) noexcept {
  static_assert(std::is_integral_v<T>, "sums of other numbers depend on the order");
#if defined(__CUDA_ARCH__)
  atomicAdd(sum, value);
#else
  __atomic_fetch_add(sum, value, __ATOMIC_RELAXED);  // the tests have threads too
#endif
}

/// The same of a thread's count; all threads of its warp must come here together.
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

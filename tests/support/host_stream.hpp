// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/basic_backend.hpp>

namespace zeroth_test {

/// The order in which a HostStream runs the threads of a phase and the blocks of a grid. A device promises none.
enum class Sequence { forward, reverse, random };

/// Runs CUDA kernels on the host: block by block, phase by phase, thread by thread.
class HostStream {
 public:
  explicit HostStream(Sequence sequence = Sequence::forward, unsigned seed = 0)
      : sequence_(sequence), random_(std::make_shared<std::mt19937>(seed)) {}

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t blocks, std::string const& what) const {
    zeroth::cuda::check_launch<Kernel>(blocks, what);
    if (sequence_ != Sequence::random) {
      for (std::uint64_t i = 0; i < blocks; ++i)
        launch_block(kernel, {0, sequence_ == Sequence::forward ? i : blocks - 1 - i, blocks});
      return;
    }
    std::vector<std::uint64_t> order(static_cast<std::size_t>(blocks));
    std::iota(order.begin(), order.end(), std::uint64_t{0});
    std::shuffle(order.begin(), order.end(), *random_);
    for (std::uint64_t block : order) launch_block(kernel, {0, block, blocks});
  }

  /// As a graph launches a kernel.
  template <class Kernel>
  void launch_stored(Kernel const* kernel, std::uint64_t blocks, std::string const& what) const {
    launch(*kernel, blocks, what);
  }

  /// Runs one block of a grid.
  template <class Kernel>
  void launch_block(Kernel const& kernel, zeroth::cuda::Place at) const {
    typename Kernel::Shared shared;
    std::memset(&shared, 0x5a, sizeof shared);  // shared memory is not zeroed
    unsigned rounds = 1;
    if constexpr (requires { kernel.rounds(at); }) rounds = kernel.rounds(at);
    for (; at.round != rounds; ++at.round)
      run_phases(kernel, at, shared, std::make_integer_sequence<unsigned, Kernel::phases>());
  }

  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes, std::string const& /*what*/) const {
    std::byte* const memory = new std::byte[bytes]();
    (*owned_)[memory] = bytes;
    return {memory, [owned = owned_](std::byte* p) {
              owned->erase(p);
              delete[] p;
            }};
  }

  static void zero(void* memory, std::size_t bytes, std::string const& /*what*/) { std::memset(memory, 0, bytes); }
  // Otherwise g++ sees sizes of types that a caller does not use.
  [[gnu::noinline]] static void transfer(void* to, void const* from, std::size_t bytes, std::string const& /*what*/) {
    std::memcpy(to, from, bytes);
  }

  static void upload(void* to, void const* from, std::size_t bytes, std::string const& what) {
    transfer(to, from, bytes, what);
  }

  /// Whether the memory was allocated here: other memory would work too, but a device could not access it.
  [[nodiscard]] bool reaches(void const* memory) const {
    auto const* const p = static_cast<std::byte const*>(memory);
    return std::any_of(owned_->begin(), owned_->end(), [&](auto const& block) {
      return std::greater_equal<>()(p, block.first) && std::less<>()(p, block.first + block.second);
    });
  }
  [[nodiscard]] static std::uint64_t blocks_at_once() { return 3; }
  static void synchronize(std::string const& /*what*/) {}

 private:
  template <class Kernel, unsigned... phases>
  void run_phases(Kernel const& kernel, zeroth::cuda::Place at, typename Kernel::Shared& shared,
                  std::integer_sequence<unsigned, phases...> /*all*/) const {
    (run_phase<phases>(kernel, at, shared), ...);
  }
  template <unsigned phase, class Kernel>
  void run_phase(Kernel const& kernel, zeroth::cuda::Place at, typename Kernel::Shared& shared) const {
    constexpr unsigned threads = zeroth::cuda::block_threads;
    if (sequence_ == Sequence::forward) {
      for (at.thread = 0; at.thread < threads; ++at.thread) kernel.template run<phase>(at, shared);
    } else if (sequence_ == Sequence::reverse) {
      for (at.thread = threads; at.thread-- > 0;) kernel.template run<phase>(at, shared);
    } else {
      std::array<unsigned, threads> order;
      std::iota(order.begin(), order.end(), 0U);
      std::shuffle(order.begin(), order.end(), *random_);
      for (unsigned thread : order) {
        at.thread = thread;
        kernel.template run<phase>(at, shared);
      }
    }
  }

  Sequence sequence_;
  std::shared_ptr<std::mt19937> random_;

  std::shared_ptr<std::map<std::byte*, std::size_t>> owned_ = std::make_shared<std::map<std::byte*, std::size_t>>();
};

/// The CUDA backend's own code, except for launches.
using EmulatedCudaBackend = zeroth::cuda::BasicBackend<HostStream>;
static_assert(zeroth::Backend<EmulatedCudaBackend>);
static_assert(zeroth::BackendWithMemory<EmulatedCudaBackend>);

}  // namespace zeroth_test

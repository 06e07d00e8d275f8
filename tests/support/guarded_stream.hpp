// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include <zeroth/backend/cuda/basic_backend.hpp>

#include "host_stream.hpp"

namespace zeroth_test {

/// A HostStream whose memory the host can access as little as a device's: only kernels and transfers can; any other
/// access, and any beyond its end, is a segmentation fault. It rejects kernels that receive a host address.
class GuardedStream : private HostStream {
 public:
  using HostStream::blocks_at_once;
  using HostStream::synchronize;

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t blocks, std::string const& what) const {
    check_arguments(kernel, what);
    Access const access(*owned_);
    HostStream::launch(kernel, blocks, what);
  }

  /// As a graph launches a kernel that lies in its memory.
  template <class Kernel>
  void launch_stored(Kernel const* kernel, std::uint64_t blocks, std::string const& what) const {
    Access const access(*owned_);
    HostStream::launch(*kernel, blocks, what);
  }

  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes, std::string const& /*what*/) const {
    // The memory ends at a protected page, up to the 16 bytes that kernels read at a time.
    std::size_t const page = page_size();
    std::size_t const used = std::max<std::size_t>((bytes + 15) / 16 * 16, 16);
    std::size_t const pages = (used + page - 1) / page * page;
    void* const mapped = ::mmap(nullptr, pages + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    std::byte* const memory = static_cast<std::byte*>(mapped) + (pages - used);
    (*owned_)[memory] = {bytes, mapped, pages};
    return {memory, [owned = owned_, mapped, all = pages + page](std::byte* p) {
              owned->erase(p);
              ::munmap(mapped, all);
            }};
  }

  void zero(void* memory, std::size_t bytes, std::string const& what) const {
    Access const access(*owned_);
    HostStream::zero(memory, bytes, what);
  }
  void transfer(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    Access const access(*owned_);
    HostStream::transfer(to, from, bytes, what);
  }
  void upload(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    transfer(to, from, bytes, what);
  }

  /// Whether the memory was allocated here.
  [[nodiscard]] bool reaches(void const* memory) const {
    auto const* const p = static_cast<std::byte const*>(memory);
    return std::any_of(owned_->begin(), owned_->end(), [&](auto const& owned) {
      std::size_t const bytes = std::max<std::size_t>(owned.second.bytes, 1);
      return std::greater_equal<>()(p, owned.first) && std::less<>()(p, owned.first + bytes);
    });
  }

 private:
  struct Block {
    std::size_t bytes = 0;
    void* pages = nullptr;
    std::size_t bytes_of_pages = 0;
  };
  using Blocks = std::map<std::byte*, Block>;

  /// Access to all of the memory, while it lives.
  class Access {
   public:
    explicit Access(Blocks const& blocks) : blocks_(blocks) { protect(PROT_READ | PROT_WRITE); }
    ~Access() { protect(PROT_NONE); }
    Access(Access const&) = delete;
    Access& operator=(Access const&) = delete;

   private:
    void protect(int protection) const {
      for (auto const& [memory, block] : blocks_) ::mprotect(block.pages, block.bytes_of_pages, protection);
    }
    Blocks const& blocks_;
  };

  [[nodiscard]] static std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

  /// A word that is a valid address must point to memory allocated here. Programs, heaps and stacks lie above 2^46;
  /// sizes, indices and seeds of tests are below. Only with g++: padding holds old contents.
  template <class Kernel>
  void check_arguments([[maybe_unused]] Kernel kernel, [[maybe_unused]] std::string const& what) const {
#if defined(__GNUC__) && !defined(__clang__)
    __builtin_clear_padding(&kernel);
    // Rules of updates hold only numbers. g++ takes a copy of one apart and does not clear its padding.
    std::size_t numbers = 0;
    std::size_t numbers_end = 0;
    if constexpr (requires { kernel.change.rule; }) {
      auto const offset = [&](auto const& member) {
        return static_cast<std::size_t>(reinterpret_cast<std::byte const*>(&member) -
                                        reinterpret_cast<std::byte const*>(&kernel));
      };
      numbers = offset(kernel.change.rule);
      numbers_end = offset(kernel.change.state);
    }
    for (std::size_t at = 0; at + sizeof(std::uint64_t) <= sizeof kernel; at += sizeof(std::uint64_t)) {
      if (at >= numbers && at < numbers_end) continue;
      std::uint64_t word;
      std::memcpy(&word, reinterpret_cast<std::byte const*>(&kernel) + at, sizeof word);
      if (word >> 46 != 1) continue;
      void* const page = reinterpret_cast<void*>(word / page_size() * page_size());
      unsigned char resident = 0;
      if (::mincore(page, 1, &resident) == 0 && !reaches(reinterpret_cast<void const*>(word)))
        throw std::logic_error(what + ": the kernel is given an address of the host's");
    }
#endif
  }

  std::shared_ptr<Blocks> owned_ = std::make_shared<Blocks>();
};

/// The CUDA backend's own code, except for launches, on memory that the host cannot access.
using GuardedCudaBackend = zeroth::cuda::BasicBackend<GuardedStream>;

}  // namespace zeroth_test

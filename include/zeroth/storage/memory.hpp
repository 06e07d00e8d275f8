// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// The optional members of a backend whose passes cannot or should not access host memory: the optimizer then keeps
/// what it stores in addition to the weights in the backend's memory.
///
/// 1. `allocate(bytes)` returns zeroed memory that the backend's passes can access, freed with its last owner.
/// 2. `transfer(to, from, bytes)` copies between host memory and such memory, in either direction, or within either,
///    after all work requested from the backend before.
template <class T>
concept BackendWithMemory = requires(T const& backend, void* to, void const* from, std::size_t bytes) {
  { backend.allocate(bytes) } -> std::convertible_to<std::shared_ptr<std::byte>>;
  backend.transfer(to, from, bytes);
};

/// Memory that a backend's passes can access: the backend's own if it has any, otherwise the host's. Initially zero.
/// Copies share it.
class BackendBuffer {
 public:
  /// No memory.
  BackendBuffer() = default;

  template <class Backend>
  BackendBuffer([[maybe_unused]] Backend const& backend, std::size_t bytes) : bytes_(bytes) {
    if constexpr (BackendWithMemory<Backend>)
      memory_ = backend.allocate(bytes);
    else
      memory_ = {new std::byte[bytes](), std::default_delete<std::byte[]>()};
  }

  /// Copies values from host memory.
  template <class Backend>
  BackendBuffer(Backend const& backend, std::span<std::byte const> values) : BackendBuffer(backend, values.size()) {
    copy_from(backend, values.data(), values.size());
  }

  /// Copies bytes to the beginning of this memory, or from there; the other side is in host or backend memory.
  template <class Backend>
  void copy_from(Backend const& backend, void const* from, std::size_t bytes) const {
    copy(backend, memory_.get(), from, bytes);
  }
  template <class Backend>
  void copy_to(Backend const& backend, void* to, std::size_t bytes) const {
    copy(backend, to, memory_.get(), bytes);
  }

  [[nodiscard]] bool empty() const noexcept { return memory_ == nullptr; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  /// Pointer to the first T; null if there is no memory.
  template <class T>
  [[nodiscard]] T* as() const noexcept {
    return reinterpret_cast<T*>(memory_.get());
  }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {memory_.get(), bytes_}; }

 private:
  template <class Backend>
  static void copy([[maybe_unused]] Backend const& backend, void* to, void const* from, std::size_t bytes) {
    if (bytes == 0) return;
    if constexpr (BackendWithMemory<Backend>)
      backend.transfer(to, from, bytes);
    else
      std::memcpy(to, from, bytes);
  }

  std::shared_ptr<std::byte> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA

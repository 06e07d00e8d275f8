// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// What a backend adds whose passes cannot reach the host's memory, or should not: where what is kept beside the
/// weights lies then.
///
/// 1. `allocate(bytes)` returns memory that the backend's passes can reach, all zeros, freed with its last owner.
/// 2. `transfer(to, from, bytes)` copies between the host's memory and such, either way round, or within either, after
///    all that was asked of the backend before.
template <class T>
concept BackendWithMemory = requires(T const& backend, void* to, void const* from, std::size_t bytes) {
  { backend.allocate(bytes) } -> std::convertible_to<std::shared_ptr<std::byte>>;
  backend.transfer(to, from, bytes);
};

/// Zeros where the passes of a backend can reach them: the backend's memory, or else the host's.
template <class Backend>
[[nodiscard]] std::shared_ptr<std::byte> allocate_for([[maybe_unused]] Backend const& backend, std::size_t bytes) {
  if constexpr (BackendWithMemory<Backend>)
    return backend.allocate(bytes);
  else
    return {new std::byte[bytes](), std::default_delete<std::byte[]>()};
}

/// Copies between the host and what `allocate_for` gave, either way round.
template <class Backend>
void transfer_for([[maybe_unused]] Backend const& backend, void* to, void const* from, std::size_t bytes) {
  if (bytes == 0) return;
  if constexpr (BackendWithMemory<Backend>)
    backend.transfer(to, from, bytes);
  else
    std::memcpy(to, from, bytes);
}

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Where a decoder's weights lie, if not in host memory: a type-erased BackendWithMemory.
struct WeightMemory {
  std::function<std::shared_ptr<std::byte>(std::size_t bytes)> allocate;        ///< zeroed memory
  std::function<void(void* to, void const* from, std::size_t bytes)> transfer;  ///< in either direction

  /// The memory of a backend, of which a copy is kept.
  template <BackendWithMemory Backend>
  [[nodiscard]] static WeightMemory of(Backend const& backend) {
    return {[backend](std::size_t bytes) -> std::shared_ptr<std::byte> { return backend.allocate(bytes); },
            [backend](void* to, void const* from, std::size_t bytes) { backend.transfer(to, from, bytes); }};
  }

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(allocate); }
};

}  // namespace zeroth::ZEROTH_ISA::model

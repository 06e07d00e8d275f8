// SPDX-License-Identifier: MIT
#include <cstdint>
#include <span>

#include <zeroth/zeroth.hpp>

void context(std::span<std::uint16_t> q, std::span<float> norm) {
  // @block
}

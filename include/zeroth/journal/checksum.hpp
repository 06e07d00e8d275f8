// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

inline constexpr std::array<std::uint32_t, 256> crc32_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t c = byte;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1U) != 0 ? 0xedb88320U : 0U);
    table[byte] = c;
  }
  return table;
}();

}  // namespace detail

/// CRC-32 as in zlib, PNG and Ethernet (polynomial 0x04c11db7, reflected); "123456789" gives 0xcbf43926.
/// @param before checksum of the preceding bytes, 0 if there are none
[[nodiscard]] constexpr std::uint32_t crc32(std::span<std::byte const> bytes, std::uint32_t before = 0) noexcept {
  std::uint32_t c = ~before;
  for (std::byte byte : bytes) c = (c >> 8) ^ detail::crc32_table[(c ^ static_cast<std::uint32_t>(byte)) & 0xffU];
  return ~c;
}

}  // namespace zeroth::ZEROTH_ISA

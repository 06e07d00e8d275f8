// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <span>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// A std::array whose elements device code may access: nvcc lets device code call std::array's operators only with a
/// flag that users should not need. On the host it converts to a std::array, or to a std::span of its elements.
template <class T, std::size_t N>
struct Array {
  T elements[N];

  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr T& operator[](std::size_t i) noexcept { return elements[i]; }
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr T const& operator[](std::size_t i) const noexcept { return elements[i]; }
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr T* data() noexcept { return elements; }
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr T const* data() const noexcept { return elements; }
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr T* begin() noexcept { return elements; }
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr T const* begin() const noexcept { return elements; }
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr T* end() noexcept { return elements + N; }
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr T const* end() const noexcept { return elements + N; }
  [[nodiscard]] ZEROTH_HOST_DEVICE static constexpr std::size_t size() noexcept { return N; }

  constexpr operator std::array<T, N>() const {  // NOLINT(google-explicit-constructor): the same values
    std::array<T, N> copy{};
    for (std::size_t i = 0; i < N; ++i) copy[i] = elements[i];
    return copy;
  }
  constexpr operator std::span<T, N>() noexcept {  // NOLINT(google-explicit-constructor): as std::array does
    return std::span<T, N>(elements);
  }

  auto operator<=>(Array const&) const = default;
  bool operator==(Array const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

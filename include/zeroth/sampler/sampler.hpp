// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <tuple>

#include <zeroth/numeric/array.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/random/tile.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

template <class T>
inline constexpr std::size_t array_size = 0;
template <class T, std::size_t N>
inline constexpr std::size_t array_size<std::array<T, N>> = N;
template <class T, std::size_t N>
inline constexpr std::size_t array_size<Array<T, N>> = N;

template <class T>
inline constexpr bool is_array_of_floats = false;
template <std::size_t N>
inline constexpr bool is_array_of_floats<std::array<float, N>> = true;
template <std::size_t N>
inline constexpr bool is_array_of_floats<Array<float, N>> = true;

}  // namespace detail

/// A distribution of the perturbation z: maps a block of random bits to a block of values.
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `sampler(block)` takes 128 random bits and returns std::array<float, V>, V one of 1, 2, 4, ..., 128. For device
///    code it is marked ZEROTH_HOST_DEVICE and returns zeroth::Array<float, V>.
/// 3. It is pure: the same bits and an equal sampler give the same values, on any thread. The bits are the same on
///    every machine only if each multiply-add in it is an explicit std::fma or cannot be contracted.
/// 4. Over uniform bits the values are uncorrelated, with mean 0 and variance 1; the estimate of the gradient is then
///    unbiased up to O(epsilon^2). check_policies measures it.
/// 5. `sampler.value(block, i)` is optional and returns the i-th of these values, for kernels that need few of many.
/// 6. `name()` identifies the distribution and its mapping of bits in logs and journals; a sampler with settings also
///    has `description()`, see describe.
///
/// The smallest type that satisfies it:
///
///     struct Coin {
///       std::array<float, 1> operator()(zeroth::RandomBlock const& b) const { return {b[0] & 1 ? 1.0F : -1.0F}; }
///       static constexpr std::string_view name() { return "coin"; }
///       bool operator==(Coin const&) const = default;
///     };
template <class T>
concept Sampler = std::regular<T> && requires(T const& sampler, RandomBlock const& block) {
  { sampler(block)[0] } -> std::convertible_to<float>;
  requires detail::is_array_of_floats<decltype(sampler(block))>;
  requires detail::array_size<decltype(sampler(block))>
  >= 1;
  requires tile_size % detail::array_size<decltype(sampler(block))> == 0;
  { sampler.name() } -> std::convertible_to<std::string_view>;
};

/// How many values a sampler makes from one random block.
template <Sampler S>
inline constexpr unsigned values_per_block =
    static_cast<unsigned>(detail::array_size<decltype(std::declval<S const&>()(std::declval<RandomBlock const&>()))>);

/// The perturbation z of a step: a pure function of only (seed, step, sample, stream, element).
template <Sampler S>
struct NoiseField {
  S sampler;
  std::uint64_t seed = 0;
  std::uint32_t step = 0;

  /// The perturbation of another step.
  [[nodiscard]] ZEROTH_HOST_DEVICE NoiseField at(std::uint32_t other_step) const noexcept {
    return {sampler, seed, other_step};
  }

  [[nodiscard]] ZEROTH_HOST_DEVICE RandomSource source(std::uint32_t stream, std::uint32_t sample) const noexcept {
    return {seed, step, stream, sample, Purpose::perturbation};
  }

  /// z of one element of the tensor with that stream. Every faster path is tested against this definition.
  ZEROTH_CALLS_USERS_CODE
  [[nodiscard]] ZEROTH_HOST_DEVICE float value(std::uint32_t stream, std::uint32_t sample,
                                               std::uint64_t element) const {
    BlockPosition const at = block_position<values_per_block<S>>(element);
    return sampler(source(stream, sample).block(at.block))[at.value];
  }
};

}  // namespace zeroth::ZEROTH_ISA

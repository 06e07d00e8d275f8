// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/config.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/split_mix.hpp>
#include <zeroth/parameters.hpp>

namespace zeroth::ZEROTH_ISA {

/// The contribution of one weight to the hash of a set of weights.
/// @param stream noise stream of its tensor
/// @param element its index in the whole tensor
/// @param bits of its value as f32
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint64_t weight_hash(std::uint32_t stream, std::uint64_t element,
                                                                     std::uint32_t bits) noexcept {
  return split_mix(split_mix(std::uint64_t{stream} << 32 | bits) + element);
}

/// The hash of all current weights, as f32: the sum modulo 2^64 of `weight_hash`. It does not depend on any order, so
/// threads, devices and shards may each sum their part. It depends on streams and values, not on names, types or how
/// tensors are split. It tells one base from another; it does not protect against forgery.
///
/// One pass over the weights, on the backend's executor if it has one.
template <Backend B>
[[nodiscard]] std::uint64_t hash_weights(ParameterSet const& parameters, B const& backend) {
  constexpr std::uint64_t chunk = std::uint64_t{1} << 16;
  AnyExecutor executor;
  if constexpr (BackendWithExecutor<B>) executor = backend.executor();
  std::uint64_t hash = 0;
  for (Parameter const& p : parameters) {
    std::vector<std::uint64_t> sums(static_cast<std::size_t>((p.size() + chunk - 1) / chunk), 0);
    executor.parallel_for(sums.size(), [&](std::size_t i) {
      std::uint64_t const first = i * chunk;
      std::vector<float> values(static_cast<std::size_t>(std::min(chunk, p.size() - first)));
      backend.read(p, first, std::span(values));
      std::uint64_t element = p.offset + first;
      for (float value : values) sums[i] += weight_hash(p.stream, element++, bits_of(value));
    });
    for (std::uint64_t sum : sums) hash += sum;
  }
  return hash;
}

}  // namespace zeroth::ZEROTH_ISA

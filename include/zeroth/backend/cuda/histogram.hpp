// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <zeroth/backend/cuda/kernel.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth/storage/widen.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// Counts the weights of a tensor by one digit of their magnitudes, only those whose higher digits are `prefix`: one
/// round of radix selection. Reads 16 bytes at a time. Grid: as many blocks as the device runs at once.
struct HistogramKernel {
  static constexpr unsigned max_bins = 2048;
  /// The block's count for each bin.
  struct Shared {
    std::uint32_t bins[max_bins];
  };
  static constexpr unsigned phases = 3;

  /// How many blocks must share a tensor so that no block's count exceeds 32 bits: apart from its last packets, each
  /// block looks at no more than 2^31 weights.
  [[nodiscard]] static constexpr std::uint64_t least_blocks(std::uint64_t size) noexcept { return (size >> 31) + 1; }

  void const* weights;
  DataType dtype;
  std::uint64_t size;
  unsigned shift;        ///< lowest bit of the digit within a magnitude's 31 bits
  unsigned digit_bits;   ///< at most 11
  std::uint32_t prefix;  ///< the bits above the digit
  unsigned long long* counts;

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& shared) const {
    if constexpr (phase == 0) {
      for (unsigned b = at.thread; b < 1U << digit_bits; b += block_threads) shared.bins[b] = 0;
    } else if constexpr (phase == 1) {
      count(at, shared);
    } else {
      for (unsigned b = at.thread; b < 1U << digit_bits; b += block_threads)
        if (shared.bins[b] != 0) add_to(counts + b, static_cast<unsigned long long>(shared.bins[b]));
    }
  }

 private:
  struct alignas(16) Packet {
    Array<std::uint32_t, 4> words;
  };

  ZEROTH_HOST_DEVICE void count(Place at, Shared& shared) const noexcept {
    std::uint64_t const in_packet = sizeof(Packet) / size_of(dtype);
    bool const aligned = reinterpret_cast<std::uintptr_t>(weights) % sizeof(Packet) == 0;
    std::uint64_t const packets = aligned ? size / in_packet : 0;
    for (std::uint64_t i = at.global(); i < packets; i += at.threads()) {
      Packet const packet = static_cast<Packet const*>(weights)[i];
      for (std::size_t w = 0; w < 4; ++w) {
        if (dtype == DataType::f32) {
          add(shared, float_of(packet.words[w]));
        } else {
          add(shared, widen(dtype, static_cast<std::uint16_t>(packet.words[w])));
          add(shared, widen(dtype, static_cast<std::uint16_t>(packet.words[w] >> 16)));
        }
      }
    }
    for (std::uint64_t i = packets * in_packet + at.global(); i < size; i += at.threads())
      add(shared, dtype == DataType::f32 ? static_cast<float const*>(weights)[i]
                                         : widen(dtype, static_cast<std::uint16_t const*>(weights)[i]));
  }

  ZEROTH_HOST_DEVICE void add(Shared& shared, float weight) const noexcept {
    std::uint32_t const magnitude = magnitude_bits(weight) >> shift;
    if (magnitude >> digit_bits == prefix) add_to(&shared.bins[magnitude & ((1U << digit_bits) - 1)], std::uint32_t{1});
  }
};

}  // namespace zeroth::ZEROTH_ISA::cuda

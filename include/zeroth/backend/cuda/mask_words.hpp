// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/backend/cuda/kernel.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth/storage/widen.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// Writes the mask as bits. Grid: one thread per word.
template <MaskRule Rule>
struct MaskWordsKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;

  void const* weights;  ///< the tensor's memory
  DataType dtype;
  std::uint64_t offset;  ///< index of weights[0] in the whole tensor
  std::uint64_t size;
  std::uint64_t origin;  ///< index in the whole tensor of the first bit of out[0]
  TensorMask<Rule> mask;
  std::uint64_t words;
  std::uint64_t* out;

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    std::uint64_t const word = at.global();
    if (word >= words) return;
    std::uint64_t bits = 0;
    for (unsigned b = 0; b < 64; ++b) {
      std::uint64_t const element = origin + word * 64 + b;
      std::uint64_t const index = element - offset;  // wraps around before weights[0]
      if (index >= size) continue;
      float const theta = dtype == DataType::f32 ? static_cast<float const*>(weights)[index]
                                                 : widen(dtype, static_cast<std::uint16_t const*>(weights)[index]);
      if (mask(theta, element)) bits |= std::uint64_t{1} << b;
    }
    out[word] = bits;
  }
};

}  // namespace zeroth::ZEROTH_ISA::cuda

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <zeroth/backend/cuda/kernel.hpp>
#include <zeroth/config.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth/storage/widen.hpp>

// Shared by the transformer's CUDA kernels, which are host and device code, as backend/cuda/kernel.hpp explains, and
// compute in f32 whatever types they read and write.

namespace zeroth::ZEROTH_ISA::model::cuda {

using zeroth::cuda::block_threads;
using zeroth::cuda::NothingShared;
using zeroth::cuda::Place;

/// Element i of memory of that type.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float load(DataType dtype, void const* memory, std::uint64_t i) noexcept {
  return dtype == DataType::f32 ? static_cast<float const*>(memory)[i]
                                : widen(dtype, static_cast<std::uint16_t const*>(memory)[i]);
}

/// Rounds to nearest and stores to element i.
ZEROTH_HOST_DEVICE inline void store(DataType dtype, void* memory, std::uint64_t i, float value) noexcept {
  if (dtype == DataType::f32)
    static_cast<float*>(memory)[i] = value;
  else
    static_cast<std::uint16_t*>(memory)[i] = narrow(dtype, value);
}

/// std::numeric_limits's value, which device code cannot call.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float minus_infinity() noexcept {
  return float_of(0xff800000U);
}

/// Address of element i in memory of that type.
template <class Memory>
[[nodiscard]] Memory* advanced(DataType dtype, Memory* memory, std::uint64_t i) noexcept {
  using Byte = std::conditional_t<std::is_const_v<Memory>, std::byte const, std::byte>;
  return static_cast<Byte*>(memory) + i * size_of(dtype);
}

/// A weight vector or matrix as all lanes see it.
struct LaneWeights {
  void const* data = nullptr;
  DataType dtype = DataType::f32;
  std::uint64_t lane_stride = 0;  ///< elements from one lane's to the next; 0: all lanes share it

  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(std::uint64_t lane, std::uint64_t i) const noexcept {
    return load(dtype, data, lane * lane_stride + i);
  }
};

/// Activations as a kernel receives them: lanes x rows x features.
struct LaneRows {
  void* data = nullptr;
  DataType dtype = DataType::f32;
  std::uint64_t lanes = 0;
  std::uint64_t rows = 0;
  std::uint64_t features = 0;

  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t size() const noexcept { return lanes * rows * features; }

  /// The same memory in rows of `width` features, a divisor of `features`.
  [[nodiscard]] LaneRows with_features(std::uint64_t width) const noexcept {
    return {data, dtype, lanes, rows * (features / width), width};
  }
  [[nodiscard]] ZEROTH_HOST_DEVICE float get(std::uint64_t i) const noexcept { return load(dtype, data, i); }
  ZEROTH_HOST_DEVICE void set(std::uint64_t i, float value) const noexcept { store(dtype, data, i, value); }
};

/// A sum over the threads of a block, in a fixed order: each thread contributes a part, `fold` runs one phase later,
/// and `total` one after that.
struct BlockSum {
  static constexpr unsigned folds = 16;
  float parts[block_threads];
  float folded[folds];

  ZEROTH_HOST_DEVICE void fold(unsigned thread) noexcept {
    if (thread >= folds) return;
    float sum = 0;
    for (unsigned i = 0; i < block_threads / folds; ++i) sum += parts[i * folds + thread];
    folded[thread] = sum;
  }
  [[nodiscard]] ZEROTH_HOST_DEVICE float total() const noexcept {
    float sum = 0;
    for (float part : folded) sum += part;
    return sum;
  }
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

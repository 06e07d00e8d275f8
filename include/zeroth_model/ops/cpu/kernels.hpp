// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <zeroth/backend/cpu/instruction_set.hpp>

/// The inner loops of the CPU decoder: a register-tiled product of weight rows with blocks of tokens, and exponentials.
///
/// Activations lie in blocks of 16 tokens: element (feature i, token t) of a block is at [i * 16 + t]. So a product
/// broadcasts weights, which are read in place in their own row order, and neither operand is ever packed or copied.
/// Each element of a product is one sum over k in ascending order: it depends only on its own row and token, not on
/// tile sizes, threads or neighbours.
namespace zeroth::ZEROTH_ISA::model::cpu {

/// Tokens per block: one AVX-512 vector, two of AVX2, four of SSE or NEON.
inline constexpr std::size_t block_tokens = 16;

/// Y = W X for a panel of weight rows and a run of token blocks.
struct ProductArguments {
  std::size_t rows;           ///< rows of W
  std::size_t inner;          ///< columns of W, features of X
  float const* weights;       ///< row-major
  std::size_t weight_stride;  ///< floats from one row of W to the next
  std::size_t blocks;         ///< blocks of 16 tokens
  float const* input;         ///< 64-byte aligned
  std::size_t input_stride;   ///< floats from one block of X to the next, a multiple of 16
  float* output;              ///< row 0 of the first block of Y, 64-byte aligned
  std::size_t output_stride;  ///< floats from one block of Y to the next, a multiple of 16
};

/// Computes one product; product_for selects the one for an instruction set.
using Product = void (*)(ProductArguments const&);

/// Replaces each of `rows` x 16 values by e^(value - top[t]) and adds it to sum[t], where t is the value's place in its
/// row.
///
/// Relative error below 2e-7; 0 if the exponent is below -87, e^88 if it is above 88, NaN if it is NaN.
using Exponentials = void (*)(std::size_t rows, float* values, float const* top, float* sum);

/// gate[i] = gate[i] / (1 + e^-gate[i]) * up[i] for a multiple of 16 elements; both are 64-byte aligned.
using GatedSilu = void (*)(std::size_t size, float* gate, float const* up);

/// gate[i] = gelu(gate[i]) * up[i], GELU by tanh: x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3). As above.
using GatedGelu = void (*)(std::size_t size, float* gate, float const* up);

/// values[i] = cap tanh(values[i] / cap) for a multiple of 16 elements, 64-byte aligned. Relative error below 5e-7.
using SoftCap = void (*)(std::size_t size, float* values, float cap);

/// The inner loops for one instruction set.
struct Kernels {
  Product product;
  Exponentials exponentials;
  GatedSilu gated_silu;
  GatedGelu gated_gelu;
  SoftCap soft_cap;
};

namespace detail {

#if defined(__clang__)
#define ZEROTH_UNROLL _Pragma("unroll")
#define ZEROTH_WIDE(bits) min_vector_width(bits)
#else
#define ZEROTH_UNROLL _Pragma("GCC unroll 16")
#define ZEROTH_WIDE(bits) unused
#endif

#if ZEROTH_X86_DISPATCH
namespace avx512 {
inline constexpr std::size_t vector_bytes = 64;
inline constexpr std::size_t tile_rows = 12;
inline constexpr std::size_t tile_blocks = 2;
#define ZEROTH_TARGET target("avx512f,fma"), ZEROTH_WIDE(512)
#include <zeroth_model/ops/cpu/kernel.inc>
#undef ZEROTH_TARGET
}  // namespace avx512

namespace avx2 {
inline constexpr std::size_t vector_bytes = 32;
inline constexpr std::size_t tile_rows = 6;
inline constexpr std::size_t tile_blocks = 1;
#define ZEROTH_TARGET target("avx2,fma"), ZEROTH_WIDE(256)
#include <zeroth_model/ops/cpu/kernel.inc>
#undef ZEROTH_TARGET
}  // namespace avx2

#elif ZEROTH_NEON
namespace neon {
inline constexpr std::size_t vector_bytes = 16;
inline constexpr std::size_t tile_rows = 5;  // 20 sums, 4 inputs and 5 weights in 32 registers; with 6, g++ 12 spills
inline constexpr std::size_t tile_blocks = 1;
#define ZEROTH_TARGET ZEROTH_WIDE(128)
#include <zeroth_model/ops/cpu/kernel.inc>
#undef ZEROTH_TARGET
}  // namespace neon
#endif

namespace portable {
inline constexpr std::size_t vector_bytes = 16;
inline constexpr std::size_t tile_rows = 3;
inline constexpr std::size_t tile_blocks = 1;
#define ZEROTH_TARGET ZEROTH_WIDE(128)
#include <zeroth_model/ops/cpu/kernel.inc>
#undef ZEROTH_TARGET
}  // namespace portable

#undef ZEROTH_WIDE
#undef ZEROTH_UNROLL

/// Rows from `row` on times B blocks. Prefetches the following blocks meanwhile, one in each of the first tiles: the
/// tokens of a long batch come from the last-level cache or from memory, and nothing else would request them early
/// enough.
template <class Kernel, std::size_t R, std::size_t B>
void product_tile(std::size_t rows, ProductArguments const& a, std::size_t row, std::size_t block) {
  auto run = [&]<bool Ahead>(std::bool_constant<Ahead>, float const* next) {
    Kernel::template product<R, B, Ahead>(
        a.inner, a.weights + row * a.weight_stride, a.weight_stride, a.input + block * a.input_stride, a.input_stride,
        a.output + block * a.output_stride + row * block_tokens, a.output_stride, next);
  };
  if (rows == R) {
    if constexpr (R == Kernel::rows) {
      std::size_t const tile = row / Kernel::rows;
      std::size_t const next = block + B + tile;
      if (tile < B && next < a.blocks) return run(std::true_type{}, a.input + next * a.input_stride);
    }
    run(std::false_type{}, nullptr);
  } else if constexpr (R > 1) {
    product_tile<Kernel, R - 1, B>(rows, a, row, block);
  }
}

template <class Kernel, std::size_t B>
void product_blocks(ProductArguments const& a, std::size_t& block) {
  for (; block + B <= a.blocks; block += B)
    for (std::size_t row = 0; row < a.rows; row += Kernel::rows)
      product_tile<Kernel, Kernel::rows, B>(a.rows - row < Kernel::rows ? a.rows - row : Kernel::rows, a, row, block);
}

template <class Kernel>
void product(ProductArguments const& a) {
  std::size_t block = 0;
  if constexpr (Kernel::blocks > 1) product_blocks<Kernel, Kernel::blocks>(a, block);
  product_blocks<Kernel, 1>(a, block);
}

}  // namespace detail

/// The inner loops for an instruction set that this processor supports. AVX2, AVX-512 and NEON give the same bits; the
/// portable loops may round differently if the build's target has no fused multiply-add.
[[nodiscard]] inline Kernels kernels_for([[maybe_unused]] InstructionSet set) noexcept {
  auto of = []<class Kernel>(Kernel) {
    return Kernels{&detail::product<Kernel>, &Kernel::exponentials, &Kernel::gated_silu, &Kernel::gated_gelu,
                   &Kernel::soft_cap};
  };
#if ZEROTH_X86_DISPATCH
  if (set == InstructionSet::avx512) return of(detail::avx512::Kernel{});
  if (set == InstructionSet::avx2) return of(detail::avx2::Kernel{});
#elif ZEROTH_NEON
  if (set == InstructionSet::neon) return of(detail::neon::Kernel{});
#endif
  return of(detail::portable::Kernel{});
}

}  // namespace zeroth::ZEROTH_ISA::model::cpu

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
/// Each element of a product is one sum over k in ascending order: it depends on its own row and its own token, not on
/// tile sizes, threads or neighbours.
namespace zeroth::ZEROTH_ISA::model::cpu {

/// Tokens in a block: one AVX-512 vector, two of AVX2, four of SSE or NEON.
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

/// Computes one product; product_for picks the one for an instruction set.
using Product = void (*)(ProductArguments const&);

/// Replaces each of `rows` x 16 values by e^(value - top[t]) and adds it to sum[t], t being its place in its row.
///
/// Relative error below 2e-7; 0 where the exponent is below -87, e^88 where it is above 88, NaN where it is NaN.
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

// A macro, because a target attribute must stand on the function that holds the vector code: GCC lowers vectors that
// are wider than a function's own target before it inlines that function into a caller with a wider one.
#define ZEROTH_DEFINE_KERNEL(NAME, TARGET, WIDTH, BYTES, ROWS, BLOCKS)                                                 \
  struct NAME {                                                                                                        \
    typedef float Vector __attribute__((vector_size(BYTES), may_alias));                                               \
    typedef std::int32_t Integers __attribute__((vector_size(BYTES), may_alias));                                      \
    static constexpr std::size_t rows = ROWS;                                                                          \
    static constexpr std::size_t blocks = BLOCKS;                                                                      \
    static constexpr std::size_t width = (BYTES) / sizeof(float);                                                      \
    static constexpr std::size_t parts = block_tokens / width;                                                         \
                                                                                                                       \
    template <std::size_t R, std::size_t B, bool Ahead>                                                                \
    __attribute__((noinline, visibility("hidden"), TARGET, WIDTH)) static void product(                                \
        std::size_t inner, float const* weights, std::size_t weight_stride, float const* input,                        \
        std::size_t input_stride, float* output, std::size_t output_stride, [[maybe_unused]] float const* next) {      \
      Vector sum[R][B * parts];                                                                                        \
      ZEROTH_UNROLL for (std::size_t r = 0; r < R; ++r) {                                                              \
        ZEROTH_UNROLL for (std::size_t p = 0; p < B * parts; ++p) sum[r][p] = Vector{};                                \
      }                                                                                                                \
      for (std::size_t i = 0; i < inner; ++i) {                                                                        \
        Vector x[B * parts];                                                                                           \
        ZEROTH_UNROLL for (std::size_t p = 0; p < B * parts; ++p) x[p] = *reinterpret_cast<Vector const*>(             \
            input + (p / parts) * input_stride + i * block_tokens + (p % parts) * width);                              \
        if constexpr (Ahead) __builtin_prefetch(next + i * block_tokens, 0, 2);                                        \
        ZEROTH_UNROLL for (std::size_t r = 0; r < R; ++r) {                                                            \
          float const w = weights[r * weight_stride + i];                                                              \
          ZEROTH_UNROLL for (std::size_t p = 0; p < B * parts; ++p) sum[r][p] += w * x[p];                             \
        }                                                                                                              \
      }                                                                                                                \
      ZEROTH_UNROLL for (std::size_t r = 0; r < R; ++r) {                                                              \
        ZEROTH_UNROLL for (std::size_t p = 0; p < B * parts; ++p) *                                                    \
            reinterpret_cast<Vector*>(output + (p / parts) * output_stride + r * block_tokens + (p % parts) * width) = \
            sum[r][p];                                                                                                 \
      }                                                                                                                \
    }                                                                                                                  \
                                                                                                                       \
    __attribute__((always_inline, TARGET, WIDTH)) static inline Vector exponential(Vector x) {                         \
      Vector const least = Vector{} - 87.0F;                                                                           \
      Vector const most = Vector{} + 88.0F;                                                                            \
      Vector const above = x > least ? x : least; /* and a NaN, which must not be converted to an integer */           \
      Vector const clamped = above < most ? above : most;                                                              \
      Vector const rounding = clamped < Vector{} ? Vector{} - 0.5F : Vector{} + 0.5F;                                  \
      Integers const n = __builtin_convertvector(clamped * 1.44269504F + rounding, Integers);                          \
      Vector const nf = __builtin_convertvector(n, Vector);                                                            \
      Vector const r = (clamped - nf * 0.693359375F) - nf * -2.12194440e-4F; /* ln 2 in two parts */                   \
      Vector p = Vector{} + 1.9875691500e-4F; /* Cephes' polynomial for e^r on [-ln2/2, ln2/2] */                      \
      p = p * r + 1.3981999507e-3F;                                                                                    \
      p = p * r + 8.3334519073e-3F;                                                                                    \
      p = p * r + 4.1665795894e-2F;                                                                                    \
      p = p * r + 1.6666665459e-1F;                                                                                    \
      p = p * r + 5.0000001201e-1F;                                                                                    \
      Integers const power = (n + 127) << 23;                                                                          \
      Vector const value = (p * r * r + r + 1.0F) * reinterpret_cast<Vector const&>(power);                            \
      Vector const flushed = x < least ? Vector{} : value;                                                             \
      return x != x ? x : flushed;                                                                                     \
    }                                                                                                                  \
                                                                                                                       \
    __attribute__((noinline, visibility("hidden"), TARGET, WIDTH)) static void exponentials(std::size_t count,         \
                                                                                            float* values,             \
                                                                                            float const* top,          \
                                                                                            float* sum) {              \
      for (std::size_t p = 0; p < parts; ++p) {                                                                        \
        Vector const subtracted = *reinterpret_cast<Vector const*>(top + p * width);                                   \
        Vector total = *reinterpret_cast<Vector const*>(sum + p * width);                                              \
        for (std::size_t r = 0; r < count; ++r) {                                                                      \
          Vector& value = *reinterpret_cast<Vector*>(values + r * block_tokens + p * width);                           \
          value = exponential(value - subtracted);                                                                     \
          total += value;                                                                                              \
        }                                                                                                              \
        *reinterpret_cast<Vector*>(sum + p * width) = total;                                                           \
      }                                                                                                                \
    }                                                                                                                  \
                                                                                                                       \
    __attribute__((noinline, visibility("hidden"), TARGET, WIDTH)) static void gated_silu(std::size_t size,            \
                                                                                          float* gate,                 \
                                                                                          float const* up) {           \
      for (std::size_t i = 0; i < size; i += width) {                                                                  \
        Vector& g = *reinterpret_cast<Vector*>(gate + i);                                                              \
        g = g / (exponential(-g) + 1.0F) * *reinterpret_cast<Vector const*>(up + i);                                   \
      }                                                                                                                \
    }                                                                                                                  \
                                                                                                                       \
    __attribute__((noinline, visibility("hidden"), TARGET, WIDTH)) static void gated_gelu(std::size_t size,            \
                                                                                          float* gate,                 \
                                                                                          float const* up) {           \
      for (std::size_t i = 0; i < size; i += width) {                                                                  \
        Vector& g = *reinterpret_cast<Vector*>(gate + i);                                                              \
        Vector const twice = g * (g * g * 0.0713548163F + 1.5957691216F); /* 2 sqrt(2/pi) (1, 0.044715) */             \
        g = g / (exponential(-twice) + 1.0F) * *reinterpret_cast<Vector const*>(up + i);                               \
      }                                                                                                                \
    }                                                                                                                  \
                                                                                                                       \
    __attribute__((noinline, visibility("hidden"), TARGET, WIDTH)) static void soft_cap(std::size_t size,              \
                                                                                        float* values, float cap) {    \
      for (std::size_t i = 0; i < size; i += width) {                                                                  \
        Vector& value = *reinterpret_cast<Vector*>(values + i);                                                        \
        Vector const x = value / cap;                                                                                  \
        Vector const s = x * x;                                                                                        \
        Vector p = s * -5.70498872745e-3F + 2.06390887954e-2F; /* Cephes' polynomial for tanh on [-0.625, 0.625] */    \
        p = p * s - 5.37397155531e-2F;                                                                                 \
        p = p * s + 1.33314422036e-1F;                                                                                 \
        p = p * s - 3.33332819422e-1F;                                                                                 \
        Vector const near = p * s * x + x;                                                                             \
        Vector const far = 1.0F - 2.0F / (exponential(x + x) + 1.0F);                                                  \
        value = (s < 0.390625F ? near : far) * cap;                                                                    \
      }                                                                                                                \
    }                                                                                                                  \
  };

#if ZEROTH_X86_DISPATCH
ZEROTH_DEFINE_KERNEL(Avx512Kernel, target("avx512f,fma"), ZEROTH_WIDE(512), 64, 12, 2)
ZEROTH_DEFINE_KERNEL(Avx2Kernel, target("avx2,fma"), ZEROTH_WIDE(256), 32, 6, 1)
ZEROTH_DEFINE_KERNEL(PortableKernel, unused, ZEROTH_WIDE(128), 16, 3, 1)
#else
ZEROTH_DEFINE_KERNEL(PortableKernel, unused, ZEROTH_WIDE(128), 16, 6, 1)
#endif

#undef ZEROTH_DEFINE_KERNEL
#undef ZEROTH_WIDE
#undef ZEROTH_UNROLL

/// Rows from `row` on times B blocks. The blocks after these are brought near meanwhile, one by each of the first
/// tiles: the tokens of a long batch come from the farthest cache or from memory, and nothing else would ask for them
/// early enough.
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

/// The inner loops for an instruction set that this processor runs. AVX2 and AVX-512 give the same bits; the portable
/// ones may round differently where the build's target has no fused multiply-add.
[[nodiscard]] inline Kernels kernels_for([[maybe_unused]] InstructionSet set) noexcept {
  auto of = []<class Kernel>(Kernel) {
    return Kernels{&detail::product<Kernel>, &Kernel::exponentials, &Kernel::gated_silu, &Kernel::gated_gelu,
                   &Kernel::soft_cap};
  };
#if ZEROTH_X86_DISPATCH
  if (set == InstructionSet::avx512) return of(detail::Avx512Kernel{});
  if (set == InstructionSet::avx2) return of(detail::Avx2Kernel{});
#endif
  return of(detail::PortableKernel{});
}

}  // namespace zeroth::ZEROTH_ISA::model::cpu

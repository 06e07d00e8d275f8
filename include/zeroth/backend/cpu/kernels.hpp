// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/cpu/instruction_set.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/fma.hpp>
#include <zeroth/random/normal.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/uniform.hpp>
#include <zeroth/storage/rounding.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/sign_sgd.hpp>

#if ZEROTH_X86_DISPATCH
#include <immintrin.h>
#elif ZEROTH_NEON
#include <arm_neon.h>
#endif

// Everything after vector_*.inc is compiled once per instruction set, each time in its own namespace: a program built
// for plain x86-64 contains them all, and no two translation units disagree about one.

// A policy's own code is inlined into the loop over a tile that calls it, so it is compiled for the instruction set of
// that loop.
#if defined(__GNUC__)
#define ZEROTH_FLATTEN __attribute__((flatten))
#else
#define ZEROTH_FLATTEN
#endif

namespace zeroth::ZEROTH_ISA::cpu_kernels {

#define ZEROTH_INLINE
#define ZEROTH_TARGET
namespace portable {
#include <zeroth/backend/cpu/vector_portable.inc>
//
#include <zeroth/backend/cpu/noise.inc>
//
#include <zeroth/backend/cpu/kernels.inc>
//
#include <zeroth/backend/cpu/storage.inc>
//
#include <zeroth/backend/cpu/corrections.inc>
//
#include <zeroth/backend/cpu/rules.inc>
//
#include <zeroth/backend/cpu/interface.inc>
}  // namespace portable
#undef ZEROTH_INLINE
#undef ZEROTH_TARGET

#if ZEROTH_X86_DISPATCH
#define ZEROTH_INLINE __attribute__((always_inline))

#define ZEROTH_TARGET __attribute__((target("avx2,fma,f16c")))
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
namespace avx2 {
#include <zeroth/backend/cpu/vector_avx2.inc>
//
#include <zeroth/backend/cpu/noise.inc>
//
#include <zeroth/backend/cpu/kernels.inc>
//
#include <zeroth/backend/cpu/storage.inc>
//
#include <zeroth/backend/cpu/corrections.inc>
//
#include <zeroth/backend/cpu/rules.inc>
//
#include <zeroth/backend/cpu/interface.inc>
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef ZEROTH_TARGET

#define ZEROTH_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
namespace avx512 {
#include <zeroth/backend/cpu/vector_avx512.inc>
//
#include <zeroth/backend/cpu/noise.inc>
//
#include <zeroth/backend/cpu/kernels.inc>
//
#include <zeroth/backend/cpu/storage.inc>
//
#include <zeroth/backend/cpu/corrections.inc>
//
#include <zeroth/backend/cpu/rules.inc>
//
#include <zeroth/backend/cpu/interface.inc>
}  // namespace avx512
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef ZEROTH_TARGET
#undef ZEROTH_INLINE

#elif ZEROTH_NEON
#define ZEROTH_INLINE __attribute__((always_inline))
#define ZEROTH_TARGET
namespace neon {
#include <zeroth/backend/cpu/vector_neon.inc>
//
#include <zeroth/backend/cpu/noise.inc>
//
#include <zeroth/backend/cpu/kernels.inc>
//
#include <zeroth/backend/cpu/storage.inc>
//
#include <zeroth/backend/cpu/corrections.inc>
//
#include <zeroth/backend/cpu/rules.inc>
//
#include <zeroth/backend/cpu/interface.inc>
}  // namespace neon
#undef ZEROTH_INLINE
#undef ZEROTH_TARGET
#endif

/// Calls body with the kernels of an instruction set.
template <class Body>
void with_kernels([[maybe_unused]] InstructionSet set, Body&& body) {
#if ZEROTH_X86_DISPATCH
  if (set == InstructionSet::avx512) return body(avx512::Kernels{});
  if (set == InstructionSet::avx2) return body(avx2::Kernels{});
#elif ZEROTH_NEON
  if (set == InstructionSet::neon) return body(neon::Kernels{});
#endif
  body(portable::Kernels{});
}

}  // namespace zeroth::ZEROTH_ISA::cpu_kernels

#undef ZEROTH_FLATTEN

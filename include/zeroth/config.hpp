// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/numeric/isa.hpp>

// Results are defined to the bit: float and double are IEEE 754's, and each operation is rounded once. What a compiler
// does not say of itself in a macro is found by check_arithmetic (numeric/known_answer.hpp), when an optimizer is made.

#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error "zeroth defines its results to the bit, which -ffast-math forbids: compile without it (-O3 alone vectorises)."
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "zeroth tells infinities and NaNs apart, which -ffinite-math-only forbids: compile without it."
#elif defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error \
    "zeroth defines its results to the bit, which -funsafe-math-optimizations, -fassociative-math and \
-freciprocal-math forbid: compile without them."
#elif defined(__NO_SIGNED_ZEROS__)
#error "zeroth defines its results to the bit, signs of zeros included: compile without -fno-signed-zeros."
#endif

// 16: the same of float and double, with another rule for types of 16 bits.
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error \
    "zeroth needs floats and doubles that are rounded after each operation (FLT_EVAL_METHOD 0), which the x87 unit \
does not do: compile without -mfpmath=387, and for 32-bit x86 with -msse2 -mfpmath=sse."
#endif

/// Marks what is compiled for the host and, by nvcc, for the device too.
#if defined(__CUDACC__)
#define ZEROTH_HOST_DEVICE __host__ __device__
#else
#define ZEROTH_HOST_DEVICE
#endif

/// Before a function that is marked so and calls what a user brings, which may be for the host alone: nvcc then does
/// not warn where only the host calls it.
#if defined(__CUDACC__)
#define ZEROTH_CALLS_USERS_CODE _Pragma("nv_exec_check_disable")
#else
#define ZEROTH_CALLS_USERS_CODE
#endif

/// Before a loop over a thread's elements, whose trips are known: where device code keeps it a loop, what it indexes
/// lies in memory instead of registers.
#if defined(__CUDA_ARCH__)
#define ZEROTH_DEVICE_UNROLL _Pragma("unroll")
#else
#define ZEROTH_DEVICE_UNROLL
#endif

namespace zeroth::ZEROTH_ISA {

static_assert(0.1 != static_cast<double>(0.1F),
              "zeroth needs constants of type double to be doubles: compile without -fsingle-precision-constant");

inline constexpr int version_major = 0;
inline constexpr int version_minor = 1;
inline constexpr int version_patch = 0;
inline constexpr char const* version = "0.1.0";

/// Counts up whenever the same seed gives other noise, masks or roundings: a journal of another version is refused.
inline constexpr unsigned noise_version = 1;

}  // namespace zeroth::ZEROTH_ISA

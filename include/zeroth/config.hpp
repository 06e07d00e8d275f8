// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/numeric/isa.hpp>
#include <zeroth/version.hpp>

#if defined(_MSVC_LANG) ? _MSVC_LANG < 202002L : __cplusplus < 202002L
#error "zeroth needs C++20: compile with -std=c++20 or later."
#endif

// Results are defined to the bit: float and double are those of IEEE 754, and each operation rounds once. What a
// compiler reports in no macro, check_arithmetic (numeric/known_answer.hpp) finds when an optimizer is made.

#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error \
    "zeroth defines its results to the bit, which -ffast-math forbids: compile without it (-O3 vectorises without it)."
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "zeroth detects infinities and NaNs, which -ffinite-math-only forbids: compile without it."
#elif defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error \
    "zeroth defines its results to the bit, which -funsafe-math-optimizations, -fassociative-math and \
-freciprocal-math forbid: compile without them."
#elif defined(__NO_SIGNED_ZEROS__)
#error "zeroth defines its results to the bit, signs of zeros included: compile without -fno-signed-zeros."
#endif

// 16: as 0 for float and double; only the rule for 16-bit types differs.
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error \
    "zeroth needs floats and doubles that are rounded after each operation (FLT_EVAL_METHOD 0), which the x87 unit \
does not do: compile without -mfpmath=387, and for 32-bit x86 with -msse2 -mfpmath=sse."
#endif

/// Marks a function that is compiled for the host and, by nvcc, also for the device.
#if defined(__CUDACC__)
#define ZEROTH_HOST_DEVICE __host__ __device__
#else
#define ZEROTH_HOST_DEVICE
#endif

/// Goes before a host and device function that calls a user's code, which may be host-only: nvcc then does not warn
/// about calls that only the host makes.
#if defined(__CUDACC__)
#define ZEROTH_CALLS_USERS_CODE _Pragma("nv_exec_check_disable")
#else
#define ZEROTH_CALLS_USERS_CODE
#endif

/// Goes before a loop over a thread's elements with a known trip count: if device code keeps it a loop, what it indexes
/// lies in memory instead of registers.
#if defined(__CUDA_ARCH__)
#define ZEROTH_DEVICE_UNROLL _Pragma("unroll")
#else
#define ZEROTH_DEVICE_UNROLL
#endif

namespace zeroth::ZEROTH_ISA {

static_assert(0.1 != static_cast<double>(0.1F),
              "zeroth needs constants of type double to be doubles: compile without -fsingle-precision-constant");

inline constexpr int version_major = ZEROTH_VERSION_MAJOR;
inline constexpr int version_minor = ZEROTH_VERSION_MINOR;
inline constexpr int version_patch = ZEROTH_VERSION_PATCH;
inline constexpr char const* version = ZEROTH_VERSION_STRING;

/// Of noise, masks, updates and roundings: a journal of another version is rejected.
inline constexpr unsigned noise_version = ZEROTH_NOISE_VERSION;

/// Of the format in which journals are written.
inline constexpr std::uint32_t journal_version = ZEROTH_JOURNAL_VERSION;

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/numeric/isa.hpp>

#ifdef __FAST_MATH__
#error "zeroth defines its results to the bit, which -ffast-math forbids: compile without it (-O3 alone vectorises)."
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

inline constexpr int version_major = 0;
inline constexpr int version_minor = 1;
inline constexpr int version_patch = 0;
inline constexpr char const* version = "0.1.0";

/// Counts up whenever the same seed gives other noise, masks or roundings: a journal of another version is refused.
inline constexpr unsigned noise_version = 1;

}  // namespace zeroth::ZEROTH_ISA

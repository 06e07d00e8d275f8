// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include <zeroth/config.hpp>

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__)) && !defined(__CUDACC__)
#define ZEROTH_X86_DISPATCH 1
#else
#define ZEROTH_X86_DISPATCH 0
#endif

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__ARM_BIG_ENDIAN) && !defined(__CUDACC__)
#define ZEROTH_NEON 1
#else
#define ZEROTH_NEON 0
#endif

namespace zeroth::ZEROTH_ISA {

/// The vector code that the CPU backend runs. All give the same bits.
enum class InstructionSet : std::uint8_t { portable, avx2, avx512, neon };

/// Each of them, whether this machine supports it or not.
inline constexpr InstructionSet every_instruction_set[] = {InstructionSet::portable, InstructionSet::avx2,
                                                           InstructionSet::avx512, InstructionSet::neon};

[[nodiscard]] constexpr std::string_view to_string(InstructionSet set) noexcept {
  switch (set) {
    case InstructionSet::portable:
      return "portable";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::neon:
      return "neon";
  }
  return "unknown";
}

/// Whether this machine supports that code.
[[nodiscard]] inline bool is_supported(InstructionSet set) noexcept {
#if ZEROTH_X86_DISPATCH
  // Also needs F16C, which every processor with AVX2 has and for which clang++ 14 has no test.
  if (set == InstructionSet::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (set == InstructionSet::avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#elif ZEROTH_NEON
  if (set == InstructionSet::neon) return true;
#endif
  return set == InstructionSet::portable;
}

/// The fastest code that this machine supports.
[[nodiscard]] inline InstructionSet best_instruction_set() noexcept {
  for (InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::neon})
    if (is_supported(set)) return set;
  return InstructionSet::portable;
}

}  // namespace zeroth::ZEROTH_ISA

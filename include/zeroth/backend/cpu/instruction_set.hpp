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

namespace zeroth::ZEROTH_ISA {

/// The vector code that the CPU backend runs. All give the same bits.
enum class InstructionSet : std::uint8_t { portable, avx2, avx512 };

[[nodiscard]] constexpr std::string_view to_string(InstructionSet set) noexcept {
  switch (set) {
    case InstructionSet::portable:
      return "portable";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
  }
  return "unknown";
}

/// Whether this machine supports that code.
[[nodiscard]] inline bool is_supported(InstructionSet set) noexcept {
#if ZEROTH_X86_DISPATCH
  switch (set) {
    case InstructionSet::portable:
      return true;
    case InstructionSet::avx2:
      // Also needs F16C, which every processor with AVX2 has and for which clang++ 14 has no test.
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  }
  return false;
#else
  return set == InstructionSet::portable;
#endif
}

/// The fastest code that this machine supports.
[[nodiscard]] inline InstructionSet best_instruction_set() noexcept {
  if (is_supported(InstructionSet::avx512)) return InstructionSet::avx512;
  if (is_supported(InstructionSet::avx2)) return InstructionSet::avx2;
  return InstructionSet::portable;
}

}  // namespace zeroth::ZEROTH_ISA

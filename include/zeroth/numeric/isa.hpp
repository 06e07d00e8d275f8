// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/version.hpp>

#if defined(_MSVC_TRADITIONAL) && _MSVC_TRADITIONAL
#error "zeroth needs a preprocessor that conforms to the standard: compile with /Zc:preprocessor."
#endif

// The whole library lies in `namespace zeroth::ZEROTH_ISA`, where ZEROTH_ISA expands to `inline` and a name that says
// for which instructions a translation unit is compiled (-march=native, -mavx2, ...). Inline functions and templates
// are compiled in every translation unit that uses them, and the linker keeps one copy per name: without this, a
// program that links a file compiled for AVX-512 with one compiled for any x86-64 could run the AVX-512 copy on a
// processor without AVX-512.
//
// So two such files share no function of zeroth. They cannot pass zeroth's types to each other either: the linker then
// reports that a function with, say, x86_ffff00000 in its name is undefined.
//
// The name ends with the version, so that libraries with different versions of zeroth can be linked together too.

// ZEROTH_ISA_BIT(M) is 1 if the compiler's macro M is defined as 1, and 0 if it is not defined.
#define ZEROTH_ISA_ON_1 ,
#define ZEROTH_ISA_SECOND(a, b, ...) b
#define ZEROTH_ISA_BIT_3(...) ZEROTH_ISA_SECOND(__VA_ARGS__, )
#define ZEROTH_ISA_BIT_2(value) ZEROTH_ISA_BIT_3(ZEROTH_ISA_ON_##value 1, 0)
#define ZEROTH_ISA_BIT(macro) ZEROTH_ISA_BIT_2(macro)

// Four of these bits as a hexadecimal digit.
#define ZEROTH_ISA_0000 0
#define ZEROTH_ISA_0001 1
#define ZEROTH_ISA_0010 2
#define ZEROTH_ISA_0011 3
#define ZEROTH_ISA_0100 4
#define ZEROTH_ISA_0101 5
#define ZEROTH_ISA_0110 6
#define ZEROTH_ISA_0111 7
#define ZEROTH_ISA_1000 8
#define ZEROTH_ISA_1001 9
#define ZEROTH_ISA_1010 a
#define ZEROTH_ISA_1011 b
#define ZEROTH_ISA_1100 c
#define ZEROTH_ISA_1101 d
#define ZEROTH_ISA_1110 e
#define ZEROTH_ISA_1111 f
#define ZEROTH_ISA_DIGIT_2(a, b, c, d) ZEROTH_ISA_##a##b##c##d
#define ZEROTH_ISA_DIGIT_1(a, b, c, d) ZEROTH_ISA_DIGIT_2(a, b, c, d)
#define ZEROTH_ISA_DIGIT(a, b, c, d) \
  ZEROTH_ISA_DIGIT_1(ZEROTH_ISA_BIT(a), ZEROTH_ISA_BIT(b), ZEROTH_ISA_BIT(c), ZEROTH_ISA_BIT(d))

#define ZEROTH_ISA_NAME_3(name, a, b, c, d, e, f, g, h, i, major, minor, patch) \
  inline name##_##a##b##c##d##e##f##g##h##i##_v##major##_##minor##_##patch
#define ZEROTH_ISA_NAME_2(...) ZEROTH_ISA_NAME_3(__VA_ARGS__)
#define ZEROTH_ISA_NAME(...) \
  ZEROTH_ISA_NAME_2(__VA_ARGS__, ZEROTH_VERSION_MAJOR, ZEROTH_VERSION_MINOR, ZEROTH_VERSION_PATCH)

// Extensions that compilers use without being asked to by the source.
#if defined(__x86_64__) || defined(__i386__)
#define ZEROTH_ISA                                                                                          \
  ZEROTH_ISA_NAME(x86, ZEROTH_ISA_DIGIT(__SSE3__, __SSSE3__, __SSE4_1__, __SSE4_2__),                       \
                  ZEROTH_ISA_DIGIT(__POPCNT__, __LZCNT__, __MOVBE__, __BMI__),                              \
                  ZEROTH_ISA_DIGIT(__BMI2__, __AVX__, __AVX2__, __FMA__),                                   \
                  ZEROTH_ISA_DIGIT(__F16C__, __AVX512F__, __AVX512CD__, __AVX512DQ__),                      \
                  ZEROTH_ISA_DIGIT(__AVX512BW__, __AVX512VL__, __AVX512IFMA__, __AVX512VBMI__),             \
                  ZEROTH_ISA_DIGIT(__AVX512VBMI2__, __AVX512VNNI__, __AVX512BITALG__, __AVX512VPOPCNTDQ__), \
                  ZEROTH_ISA_DIGIT(__AVX512BF16__, __AVX512FP16__, __AVXVNNI__, __GFNI__),                  \
                  ZEROTH_ISA_DIGIT(__FMA4__, __XOP__, __TBM__, __APX_F__),                                  \
                  ZEROTH_ISA_DIGIT(__AVXIFMA__, __AVXVNNIINT8__, __AVX10_1__, __AVX10_2__))
#elif defined(__aarch64__)
#define ZEROTH_ISA                                                                                                   \
  ZEROTH_ISA_NAME(                                                                                                   \
      arm64,                                                                                                         \
      ZEROTH_ISA_DIGIT(__ARM_FEATURE_ATOMICS, __ARM_FEATURE_RCPC, __ARM_FEATURE_DOTPROD,                             \
                       __ARM_FEATURE_FP16_VECTOR_ARITHMETIC),                                                        \
      ZEROTH_ISA_DIGIT(__ARM_FEATURE_SVE, __ARM_FEATURE_SVE2, __ARM_FEATURE_SHA3, __ARM_FEATURE_JCVT),               \
      ZEROTH_ISA_DIGIT(__ARM_FEATURE_MATMUL_INT8, __ARM_FEATURE_BF16, __ARM_FEATURE_MOPS, __ARM_FEATURE_CSSC), 0, 0, \
      0, 0, 0, 0)
#else
// No protection here for files compiled for different processors.
#define ZEROTH_ISA ZEROTH_ISA_NAME(other, 0, 0, 0, 0, 0, 0, 0, 0, 0)
#endif

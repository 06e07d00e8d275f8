// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <zeroth/backend/backend.hpp>
#include <zeroth/error.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/fma.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/numeric/split_mix.hpp>
#include <zeroth/random/normal.hpp>
#include <zeroth/storage/memory.hpp>
#include <zeroth/storage/rounding.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/schedule.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

struct KnownArithmetic {
  std::string_view name;
  std::uint64_t bits;
};

/// The lines of tests/known_answers/arithmetic.txt.
inline constexpr std::array<KnownArithmetic, 14> known_arithmetic = {{
    {"fma", 0x3f800001U},
    {"fma_subnormal", 4},
    {"fma_double", 0x3e50000001000000U},
    {"third", 0x3fd5555555555555U},
    {"five_thirds", 0x3ffaaaaaaaaaaaabU},
    {"seven_thirds", 0x4002aaaaaaaaaaabU},
    {"eleven_thirds", 0x400d555555555555U},
    {"normal_first", 0xbebf4635U},
    {"normal_second", 0xbf86503bU},
    {"linear", 0x3fe55810624dd2f2U},
    {"cosine", 0x3fe751a55f35b499U},
    {"adam_scale", 0x430f494aU},
    {"fzoo_scale", 0x406409958ca6549bU},
    {"passes", 0xcac089e3f167c7b0U},
}};

inline void check_known_answer(std::string_view what, std::uint64_t found, std::uint64_t expected) {
  if (found == expected) return;
  throw Error("this program's arithmetic is not the one that defines zeroth's results: " + std::string(what) +
              ": expected " + hexadecimal(expected) + ", found " + hexadecimal(found) +
              "; compile without options such as -ffast-math, -funsafe-math-optimizations, -fassociative-math, "
              "-freciprocal-math and -mfpmath=387, or else the C library's fma or sqrt is inexact");
}

inline void check_known_answer(std::string_view name, std::uint64_t found) {
  for (KnownArithmetic const& known : known_arithmetic)
    if (known.name == name) check_known_answer(name, found, known.bits);
}

[[nodiscard]] inline std::uint64_t bits_of_double(double value) noexcept {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// Hides a number from the compiler.
template <class Number>
[[nodiscard]] Number unknown(Number value) noexcept {
  Number const volatile read = value;
  return read;
}

/// Checks how the compiler translates plain operations: each result has other bits if the compiler assumes the laws of
/// real numbers.
inline void check_plain_operations() {
  double const large = unknown(0x1p53);
  double const one = unknown(1.0);
  check_known_answer("2^53 + 1 - 2^53", bits_of_double((large + one) - large), 0);
  double const three = unknown(3.0);
  std::array<double, 4> quotients = {unknown(1.0), unknown(5.0), unknown(7.0), unknown(11.0)};
  for (double& quotient : quotients) quotient /= three;
  check_known_answer("third", bits_of_double(quotients[0]));
  check_known_answer("five_thirds", bits_of_double(quotients[1]));
  check_known_answer("seven_thirds", bits_of_double(quotients[2]));
  check_known_answer("eleven_thirds", bits_of_double(quotients[3]));
  check_known_answer("0 - 0", bits_of_double(0.0 - unknown(0.0)), 0);
  float const infinity = unknown(float_of(0x7f800000U));
  check_known_answer("|infinity - infinity|", magnitude_bits(infinity - infinity), 0x7fc00000U);
  check_known_answer("half of the least normal f32", bits_of(unknown(0x1p-126F) * 0.5F), 0x00400000U);
}

inline void check_scalars() {
  check_known_answer("fma",
                     bits_of(fused_multiply_add(unknown(0x1.fffffcp-13F), unknown(0x1.000002p-12F), 0x1.000002p+0F)));
  check_known_answer("fma_subnormal", bits_of(fused_multiply_add(unknown(0x1.8p-100F), unknown(0x1p-48F), 0x1p-149F)));
  check_known_answer("fma_double", bits_of_double(rounded_fma(0x1.0000002p+0, 0x1.0000002p+0, -1)));
  NormalPair const normal = normal_pair(unknown(std::uint32_t{0x89abcdefU}));
  check_known_answer("normal_first", bits_of(normal.first));
  check_known_answer("normal_second", bits_of(normal.second));
  check_known_answer("linear", bits_of_double(Schedule{Schedule::Shape::linear, 1000, 100, 0.1}(433)));
  check_known_answer("cosine", bits_of_double(Schedule{Schedule::Shape::cosine, 1000, 100, 0.1}(433)));
  check_known_answer("adam_scale", bits_of(Adam{}.rule(1e-3F, 7).scale_v));
  constexpr std::array<double, 4> losses = {0.7, 0.71, 0.695, 0.702};
  check_known_answer("fzoo_scale", bits_of_double(Fzoo{}.scale(losses)));
}

/// A hash of a backend's results for 40 weights: perturbed, then stored in bf16 and updated.
template <class Backend>
[[nodiscard]] std::uint64_t fingerprint_of_passes(Backend const& backend) {
  constexpr std::size_t size = 40;
  std::uint64_t fingerprint = 0;
  auto add = [&](std::uint32_t bits) { fingerprint = split_mix(fingerprint ^ bits); };

  std::array<float, size> weights;
  for (std::uint32_t i = 0; i < size; ++i) weights[i] = float_of(0x3c000001U + i * 0x00012345U);
  Parameter tensor{{}, Role::matrix, {1, size}, DataType::f32, weights.data(), 0xdeadbeefU, 100};
  TensorMask<Dense::Rule> const all{Coverage::all, {}};
  NoiseField<Gaussian> const noise{{}, 0x0123456789abcdefU, 20000};
  constexpr std::array<Point, 2> lanes = {Point{1, +1}, Point{1, -1}};
  std::array<std::array<float, size>, 2> panels;
  std::array<float*, 2> const pointers = {panels[0].data(), panels[1].data()};
  backend.expand(tensor, all, noise, lanes, 1e-3F, 0, size, pointers);
  for (std::array<float, size> const& panel : panels)
    for (float value : panel) add(bits_of(value));

  std::array<std::uint16_t, size> stored;
  for (std::uint32_t i = 0; i < size; ++i) stored[i] = static_cast<std::uint16_t>(0x3c00U + i * 7);
  tensor.dtype = DataType::bf16;
  tensor.data = stored.data();
  constexpr std::array<NoiseTerm, 2> terms = {NoiseTerm{20000, 0, -3e-3F}, NoiseTerm{20000, 1, 2e-3F}};
  backend.apply(tensor, nullptr, all, noise,
                ElementwisePass{.decay = 1e-2F, .terms = terms, .rounding = Rounding::stochastic});
  for (std::uint16_t weight : stored) add(weight);
  return fingerprint;
}

}  // namespace detail

/// Compares a few results with their known answers, computed by a second implementation in exact arithmetic
/// (tests/known_answers/known_answers_decision.py): scalars on the host, and passes of a backend that has
/// `checks_arithmetic`. Takes a few microseconds, once per optimizer.
///
/// It finds what the compiler does not report in a macro, such as clang++'s -funsafe-math-optimizations. It cannot find
/// everything: it checks some operations, not all.
/// @throws Error if a result differs
template <class Backend>
void check_arithmetic(Backend const& backend) {
  DefaultFloatEnvironment const environment;
  detail::check_plain_operations();
  detail::check_scalars();
  if constexpr (BackendWithKnownArithmetic<Backend>)
    detail::check_known_answer("passes", detail::fingerprint_of_passes(backend));
}

}  // namespace zeroth::ZEROTH_ISA

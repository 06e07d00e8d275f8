// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

// Each function is one IEEE 754 operation on doubles, rounded once, whatever the compiler's options and the surrounding
// code: everything that decides about a step uses these. g++ contracts a product and a sum into one fused multiply-add
// wherever the target has the instruction, and no pragma prevents it. Operands and result go through volatile
// variables, which also keeps the operation between the lines that set and restore the floating-point environment. For
// scalars.

/// a + b
[[nodiscard]] inline double rounded_sum(double a, double b) noexcept {
  double const volatile x = a;
  double const volatile y = b;
  double const volatile sum = x + y;
  return sum;
}

/// a - b
[[nodiscard]] inline double rounded_difference(double a, double b) noexcept {
  double const volatile x = a;
  double const volatile y = b;
  double const volatile difference = x - y;
  return difference;
}

/// a b
[[nodiscard]] inline double rounded_product(double a, double b) noexcept {
  double const volatile x = a;
  double const volatile y = b;
  double const volatile product = x * y;
  return product;
}

/// a / b
[[nodiscard]] inline double rounded_quotient(double a, double b) noexcept {
  double const volatile x = a;
  double const volatile y = b;
  double const volatile quotient = x / y;
  return quotient;
}

/// a b + c, rounded once
[[nodiscard]] inline double rounded_fma(double a, double b, double c) noexcept {
  double const volatile x = a;
  double const volatile y = b;
  double const volatile z = c;
  double const volatile result = std::fma(x, y, z);
  return result;
}

/// The square root of a
[[nodiscard]] inline double rounded_root(double a) noexcept {
  double const volatile x = a;
  double const volatile root = std::sqrt(x);
  return root;
}

/// a as the nearest f32
[[nodiscard]] inline float rounded_single(double a) noexcept {
  double const volatile x = a;
  float const volatile single = static_cast<float>(x);
  return single;
}

/// mean + value / count: adds to a mean the share of one of `count` values.
[[nodiscard]] inline double with_share(double mean, double value, double count) noexcept {
  return rounded_sum(mean, rounded_quotient(value, count));
}

}  // namespace zeroth::ZEROTH_ISA

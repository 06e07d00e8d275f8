// SPDX-License-Identifier: MIT
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/random/normal.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "catch.hpp"

namespace {

using zeroth::normal_pair;
using zeroth::NormalPair;

constexpr double scale = 1.0000026;  // the factor that lifts the variance of the discrete radius to 1

struct Exact {
  double first;
  double second;
  double radius;
};

/// The same map in double precision with the library's log, sin and cos.
Exact box_muller(std::uint32_t bits) {
  double const u = (2.0 * (bits >> 16) + 1) / (1 << 17);
  double const radius = std::sqrt(-2 * std::log(u));
  double const y = (2.0 * (bits & 0x3fffU) + 1 - 16384) * std::numbers::pi / (1 << 16);
  double const angle = y + std::numbers::pi / 4;
  double const first = scale * radius * std::sin(angle);
  double const second = scale * radius * std::cos(angle);
  return {(bits & 0x8000U) != 0 ? -first : first, (bits & 0x4000U) != 0 ? -second : second, radius};
}

struct Errors {
  double relative_to_radius = 0;
  double relative = 0;

  void meet(std::uint32_t bits) {
    NormalPair const got = normal_pair(bits);
    Exact const want = box_muller(bits);
    for (auto [g, w] : {std::pair{got.first, want.first}, std::pair{got.second, want.second}}) {
      double const error = std::abs(g - w);
      relative_to_radius = std::max(relative_to_radius, error / want.radius);
      relative = std::max(relative, error / std::abs(w));
    }
  }
};

TEST_CASE("normal_pair is the Box-Muller map at every radius and every angle") {
  Errors errors;
  for (std::uint32_t radius = 0; radius < 65536; ++radius)
    for (std::uint32_t angle = radius % 509; angle < 65536; angle += 4093) errors.meet(radius << 16 | angle);
  for (std::uint32_t angle = 0; angle < 65536; ++angle)
    for (std::uint32_t radius : {0U, 1U, 999U, 32768U, 65000U, 65535U}) errors.meet(radius << 16 | angle);
  INFO("largest error: " << errors.relative_to_radius << " of the radius, " << errors.relative << " of the value");
  // Near u = 1 the logarithm is about as large as its argument's distance from 1, so its error is relative, like those
  // of sine and cosine: a few ulps of 6e-8 from the polynomials and about as many from rounding.
  CHECK(errors.relative_to_radius < 1e-6);
}

TEST_CASE("the moments of normal_pair, enumerated, are those of the normal distribution") {
  // A value is radius(k) times shape(angle), rounded once; each factor is enumerated on its own.
  double radius_2 = 0;
  double radius_4 = 0;
  constexpr std::uint32_t some_angle = 9000;
  for (std::uint32_t k = 0; k < 65536; ++k) {
    double const z = normal_pair(k << 16 | some_angle).first;
    radius_2 += z * z / 65536;
    radius_4 += z * z * z * z / 65536;
  }
  double shape_2 = 0;
  double shape_4 = 0;
  constexpr std::uint32_t some_radius = 20000U << 16;
  for (std::uint32_t angle = 0; angle < 16384; ++angle) {
    double const z = normal_pair(some_radius | angle).first;
    shape_2 += z * z / 16384;
    shape_4 += z * z * z * z / 16384;
  }
  double const common = normal_pair(some_radius | some_angle).first;
  double const variance = radius_2 * shape_2 / (common * common);
  double const fourth = radius_4 * shape_4 / std::pow(common, 4);
  // The rest is the rounding of the common value, at most 2 * 2^-24.
  CHECK(std::abs(variance - 1) < 1e-6);
  CHECK(std::abs(fourth / (variance * variance) - 2.9998) < 1e-4);
}

TEST_CASE("the two sign bits of normal_pair make its mean zero") {
  for (std::uint32_t bits = 1; bits != 0; bits = bits > 0xfff0'0000U ? 0 : bits + 1'000'003) {
    NormalPair const pair = normal_pair(bits);
    CHECK(normal_pair(bits ^ 0x8000U).first == -pair.first);
    CHECK(normal_pair(bits ^ 0x8000U).second == pair.second);
    CHECK(normal_pair(bits ^ 0x4000U).first == pair.first);
    CHECK(normal_pair(bits ^ 0x4000U).second == -pair.second);
  }
}

TEST_CASE("normal_pair is finite and stays within 4.855") {
  float largest = 0;
  for (std::uint32_t angle = 0; angle < 65536; ++angle)
    largest = std::max({largest, std::abs(normal_pair(angle).first), std::abs(normal_pair(angle).second)});
  CHECK(largest > 4.8F);
  CHECK(largest <= 4.855F);
  for (std::uint32_t k = 0; k < 65536; ++k) {
    if (!zeroth::is_finite(normal_pair(k << 16).first)) FAIL("k = " << k);
    if (std::abs(normal_pair(k << 16).first) > largest) FAIL("k = " << k << " is beyond the smallest u");
  }
}

}  // namespace

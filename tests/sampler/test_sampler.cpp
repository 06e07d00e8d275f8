// SPDX-License-Identifier: MIT
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/sampler/uniform.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "known_answers.hpp"

namespace {

using zeroth::Gaussian;
using zeroth::NoiseField;
using zeroth::Rademacher;
using zeroth::RandomBlock;
using zeroth::Uniform;

/// The example in the documentation of Sampler.
struct Coin {
  std::array<float, 1> operator()(RandomBlock const& b) const { return {(b[0] & 1U) != 0 ? 1.0F : -1.0F}; }
  static constexpr std::string_view name() { return "coin"; }
  bool operator==(Coin const&) const = default;
};

struct ThreeValues : Coin {
  std::array<float, 3> operator()(RandomBlock const&) const { return {}; }
  bool operator==(ThreeValues const&) const = default;
};
struct Doubles : Coin {
  std::array<double, 2> operator()(RandomBlock const&) const { return {}; }
  bool operator==(Doubles const&) const = default;
};
struct Vectors : Coin {
  std::vector<float> operator()(RandomBlock const&) const { return {}; }
  bool operator==(Vectors const&) const = default;
};
struct Mutable : Coin {
  std::array<float, 1> operator()(RandomBlock const&) { return {}; }
  bool operator==(Mutable const&) const = default;
};
struct Nameless {
  std::array<float, 1> operator()(RandomBlock const&) const { return {}; }
  bool operator==(Nameless const&) const = default;
};
struct Incomparable {
  std::array<float, 1> operator()(RandomBlock const&) const { return {}; }
  static constexpr std::string_view name() { return "incomparable"; }
};

TEST_CASE("the concept Sampler accepts what it documents and nothing less") {
  STATIC_REQUIRE(zeroth::Sampler<Gaussian>);
  STATIC_REQUIRE(zeroth::Sampler<Uniform>);
  STATIC_REQUIRE(zeroth::Sampler<Rademacher>);
  STATIC_REQUIRE(zeroth::Sampler<Coin>);
  STATIC_REQUIRE_FALSE(zeroth::Sampler<ThreeValues>);
  STATIC_REQUIRE_FALSE(zeroth::Sampler<Doubles>);
  STATIC_REQUIRE_FALSE(zeroth::Sampler<Vectors>);
  STATIC_REQUIRE_FALSE(zeroth::Sampler<Mutable>);
  STATIC_REQUIRE_FALSE(zeroth::Sampler<Nameless>);
  STATIC_REQUIRE_FALSE(zeroth::Sampler<Incomparable>);
}

TEST_CASE("a sampler says how many values it makes of a block") {
  STATIC_REQUIRE(zeroth::values_per_block<Gaussian> == 8);
  STATIC_REQUIRE(zeroth::values_per_block<Uniform> == 8);
  STATIC_REQUIRE(zeroth::values_per_block<Rademacher> == 128);
  STATIC_REQUIRE(zeroth::values_per_block<Coin> == 1);
}

TEST_CASE("uniform values, enumerated, have mean 0 and variance 1") {
  double mean = 0;
  double variance = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    double const z = Uniform::value(bits);
    mean += z / 65536;
    variance += z * z / 65536;
    if (Uniform::value(65535 - bits) != -Uniform::value(bits)) FAIL("not symmetric at " << bits);
  }
  CHECK(std::abs(mean) < 1e-12);
  // The unit is a float: its relative error, at most 2^-24, counts twice.
  CHECK(std::abs(variance - 1) < 0x1p-22);
}

TEST_CASE("each bit of a block is one Rademacher value") {
  RandomBlock const block = {0x00000001U, 0x80000000U, 0xffffffffU, 0};
  std::array<float, 128> const z = Rademacher{}(block);
  for (unsigned i = 0; i < 128; ++i) {
    bool const is_set = i == 0 || i == 63 || (i >= 64 && i < 96);
    CHECK(z[i] == (is_set ? -1.0F : 1.0F));
  }
}

TEST_CASE("each word of a block makes two Gaussian or uniform values") {
  RandomBlock const block = {0x12345678U, 0x9abcdef0U, 0x0fedcba9U, 0x87654321U};
  auto const normal = Gaussian{}(block);
  auto const flat = Uniform{}(block);
  for (unsigned w = 0; w < 4; ++w) {
    CHECK(normal[2 * w] == zeroth::normal_pair(block[w]).first);
    CHECK(normal[2 * w + 1] == zeroth::normal_pair(block[w]).second);
    CHECK(flat[2 * w] == Uniform::value(block[w] & 0xffffU));
    CHECK(flat[2 * w + 1] == Uniform::value(block[w] >> 16));
  }
}

template <class S>
void check_known_noise(std::string_view name, int lines) {
  int read = 0;
  for (zeroth_test::KnownAnswer line : zeroth_test::known_answers("noise.txt")) {
    if (line.word() != name) continue;
    auto const seed = line.hex<std::uint64_t>();
    auto const step = line.hex<std::uint32_t>();
    auto const stream = line.hex<std::uint32_t>();
    auto const sample = line.hex<std::uint32_t>();
    auto const element = line.hex<std::uint64_t>();
    INFO(line.text());
    CHECK(zeroth::bits_of(NoiseField<S>{{}, seed, step}.value(stream, sample, element)) == line.hex<std::uint32_t>());
    ++read;
  }
  CHECK(read == lines);
}

TEST_CASE("noise has the known bits") {
  check_known_noise<Gaussian>("gaussian", 210);
  check_known_noise<Uniform>("uniform", 105);
  check_known_noise<Rademacher>("rademacher", 105);
}

constexpr std::uint64_t draws = 1 << 16;

template <class S>
std::vector<double> values(NoiseField<S> const& noise, std::uint32_t stream, std::uint32_t sample,
                           std::uint64_t first = 0) {
  std::vector<double> z(draws);
  for (std::uint64_t i = 0; i < draws; ++i) z[i] = noise.value(stream, sample, first + i);
  return z;
}

double mean_product(std::vector<double> const& a, std::vector<double> const& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum / static_cast<double>(a.size());
}

TEMPLATE_TEST_CASE("noise has mean 0 and variance 1, and is uncorrelated with its neighbours", "", Gaussian, Uniform,
                   Rademacher, Coin) {
  NoiseField<TestType> const noise{{}, 99, 12};
  std::vector<double> const base = values(noise, 5, 3);
  // Five standard errors of a mean of 65536 values of variance 1, and of a variance (of kurtosis at most 3).
  double const bound = 5 / std::sqrt(static_cast<double>(draws));
  CHECK(std::abs(mean_product(base, std::vector<double>(draws, 1))) < bound);
  CHECK(std::abs(mean_product(base, base) - 1) < bound * std::sqrt(2.0));

  CHECK(std::abs(mean_product(base, values(NoiseField<TestType>{{}, 98, 12}, 5, 3))) < bound);
  CHECK(std::abs(mean_product(base, values(NoiseField<TestType>{{}, 99 + (1ULL << 32), 12}, 5, 3))) < bound);
  CHECK(std::abs(mean_product(base, values(NoiseField<TestType>{{}, 99, 13}, 5, 3))) < bound);
  CHECK(std::abs(mean_product(base, values(noise, 4, 3))) < bound);
  CHECK(std::abs(mean_product(base, values(noise, 5, 2))) < bound);
  for (std::uint64_t distance : {1U, 2U, 15U, 16U, 17U, 31U, 32U, 64U, 127U, 128U})
    CHECK(std::abs(mean_product(base, values(noise, 5, 3, distance))) < bound);

  CHECK(values(noise, 5, 3) == base);
}

}  // namespace

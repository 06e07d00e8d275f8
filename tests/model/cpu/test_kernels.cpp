// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/split_mix.hpp>

#include "catch.hpp"
#include "tensors.hpp"
#include "zeroth_model/ops/cpu/activations.hpp"
#include "zeroth_model/ops/cpu/kernels.hpp"

using zeroth::InstructionSet;
using zeroth::model::AlignedFloats;
using namespace zeroth::model::cpu;

namespace {

/// e^x by the kernels of `set`.
float exponential(InstructionSet set, float x) {
  alignas(64) float value[16] = {};
  alignas(64) float const top[16] = {};
  alignas(64) float sum[16] = {};
  value[3] = x;
  kernels_for(set).exponentials(1, value, top, sum);
  CHECK((sum[3] == value[3] || std::isnan(x)));
  CHECK(value[4] == 1.0F);
  return value[3];
}

/// Whether the kernels of `set` fuse multiply-adds: where the build's target has the instruction for the portable ones,
/// and not if g++ does not optimize.
bool fuses(InstructionSet set) {
  float const unit = 0x1p-20F;
  float const weights[2] = {-1, 1 + unit};
  alignas(64) float input[32] = {1 + 2 * unit};
  input[16] = 1 + unit;
  alignas(64) float output[16];
  kernels_for(set).product({1, 2, weights, 2, 1, input, 32, output, 16});
  return output[0] == unit * unit;
}

/// 64-byte aligned.
AlignedFloats aligned(std::vector<float> const& values) {
  AlignedFloats result;
  std::copy(values.begin(), values.end(), result.reserve(values.size()));
  return result;
}

std::uint64_t hash_of(AlignedFloats const& values, std::size_t count) {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < count; ++i) hash = zeroth::split_mix(hash ^ zeroth::bits_of(values.data()[i]));
  return hash;
}

}  // namespace

TEST_CASE("a fused product rounds each multiply-add once, in ascending order") {
  if (!fuses(zeroth::best_instruction_set())) ZEROTH_SKIP("this machine or this build fuses no multiply-adds");
  constexpr std::size_t rows = 29;
  constexpr std::size_t inner = 37;
  constexpr std::size_t blocks = 3;
  AlignedFloats const weights = aligned(zeroth_test::normal_weights(rows * inner, 1));
  AlignedFloats const input = aligned(zeroth_test::normal_weights(blocks * inner * 16, 2, 1));
  std::vector<float> expected(blocks * rows * 16);
  for (std::size_t b = 0; b < blocks; ++b)
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t t = 0; t < 16; ++t)
        for (std::size_t i = 0; i < inner; ++i) {
          float& sum = expected[(b * rows + r) * 16 + t];
          sum = std::fma(weights.data()[r * inner + i], input.data()[(b * inner + i) * 16 + t], sum);
        }
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (!is_supported(set) || !fuses(set)) continue;
    INFO(to_string(set));
    AlignedFloats output;
    std::span<float const> const found(output.reserve(expected.size()), expected.size());
    kernels_for(set).product(
        {rows, inner, weights.data(), inner, blocks, input.data(), inner * 16, output.data(), rows * 16});
    CHECK(zeroth_test::bits(found) == zeroth_test::bits(expected));
  }
}

TEST_CASE("functions have known bits wherever multiply-adds are fused, on every processor") {
  if (!fuses(zeroth::best_instruction_set())) ZEROTH_SKIP("this machine or this build fuses no multiply-adds");
  constexpr std::size_t count = 4096;
  std::vector<float> const values = zeroth_test::normal_weights(count, 3, 8);
  std::vector<float> const others = zeroth_test::normal_weights(count, 4, 1);
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (!is_supported(set) || !fuses(set)) continue;
    INFO(to_string(set));
    AlignedFloats const up = aligned(others);
    AlignedFloats sums = aligned(std::vector<float>(16));
    AlignedFloats results = aligned(values);
    kernels_for(set).exponentials(count / 16, results.data(), up.data(), sums.data());
    CHECK(hash_of(results, count) == 0xb2f030275ce89bd0U);
    CHECK(hash_of(sums, 16) == 0x75dac4e618451174U);
    results = aligned(values);
    kernels_for(set).gated_silu(count, results.data(), up.data());
    CHECK(hash_of(results, count) == 0xad2032e9025145acU);
    results = aligned(values);
    kernels_for(set).gated_gelu(count, results.data(), up.data());
    CHECK(hash_of(results, count) == 0xf56cc328539b94bdU);
    results = aligned(values);
    kernels_for(set).soft_cap(count, results.data(), 5);
    CHECK(hash_of(results, count) == 0x3a2ad3fe0cb4e7bcU);
  }
}

TEST_CASE("products of every tile shape are those of a plain loop") {
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (!is_supported(set)) continue;
    for (std::size_t rows : {1U, 2U, 5U, 11U, 12U, 13U, 25U}) {
      for (std::size_t blocks : {1U, 2U, 3U, 5U}) {
        std::size_t const inner = 19;
        std::size_t const weight_stride = 23;
        std::size_t const input_stride = inner * 16 + 16;
        std::size_t const output_stride = rows * 16 + 32;
        AlignedFloats weights;
        AlignedFloats input;
        AlignedFloats output;
        for (std::size_t i = 0; i < rows * weight_stride; ++i)
          weights.reserve(rows * weight_stride)[i] = static_cast<float>(i * 7 % 11) - 5;
        for (std::size_t i = 0; i < blocks * input_stride; ++i)
          input.reserve(blocks * input_stride)[i] = static_cast<float>(i * 5 % 13) - 6;
        std::fill_n(output.reserve(blocks * output_stride), blocks * output_stride, 99.0F);
        kernels_for(set).product({rows, inner, weights.data(), weight_stride, blocks, input.data(), input_stride,
                                  output.data(), output_stride});
        bool same = true;
        for (std::size_t b = 0; b < blocks; ++b) {
          for (std::size_t i = 0; i < output_stride; ++i) {
            float expected = 99;  // nothing is written beyond the rows
            if (i < rows * 16) {
              expected = 0;
              for (std::size_t k = 0; k < inner; ++k)
                expected +=
                    weights.data()[i / 16 * weight_stride + k] * input.data()[b * input_stride + k * 16 + i % 16];
            }
            same = same && output.data()[b * output_stride + i] == expected;  // small integers: no rounding
          }
        }
        INFO(to_string(set) << ", " << rows << " rows, " << blocks << " blocks");
        CHECK(same);
      }
    }
  }
}

TEST_CASE("exponentials are those of the standard library") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (!is_supported(set)) continue;
    INFO(to_string(set));
    for (float x = -87; x <= 88; x += 0.37F) CHECK(exponential(set, x) == Approx(std::exp(x)).epsilon(2e-7));
    CHECK(exponential(set, 0) == 1.0F);
    CHECK(exponential(set, -87.5F) == 0.0F);
    CHECK(exponential(set, -infinity) == 0.0F);
    CHECK(exponential(set, 1000) == Approx(std::exp(88.0F)).epsilon(1e-6));
    CHECK(std::isnan(exponential(set, std::numeric_limits<float>::quiet_NaN())));
  }
}

TEST_CASE("gated SiLU is that of the standard library") {
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (!is_supported(set)) continue;
    alignas(64) float gate[32];
    alignas(64) float up[32];
    for (std::size_t i = 0; i < 32; ++i) {
      gate[i] = static_cast<float>(i) * 13 - 200;
      up[i] = static_cast<float>(i) - 7;
    }
    kernels_for(set).gated_silu(32, gate, up);
    for (std::size_t i = 0; i < 32; ++i) {
      double const g = static_cast<double>(i) * 13 - 200;
      CHECK(gate[i] == Approx(g / (1 + std::exp(-g)) * (static_cast<double>(i) - 7)).epsilon(1e-6).margin(1e-30));
    }
  }
}

TEST_CASE("gated GELU is that of the standard library's tanh") {
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (!is_supported(set)) continue;
    alignas(64) float gate[64];
    alignas(64) float up[64];
    auto const at = [](std::size_t i) { return (static_cast<float>(i) - 32) * 0.37F; };
    for (std::size_t i = 0; i < 64; ++i) {
      gate[i] = at(i);
      up[i] = static_cast<float>(i) - 7;
    }
    kernels_for(set).gated_gelu(64, gate, up);
    for (std::size_t i = 0; i < 64; ++i) {
      auto const x = static_cast<double>(at(i));
      double const u = std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
      // x / (1 + e^-2u) is x (1 + tanh u) / 2 without the cancellation, which f64 suffers for negative x as well.
      double const expected = x / (1 + std::exp(-2 * u)) * (static_cast<double>(i) - 7);
      CHECK(gate[i] == Approx(expected).epsilon(2e-5).margin(1e-30));
    }
  }
}

TEST_CASE("a soft cap is cap tanh(x / cap) for small and large values") {
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (!is_supported(set)) continue;
    for (float const cap : {1.0F, 30.0F, 0.5F}) {
      alignas(64) float values[64];
      auto const at = [&](std::size_t i) {
        return cap * (i % 2 == 0 ? 1.0F : -1.0F) *
               std::ldexp(1.0F + static_cast<float>(i) / 64, static_cast<int>(i) - 48);
      };
      for (std::size_t i = 0; i < 64; ++i) values[i] = at(i);
      kernels_for(set).soft_cap(64, values, cap);
      for (std::size_t i = 0; i < 64; ++i) {
        INFO(at(i));
        double const expected = static_cast<double>(cap) * std::tanh(static_cast<double>(at(i) / cap));
        CHECK(values[i] == Approx(expected).epsilon(5e-7).margin(0));
        CHECK(std::abs(values[i]) <= cap);
      }
    }
    alignas(64) float values[16] = {std::nanf(""), std::numeric_limits<float>::infinity(),
                                    -std::numeric_limits<float>::infinity()};
    kernels_for(set).soft_cap(16, values, 5);
    CHECK(std::isnan(values[0]));
    CHECK(values[1] == 5);
    CHECK(values[2] == -5);
  }
}

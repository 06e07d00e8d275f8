// SPDX-License-Identifier: MIT
// Work for bench/instructions, which counts the instructions that it takes:
//
//   bench_instructions CASE SET TIMES
//
// CASE is a kernel, SET an instruction set. Each time it computes a tile of 128 values, or a product of 48 x 64 weights
// with 16 tokens.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/backend/cpu/kernels.hpp>
#include <zeroth_model/decoder/scratch.hpp>
#include <zeroth_model/ops/cpu/kernels.hpp>

namespace {

using zeroth::InstructionSet;

/// Stays from run to run, so that no compiler leaves the work out.
float total = 0;

template <class Sampler, class Kernels>
void noise(Kernels kernels, std::uint64_t times) {
  zeroth::NoiseField<Sampler> const field{{}, 1, 2};
  auto z = kernels.noise(field, 3, true);
  for (std::uint64_t tile = 0; tile < times; ++tile) total += z(0, tile)[tile % 128];
}

template <class Kernels>
bool run(std::string_view what, Kernels kernels, std::uint64_t times) {
  alignas(64) float theta[zeroth::tile_size];
  for (std::uint32_t i = 0; i < zeroth::tile_size; ++i) theta[i] = static_cast<float>(i % 7) - 3;
  alignas(64) std::uint16_t stored[zeroth::tile_size] = {};
  std::vector<std::int8_t> lower(zeroth::tile_size);
  zeroth::TensorMask<zeroth::MagnitudeRule<true>> const mask{zeroth::Coverage::some, {zeroth::bits_of(2.0F)}};
  zeroth::NoiseTerm const term{2, 0, 1e-3F};
  zeroth::ElementwisePass const pass{.terms = {&term, 1}};
  zeroth::NoiseField<zeroth::Rademacher> const field{{}, 1, 2};
  if (what == "gaussian") {
    noise<zeroth::Gaussian>(kernels, times);
  } else if (what == "uniform") {
    noise<zeroth::Uniform>(kernels, times);
  } else if (what == "rademacher") {
    noise<zeroth::Rademacher>(kernels, times);
  } else if (what == "mask") {
    for (std::uint64_t tile = 0; tile < times; ++tile) total += kernels.mask(mask, theta, tile).test(5) ? 1.0F : 0.0F;
  } else if (what == "update") {  // with a mask and Rademacher noise
    auto z = kernels.noise(field, 3, true);
    for (std::uint64_t tile = 0; tile < times; ++tile)
      kernels.apply(theta, tile, kernels.mask(mask, theta, tile), z, pass);
  } else if (what == "bf16") {  // rounded with an extra byte
    for (std::uint64_t tile = 0; tile < times; ++tile)
      kernels.round(zeroth::DataType::bf16, zeroth::Rounding::extra_byte, theta, tile, kernels.mask(mask, theta, tile),
                    zeroth::RandomSource{1, 2, 3, 4, zeroth::Purpose::rounding}, stored, lower.data());
  } else {
    return false;
  }
  total += theta[7] + static_cast<float>(stored[9] + lower[11]);
  return true;
}

void product(InstructionSet set, std::uint64_t times) {
  constexpr std::size_t rows = 48;
  constexpr std::size_t inner = 64;
  std::vector<float> const weights(rows * inner, 0.5F);
  zeroth::model::AlignedFloats input;
  zeroth::model::AlignedFloats output;
  for (std::size_t i = 0; i < inner * 16; ++i) input.reserve(inner * 16)[i] = 1;
  output.reserve(rows * 16);
  for (std::uint64_t time = 0; time < times; ++time)
    zeroth::model::cpu::kernels_for(set).product(
        {rows, inner, weights.data(), inner, 1, input.data(), inner * 16, output.data(), rows * 16});
  total += output.data()[5];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::uint64_t const times = std::stoull(argv[3]);
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (to_string(set) != argv[2] || !is_supported(set)) continue;
    bool known = true;
    if (std::string_view(argv[1]) == "product")
      product(set, times);
    else
      zeroth::cpu_kernels::with_kernels(set, [&](auto kernels) { known = run(argv[1], kernels, times); });
    std::printf("%g\n", static_cast<double>(total));
    return known ? 0 : 2;
  }
  return 2;
}

// SPDX-License-Identifier: MIT
// User-defined parts, timed and measured like the built-in ones: bench_custom [OPTION OF Google Benchmark]...
// docs/benchmarking.md explains it.

#include <array>
#include <cstdio>
#include <string_view>

#include "micro/micro.hpp"
#include "quality/function.hpp"
#include "quality/measure.hpp"

/// z = +1 or -1 from half of a block's bits: see zeroth::Sampler.
struct HalfCoin {
  std::array<float, 64> operator()(zeroth::RandomBlock const& bits) const {
    std::array<float, 64> z{};
    for (unsigned i = 0; i < 64; ++i) z[i] = (bits[i / 32] >> (i % 32) & 1U) != 0 ? 1.0F : -1.0F;
    return z;
  }
  static constexpr std::string_view name() { return "half-coin"; }
  bool operator==(HalfCoin const&) const = default;
};

/// Keeps the zeros of a pruned model: see zeroth::MaskPolicy.
struct KeepZeros {
  bool operator()(float theta, std::uint64_t /*element*/) const { return theta != 0; }
  static constexpr std::string_view name() { return "keep-zeros"; }
  bool operator==(KeepZeros const&) const = default;
};

/// Differences of the loss at theta and at theta - eps z: see zeroth::Estimator.
struct Backward : zeroth::OneSided {
  static constexpr std::array<std::int32_t, 1> signs = {-1};
  double projected_gradient(double base, std::span<double const> losses, double epsilon) const {
    return (base - losses[0]) / epsilon;
  }
  static constexpr std::string_view name() { return "backward"; }
  bool operator==(Backward const&) const = default;
};

int main(int argc, char** argv) {
  zeroth_bench::Micro micro(argc, argv);
  micro.sampler(HalfCoin{});
  micro.mask(KeepZeros{});
  micro.step(HalfCoin{}, KeepZeros{}, Backward{});

  zeroth_bench::Quadratic function(std::vector<float>(1000, 1.0F), std::vector<double>(1000, 0.0),
                                   std::vector<double>(1000, 1.0));
  zeroth_bench::Quality const quality =
      zeroth_bench::measure_quality(function, HalfCoin{}, KeepZeros{}, Backward{}, {.samples = 16}, 100);
  std::printf("cosine %.4f +- %.4f, E |estimate - gradient|^2 / |gradient|^2 %.2f +- %.2f\n", quality.cosine.value,
              quality.cosine.error, quality.error.value, quality.error.error);
  return micro.run();
}

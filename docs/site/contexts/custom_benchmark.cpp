// SPDX-License-Identifier: MIT
// @parse only: it measures for minutes, and needs Google Benchmark. bench/custom.cpp is built with the benchmarks.
#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

#include <zeroth/zeroth.hpp>

struct HalfCoin {
  std::array<float, 64> operator()(zeroth::RandomBlock const& bits) const {
    std::array<float, 64> z{};
    for (unsigned i = 0; i < 64; ++i) z[i] = (bits[i / 32] >> (i % 32) & 1U) != 0 ? 1.0F : -1.0F;
    return z;
  }
  static constexpr std::string_view name() { return "half-coin"; }
  bool operator==(HalfCoin const&) const = default;
};

struct KeepZeros {
  bool operator()(float theta, std::uint64_t /*element*/) const { return theta != 0; }
  static constexpr std::string_view name() { return "keep-zeros"; }
  bool operator==(KeepZeros const&) const = default;
};

struct Backward : zeroth::OneSided {
  static constexpr std::array<std::int32_t, 1> signs = {-1};
  double projected_gradient(double base, std::span<double const> losses, double epsilon) const {
    return (base - losses[0]) / epsilon;
  }
  static constexpr std::string_view name() { return "backward"; }
  bool operator==(Backward const&) const = default;
};

std::vector<float> const weights(1000, 1.0F);
std::vector<double> const centre(1000, 0.0);
std::vector<double> const curvatures(1000, 1.0);

// @block

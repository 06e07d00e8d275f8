// SPDX-License-Identifier: MIT
// A sampler and two updates of your own: directions that are zero in half of their elements, a step of fixed length,
// and Lion, which keeps a value for each weight.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/zeroth.hpp>

namespace {

/// -sqrt(2), 0, 0 or sqrt(2) with equal probability: mean 0 and variance 1, as a Sampler needs. Two random bits per
/// value, so a block of 128 bits gives 64 of them.
struct SparseSign {
  ZEROTH_HOST_DEVICE zeroth::Array<float, 64> operator()(zeroth::RandomBlock const& block) const {
    constexpr float values[] = {-0x1.6a09e6p+0F, 0, 0, 0x1.6a09e6p+0F};
    zeroth::Array<float, 64> z;
    for (unsigned i = 0; i < 64; ++i) z[i] = values[block[i / 16] >> (2 * (i % 16)) & 3U];
    return z;
  }
  static constexpr std::string_view name() { return "sparse-sign"; }
  bool operator==(SparseSign const&) const = default;
};

/// An Update is a sum of noise: it sets the factor of each sample's noise. Here each step has the same length,
/// downhill.
struct Normalized {
  void coefficients(std::span<double const> g, double learning_rate, std::span<float> c) const {
    auto const length = static_cast<float>(learning_rate / static_cast<double>(g.size()));
    for (std::size_t s = 0; s < g.size(); ++s) c[s] = g[s] < 0 ? length : -length;
  }
  double decay(double /*learning_rate*/) const { return 0; }
  void check() const {}
  static constexpr std::string_view name() { return "normalized"; }
  bool operator==(Normalized const&) const = default;
};

/// An ElementwiseUpdate computes the new value of one weight, whose direction is the estimate of the gradient. Lion
/// moves along the sign of a running mean (Chen et al., "Symbolic Discovery of Optimization Algorithms", arXiv
/// 2302.06675).
struct Lion {
  float beta_1 = 0.9F;
  float beta_2 = 0.99F;

  static constexpr std::size_t state_floats = 1;
  struct Rule {
    float beta_1 = 0;
    float beta_2 = 0;
    float step_size = 0;
    // Explicit multiply-adds, so that the bits are the same on every machine; and no branch, so that it becomes vector
    // code.
    ZEROTH_HOST_DEVICE float operator()(float theta, float direction, zeroth::Array<float, 1>& mean) const {
      float const c = std::fma(beta_1, mean[0], (1 - beta_1) * direction);
      mean[0] = std::fma(beta_2, mean[0], (1 - beta_2) * direction);
      return std::fma(static_cast<float>((c < 0) - (c > 0)), step_size, theta);
    }
  };
  Rule rule(float step_size, std::uint64_t /*updates*/) const { return {beta_1, beta_2, step_size}; }
  double decay(double /*learning_rate*/) const { return 0; }
  void check() const {
    if (!(beta_1 >= 0 && beta_1 < 1)) throw zeroth::InvalidArgument("beta_1 must be in [0, 1)");
    if (!(beta_2 >= 0 && beta_2 < 1)) throw zeroth::InvalidArgument("beta_2 must be in [0, 1)");
  }
  static constexpr std::string_view name() { return "lion"; }
  bool operator==(Lion const&) const = default;
};

/// Tunes weights toward 1, and returns their mean squared distance from it.
template <class Sampler, class Update>
double distance_after(int steps, Sampler sampler, Update update, double learning_rate) {
  std::vector<float> weights(100, 0.0F);
  zeroth::ParameterSet parameters;
  parameters.add("weights", zeroth::Role::matrix, {1, weights.size()}, weights);
  auto loss = [&] {
    double sum = 0;
    for (float w : weights) sum += (static_cast<double>(w) - 1) * (static_cast<double>(w) - 1);
    return sum / static_cast<double>(weights.size());
  };
  zeroth::ZerothOrderOptimizer optimizer(
      parameters, sampler, zeroth::Dense{}, zeroth::CpuBackend{}, update,
      {.learning_rate = learning_rate, .schedule = zeroth::Schedule::linear(static_cast<std::uint64_t>(steps))});
  for (int i = 0; i < steps; ++i) optimizer.step(loss);
  std::printf("%-12s %-12s %.4f\n", std::string(sampler.name()).c_str(), std::string(update.name()).c_str(), loss());
  return loss();
}

}  // namespace

int main() {
  std::printf("sampler      update       mean squared distance, 1 at first\n");
  double worst = distance_after(2000, SparseSign{}, zeroth::Sgd{}, 0.5);
  worst = std::max(worst, distance_after(2000, SparseSign{}, Normalized{}, 0.02));
  worst = std::max(worst, distance_after(2000, SparseSign{}, Lion{}, 0.01));
  return worst < 0.1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

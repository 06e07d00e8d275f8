// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <zeroth/zeroth.hpp>

/// The engine's own product: out[r] = sum over c of w[r, c] x[c].
void multiply(float const* w, std::size_t rows, std::size_t columns, std::vector<float> const& x, float* out) {
  for (std::size_t r = 0; r < rows; ++r) {
    out[r] = 0;
    for (std::size_t c = 0; c < columns; ++c) out[r] += w[r * columns + c] * x[c];
  }
}

// @block

// The products at both points are those of theta + epsilon z and theta - epsilon z, of 16 + 16 + 8 rows.
int main() {
  zeroth::Shape const shape{40, 24};
  std::vector<float> weights(shape.size(), 0.5F);
  std::vector<float> const input(shape.columns, 1.0F);
  zeroth::ParameterSet parameters;
  parameters.add("w", zeroth::Role::matrix, shape, weights);
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                         {.epsilon = 0.125, .learning_rate = 0, .seed = 3});
  bool same = true;
  optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
    std::vector<std::vector<float>> const x(probe.points().size(), input);
    std::vector<std::vector<float>> y(x.size(), std::vector<float>(shape.rows));
    multiply(probe, 0, shape, x, y);
    zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 3, 0};
    for (std::size_t k = 0; k < y.size(); ++k) {
      float const scale = 0.125F * static_cast<float>(probe.points()[k].sign);
      for (std::size_t r = 0; r < shape.rows; ++r) {
        double sum = 0;
        for (std::size_t c = 0; c < shape.columns; ++c)
          sum += 0.5 + scale * noise.value(zeroth::stream_of("w"), 0, r * shape.columns + c);
        same = same && std::abs(sum - y[k][r]) < 1e-4;  // rounding of 24 sums
      }
      losses[k] = y[k][0];
    }
  });
  return same ? EXIT_SUCCESS : EXIT_FAILURE;
}

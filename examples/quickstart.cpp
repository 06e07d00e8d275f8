// SPDX-License-Identifier: MIT
// Fits a linear model by evaluating its loss only.

#include <cstdio>
#include <vector>

#include <zeroth/zeroth.hpp>

int main() {
  constexpr std::size_t features = 64;
  std::vector<float> weights(features, 0.0F);

  // The loss: mean squared error against the targets of a hidden model on random inputs.
  zeroth::NoiseField<zeroth::Gaussian> const data{{}, 7, 0};
  auto loss = [&] {
    double sum = 0;
    for (std::size_t example = 0; example < 256; ++example) {
      double error = 0;
      for (std::size_t i = 0; i < features; ++i)
        error += data.value(0, 0, example * features + i) * (weights[i] - 0.1 * static_cast<double>(i % 5));
      sum += error * error;
    }
    return sum / 256;
  };

  // What to tune: memory that stays yours. How: sampler, mask, backend, and a struct of options.
  zeroth::ParameterSet parameters;
  parameters.add("weights", zeroth::Role::matrix, {1, features}, weights);
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                         {.epsilon = 1e-3, .learning_rate = 5e-3, .seed = 1});

  for (int i = 0; i <= 1000; ++i) {
    zeroth::StepReport const report = optimizer.step(loss);
    if (i % 250 == 0) std::printf("step %4d  loss %.5f\n", i, report.loss);
  }
}

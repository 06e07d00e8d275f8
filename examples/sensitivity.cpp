// SPDX-License-Identifier: MIT
// Tunes only the weights that the loss is most sensitive to: probes measure which, and their bits stay (as in Guo et
// al., "Zeroth-Order Fine-Tuning of LLMs with Transferable Static Sparsity", arXiv 2406.02913, who take the gradient).

#include <cstdio>
#include <cstdlib>
#include <vector>

#include <zeroth/zeroth.hpp>

int main() {
  constexpr std::size_t size = 256;
  std::vector<float> weights(size, 0.0F);
  zeroth::ParameterSet parameters;
  parameters.add("weights", zeroth::Role::matrix, {1, size}, weights);
  auto loss = [&] {  // every 16th weight matters
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
      double const distance = static_cast<double>(weights[i]) - 1;
      sum += (i % 16 == 0 ? 1.0 : 1e-3) * distance * distance;
    }
    return sum;
  };
  zeroth::CpuBackend const backend;
  zeroth::Options options{.learning_rate = 0, .seed = 1, .restore = zeroth::Restore::exact};

  // At a learning rate of 0 a step measures g and moves nothing. The noise of a tensor follows from its name, so a
  // replay over zeros of the same name adds up g z, the estimate of the gradient.
  std::vector<float> sums(size, 0.0F);
  zeroth::ParameterSet scores;
  scores.add("weights", zeroth::Role::matrix, {1, size}, sums);
  zeroth::ZerothOrderOptimizer probes(parameters, zeroth::Rademacher{}, zeroth::Dense{}, backend, options);
  zeroth::ZerothOrderOptimizer adder(scores, zeroth::Rademacher{}, zeroth::Dense{}, backend, options);
  for (int i = 0; i < 400; ++i) {
    zeroth::StepReport report = probes.step(loss);
    report.coefficients = {static_cast<float>(report.projected_gradient)};
    adder.replay(report);
  }
  auto const mask = zeroth::StoredMask::of(zeroth::LargestMagnitude{.sparsity = 0.9375}, scores, backend);

  options.learning_rate = 0.05;
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Rademacher{}, mask, backend, options);
  int found = 0;
  for (std::size_t i = 0; i < size; i += 16) found += optimizer.active_bits(0).rule()(0, i) ? 1 : 0;
  std::printf("%s\nsensitive weights found: %d of 16\nloss %.4f", zeroth::describe(mask).c_str(), found, loss());
  for (int i = 0; i < 300; ++i) optimizer.step(loss);
  std::printf(" to %.4f\n", loss());
  return found >= 14 && loss() < 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

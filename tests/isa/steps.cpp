// SPDX-License-Identifier: MIT
// Part of a program that run.cmake compiles for different processors.
#include <cstddef>
#include <span>
#include <vector>

#include <zeroth/zeroth.hpp>

/// The sum of some weights after two steps.
double ZEROTH_STEPS() {
  std::vector<float> weights(1000, 0.1F);
  zeroth::ParameterSet parameters;
  parameters.add("w", zeroth::Role::matrix, {10, 100}, weights);
  auto sum = [&] {
    double total = 0;
    for (float weight : weights) total += double{weight} * double{weight};
    return total;
  };
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.5},
                                         zeroth::CpuBackend{}, zeroth::Adam{},
                                         zeroth::Options{.schedule = zeroth::Schedule::cosine(10), .samples = 2});
  optimizer.step(sum);
  optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
    std::vector<float> panels(losses.size() * weights.size());
    std::vector<float*> pointers;
    for (std::size_t k = 0; k < losses.size(); ++k) pointers.push_back(panels.data() + k * weights.size());
    probe.expand(0, 0, weights.size(), pointers);
    for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = double{*pointers[k]};
  });
  return sum();
}

#ifdef ZEROTH_STEPS_MAIN
#include <cstdio>
int main() {
  std::printf("%.17g\n", ZEROTH_STEPS());
}
#endif

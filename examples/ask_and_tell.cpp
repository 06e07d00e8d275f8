// SPDX-License-Identifier: MIT
// Ask and tell: the optimizer says where it wants losses, and they are evaluated by whoever has time, in any order.
// Here by threads; a StepPlan is a few numbers, and can as well go to another process that has an equal optimizer. Then
// the same in place, for an engine that has a loop of its own. Both end in the same weights.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include <zeroth/zeroth.hpp>

namespace {

constexpr std::size_t size = 64;
constexpr int steps = 300;

/// The mean squared distance from a line.
double loss(std::span<float const> weights) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    double const distance = static_cast<double>(weights[i]) - static_cast<double>(i) / size;
    sum += distance * distance;
  }
  return sum / static_cast<double>(weights.size());
}

zeroth::ParameterSet parameters_of(std::vector<float>& weights) {
  zeroth::ParameterSet parameters;
  parameters.add("weights", zeroth::Role::matrix, {1, size}, weights);
  return parameters;
}

zeroth::Options const options{.epsilon = 1e-3, .learning_rate = 0.5, .samples = 4, .seed = 1};

}  // namespace

int main() {
  std::vector<float> weights(size);
  zeroth::ZerothOrderOptimizer optimizer(parameters_of(weights), zeroth::Gaussian{}, zeroth::Dense{},
                                         zeroth::CpuBackend{}, options);
  for (int i = 0; i < steps; ++i) {
    zeroth::StepLosses losses(optimizer.ask());
    zeroth::StepPlan const plan = losses.plan();  // four samples, two points each
    std::vector<std::thread> threads;
    for (std::uint32_t k = 0; k < plan.points; ++k) {
      threads.emplace_back([&, k] {
        std::vector<float> perturbed(size);
        float* const panel = perturbed.data();
        optimizer.probe(plan, k, 1).expand(0, 0, size, {&panel, 1});
        losses.set(k, 0, loss(perturbed));
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::optional<zeroth::StepReport> const report = optimizer.tell(losses);
    if (i % 100 == 0) std::printf("step %3d  loss %.5f\n", i, report->loss);
  }
  std::printf("told:      loss %.5f\n", loss(weights));

  std::vector<float> same(size);
  zeroth::ZerothOrderOptimizer in_place(parameters_of(same), zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                        options);
  for (int i = 0; i < steps; ++i) {
    auto step = in_place.begin_step();
    while (step.next()) step.tell(loss(same));  // at the weights as they stand
    step.finish();
  }
  std::printf("in place:  loss %.5f, the %s weights\n", loss(same), same == weights ? "same" : "wrong");
  return same == weights && loss(weights) < 0.01 ? EXIT_SUCCESS : EXIT_FAILURE;
}

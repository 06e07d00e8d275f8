// SPDX-License-Identifier: MIT
// A user's project: it has only what find_package, add_subdirectory or a copy of include/ provides.
#include <cstdio>
#include <string_view>
#include <vector>
#include <zeroth/zeroth.hpp>

#ifdef PACKAGE_VERSION
static_assert(std::string_view(PACKAGE_VERSION) == zeroth::version, "the package is of another version");
#endif

int main() {
  std::vector<float> weights(64, 1.0F);
  const auto loss = [&weights] {
    double sum = 0;
    for (const float w : weights) sum += static_cast<double>(w * w);
    return sum;
  };
  const double before = loss();

  zeroth::ParameterSet parameters;
  parameters.add("weights", zeroth::Role::matrix, {8, 8}, weights);
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75},
                                         zeroth::CpuBackend{}, {.epsilon = 1e-3, .learning_rate = 1e-3});
  for (int step = 0; step < 100; ++step) optimizer.step(loss);
  std::printf("loss: %g before, %g after\n", before, loss());
  return loss() < before ? 0 : 1;
}

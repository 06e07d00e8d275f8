// SPDX-License-Identifier: MIT
// An inference engine of your own, tuned in the fused form: it evaluates both perturbed copies of its weights at once
// and only reads the weights themselves. The engine is not a template; it sees the optimizer through an AnyProbe.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include <zeroth/zeroth.hpp>

namespace {

constexpr std::size_t inputs = 16;
constexpr std::size_t hidden = 32;
constexpr std::size_t outputs = 2;
constexpr std::size_t examples = 128;
constexpr std::size_t panel_rows = 8;  // rows of weights that are perturbed at a time

/// A network of two layers, y = second max(0, first x).
class Engine {
 public:
  Engine() : first_(hidden * inputs), second_(outputs * hidden) {
    zeroth::NoiseField<zeroth::Gaussian> const initial{{}, 1, 0};
    for (std::size_t i = 0; i < first_.size(); ++i) first_[i] = 0.25F * initial.value(0, 0, i);
    for (std::size_t i = 0; i < second_.size(); ++i) second_[i] = 0.17F * initial.value(1, 0, i);
  }

  /// The order in which weights are added is the index by which a probe knows them.
  [[nodiscard]] zeroth::ParameterSet parameters() {
    zeroth::ParameterSet set;
    set.add("first", zeroth::Role::matrix, {hidden, inputs}, first_);
    set.add("second", zeroth::Role::matrix, {outputs, hidden}, second_);
    return set;
  }

  /// The mean loss of the batch at every point of the probe.
  /// @param x [examples x inputs]
  void losses(zeroth::AnyProbe const& probe, std::span<float const> x, std::span<int const> labels,
              std::span<double> out) {
    std::size_t const points = probe.points().size();
    std::vector<float> h(points * examples * hidden);
    std::vector<float> y(points * examples * outputs);
    multiply(probe, 0, {hidden, inputs}, x, /*x_of_each_point=*/false, h);
    for (float& value : h) value = std::max(value, 0.0F);
    multiply(probe, 1, {outputs, hidden}, h, /*x_of_each_point=*/true, y);
    for (std::size_t k = 0; k < points; ++k) {
      double sum = 0;
      for (std::size_t e = 0; e < examples; ++e) {
        float const* const logits = &y[(k * examples + e) * outputs];
        sum +=
            std::log1p(std::exp(static_cast<double>(logits[1 - labels[e]]) - static_cast<double>(logits[labels[e]])));
      }
      out[k] = sum / examples;
    }
  }

  [[nodiscard]] std::vector<float> const& first() const { return first_; }

 private:
  /// y = W x at each point, panel by panel: a panel of W is perturbed for all points while it is in the cache.
  static void multiply(zeroth::AnyProbe const& probe, std::size_t parameter, zeroth::Shape shape,
                       std::span<float const> x, bool x_of_each_point, std::span<float> y) {
    std::size_t const points = probe.points().size();
    std::vector<float> scratch(points * panel_rows * shape.columns);
    std::vector<float*> panels;
    for (std::size_t k = 0; k < points; ++k) panels.push_back(&scratch[k * panel_rows * shape.columns]);
    for (std::size_t row = 0; row < shape.rows; row += panel_rows) {
      std::size_t const rows = std::min<std::size_t>(panel_rows, shape.rows - row);
      probe.expand(parameter, row * shape.columns, rows * shape.columns, panels);
      for (std::size_t k = 0; k < points; ++k)
        for (std::size_t e = 0; e < examples; ++e) {
          float const* const in = &x[((x_of_each_point ? k * examples : 0) + e) * shape.columns];
          for (std::size_t r = 0; r < rows; ++r) {
            float sum = 0;
            for (std::size_t c = 0; c < shape.columns; ++c) sum += panels[k][r * shape.columns + c] * in[c];
            y[(k * examples + e) * shape.rows + row + r] = sum;
          }
        }
    }
  }

  std::vector<float> first_;
  std::vector<float> second_;
};

}  // namespace

int main() {
  // Which side of a plane a random point lies on.
  std::vector<float> x(examples * inputs);
  std::vector<int> labels(examples);
  zeroth::NoiseField<zeroth::Gaussian> const data{{}, 2, 0};
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = data.value(0, 0, i);
  for (std::size_t e = 0; e < examples; ++e) labels[e] = x[e * inputs] + x[e * inputs + 1] > 0 ? 1 : 0;

  Engine engine;
  zeroth::ZerothOrderOptimizer optimizer(engine.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.25},
                                         zeroth::CpuBackend{},
                                         {.epsilon = 1e-3, .learning_rate = 1e-1, .samples = 8, .seed = 3});
  bool only_read = true;
  double loss = 0;
  for (int i = 0; i <= 400; ++i) {
    std::vector<float> const before = engine.first();
    loss = optimizer
               .step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
                 engine.losses(probe, x, labels, losses);
                 only_read = only_read && engine.first() == before;
               })
               .loss;
    if (i % 100 == 0) std::printf("step %3d  loss %.4f\n", i, loss);
  }
  std::printf("bytes held by the optimizer: %llu; weights while a loss is evaluated: %s\n",
              static_cast<unsigned long long>(optimizer.bytes()), only_read ? "untouched" : "changed");
  return only_read && loss < 0.3 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// SPDX-License-Identifier: MIT
// A mask policy of your own: tunes only the weights that a pruned model has kept, and of those only every other row.

#include <cstdio>
#include <string_view>
#include <vector>

#include <zeroth/zeroth.hpp>

/// A rule that is the same for every tensor is a policy by itself.
struct KeepZeros {
  bool operator()(float theta, std::uint64_t /*element*/) const { return theta != 0; }
  static constexpr std::string_view name() { return "keep-zeros"; }
  bool operator==(KeepZeros const&) const = default;
};

/// A rule that depends on its tensor comes from a state that is prepared once.
struct EvenRows {
  struct Rule {
    static constexpr bool depends_on_weights = false;
    std::uint64_t columns = 1;
    bool operator()(float /*theta*/, std::uint64_t element) const { return element / columns % 2 == 0; }
  };
  struct State {
    std::vector<Rule> rules;
    zeroth::TensorMask<Rule> tensor(std::size_t index, std::uint32_t /*step*/) const {
      return {zeroth::Coverage::some, rules[index]};
    }
  };
  State prepare(zeroth::ParameterSet const& parameters, zeroth::WeightReader const& /*weights*/) const {
    State state;
    for (zeroth::Parameter const& p : parameters) state.rules.push_back({p.shape.columns});
    return state;
  }
  static constexpr std::string_view name() { return "even-rows"; }
  bool operator==(EvenRows const&) const = default;
};

int main() {
  std::vector<float> weights = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0};
  zeroth::ParameterSet parameters;
  parameters.add("weights", zeroth::Role::matrix, {3, 4}, weights);
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Rademacher{}, zeroth::both(KeepZeros{}, EvenRows{}),
                                         zeroth::CpuBackend{}, {.learning_rate = 0.01});
  auto sum_of_squares = [&] {
    double sum = 0;
    for (float w : weights) sum += static_cast<double>(w) * static_cast<double>(w);
    return sum;
  };
  for (int i = 0; i < 200; ++i) optimizer.step(sum_of_squares);
  for (std::size_t i = 0; i < weights.size(); ++i)
    std::printf(i % 4 == 3 ? "%.2f\n" : "%.2f ", static_cast<double>(weights[i]));
}

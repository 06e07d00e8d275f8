// SPDX-License-Identifier: MIT
// The policies of own_policies.hpp: each is checked, takes a run in both forms, and is replayed from its records.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <zeroth/check_policies.hpp>
#include <zeroth/zeroth.hpp>

#include "own_policies.hpp"

namespace {

/// Four layers of 16 x 64 weights.
struct Model {
  std::vector<std::vector<float>> layers = std::vector(4, std::vector<float>(1024));
  zeroth::ParameterSet parameters;

  Model() {
    zeroth::NoiseField<zeroth::Gaussian> const base{{}, 1, 0};
    for (std::uint32_t l = 0; l < layers.size(); ++l) {
      for (std::size_t i = 0; i < 1024; ++i) layers[l][i] = base.value(l, 0, i);
      parameters.add("blk." + std::to_string(l) + ".weight", zeroth::Role::matrix, {16, 64}, layers[l]);
    }
  }
  Model(Model const&) = delete;
  Model& operator=(Model const&) = delete;

  double loss() const {
    double sum = 0;
    for (std::vector<float> const& layer : layers)
      for (float w : layer) sum += static_cast<double>(w) * static_cast<double>(w);
    return sum / 4096;
  }
};

/// Runs 50 steps and replays them; whether the policies are sound and the replay has the run's bits.
template <class Sampler, class Mask>
bool run(Sampler const& sampler, Mask const& mask) {
  zeroth::Options const options{.learning_rate = 0.5, .seed = 2, .restore = zeroth::Restore::exact};
  Model model;
  zeroth::PolicyFindings const findings = zeroth::check_policies(model.parameters, sampler, mask);
  for (std::string const& fault : findings.faults) std::printf("%s\n", fault.c_str());

  Model again;
  double const before = model.loss();
  zeroth::ZerothOrderOptimizer tuned(model.parameters, sampler, mask, zeroth::CpuBackend{}, options);
  zeroth::ZerothOrderOptimizer replayed(again.parameters, sampler, mask, zeroth::ReferenceBackend{}, options);
  for (int i = 0; i < 50; ++i) replayed.replay(tuned.step([&] { return model.loss(); }));

  // What a journal says of the policies, and rejects another optimizer by.
  std::printf("%s, %s\n  active %.3f, loss %.4f to %.4f, replay %s\n", zeroth::describe(sampler).c_str(),
              zeroth::describe(mask).c_str(), findings.active[0], before, model.loss(),
              again.layers == model.layers ? "has the same bits" : "differs");
  return findings.ok() && again.layers == model.layers;
}

}  // namespace

int main() {
  Model const model;
  Wanda wanda{.sparsity = 0.5};
  for (zeroth::Parameter const& p : model.parameters) {
    std::vector<float> norms;  // an engine sums the squares of what it feeds each column
    for (std::size_t i = 0; i < 64; ++i) norms.push_back(1.0F + static_cast<float>(i % 4));
    wanda.norms[p.name] = norms;
  }
  zeroth::Tiled<TwoOfFour> const two_of_four{};
  DropLayers const schedule{.dropped = 0.5, .seed = 3};
  bool good = run(Triangular{}, wanda);
  good = run(Triangular{}, two_of_four) && good;
  good = run(Triangular{}, schedule) && good;
  good = run(zeroth::Rademacher{}, zeroth::both(wanda, zeroth::either(two_of_four, schedule))) && good;
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

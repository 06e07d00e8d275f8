// SPDX-License-Identifier: MIT
// A journal: a run that was stopped resumes to the bits of one that never was, and the tuned weights are rebuilt from
// the base weights and the journal.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <zeroth/journal_file.hpp>
#include <zeroth/zeroth.hpp>

namespace {

/// Anything with weights: here a vector, whose loss is its distance from another.
struct Model {
  std::vector<float> weights = std::vector<float>(64, 0.0F);

  [[nodiscard]] double loss() const {
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      double const error = weights[i] - 0.1 * static_cast<double>(i % 5);
      sum += error * error;
    }
    return sum;
  }
};

/// The optimizer of a run.
auto optimizer_of(Model& model) {
  zeroth::ParameterSet parameters;
  parameters.add("weights", zeroth::Role::matrix, {1, model.weights.size()}, model.weights);
  return zeroth::ZerothOrderOptimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                      {.epsilon = 1e-3, .learning_rate = 5e-3, .seed = 1});
}

/// Takes steps until the run has `steps` of them; those that the journal holds are replayed.
Model run(std::string const& path, std::uint64_t steps) {
  Model model;
  auto optimizer = optimizer_of(model);
  zeroth::JournalFile journal(path, optimizer);
  std::printf("resumes after step %llu, loss %.5f\n", static_cast<unsigned long long>(optimizer.steps()), model.loss());
  while (optimizer.steps() < steps) journal.append(optimizer.step([&] { return model.loss(); }));
  return model;
}

/// The tuned weights, rebuilt without a loss.
Model replayed(std::string const& path) {
  Model model;
  auto optimizer = optimizer_of(model);
  zeroth::replay(zeroth::read_journal(path), optimizer);
  return model;
}

}  // namespace

int main() {
  std::string const path = "journal_and_replay.journal";
  std::remove(path.c_str());
  (void)run(path, 300);
  Model const stopped = run(path, 1000);
  Model const again = replayed(path);
  std::printf("ends after step 1000, loss %.5f\n", stopped.loss());

  std::remove(path.c_str());
  Model const whole = run(path, 1000);
  std::remove(path.c_str());
  bool const same = stopped.weights == whole.weights && again.weights == whole.weights;
  std::printf("stopped, never stopped and replayed: %s weights\n", same ? "the same" : "other");
  return same ? EXIT_SUCCESS : EXIT_FAILURE;
}

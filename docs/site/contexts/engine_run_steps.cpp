// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>

#include <zeroth/journal_file.hpp>
#include <zeroth/zeroth.hpp>

struct Engine {
  double loss() const;
  double held_out_loss() const;
};

void context(Engine const& engine, zeroth::ParameterSet const& parameters) {
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{});
  zeroth::JournalFile journal("run.journal", optimizer);
  // @block
}

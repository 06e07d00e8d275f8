// SPDX-License-Identifier: MIT
#include "replay_weights.hpp"

#include <zeroth/backend/cpu.hpp>
#include <zeroth/replay_journal.hpp>

namespace zeroth::cli {

void replay_weights(Journal const& journal, ParameterSet const& parameters, ReplayOptions const& options,
                    AnyExecutor executor, Gpu const* gpu) {
  if (gpu != nullptr)
    gpu->replay(journal, parameters, options);
  else
    replay_journal(journal, parameters, options, CpuBackend(executor));
}

}  // namespace zeroth::cli

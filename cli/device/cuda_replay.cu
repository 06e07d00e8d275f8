// SPDX-License-Identifier: MIT
#include "cuda_replay.hpp"

#include <zeroth/replay_journal.hpp>

namespace zeroth::cli {

void cuda_replay(Journal const& journal, ParameterSet const& parameters, ReplayOptions const& options,
                 CudaBackend const& backend) {
  replay_journal(journal, parameters, options, backend);
}

}  // namespace zeroth::cli

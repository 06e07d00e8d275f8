// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/backend/cuda.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/parameters.hpp>

namespace zeroth::cli {

/// zeroth::replay_journal on a GPU. It has a file of its own, cuda_replay.cu, because nvcc is slow.
void cuda_replay(Journal const& journal, ParameterSet const& parameters, ReplayOptions const& options,
                 CudaBackend const& backend);

}  // namespace zeroth::cli

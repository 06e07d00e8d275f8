// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/executor.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/parameters.hpp>

#include "device/gpu.hpp"

namespace zeroth::cli {

/// See zeroth::replay_journal.
/// @param executor borrowed
/// @param gpu where the parameters lie; null: in the host's memory
void replay_weights(Journal const& journal, ParameterSet const& parameters, ReplayOptions const& options,
                    AnyExecutor executor, Gpu const* gpu);

}  // namespace zeroth::cli

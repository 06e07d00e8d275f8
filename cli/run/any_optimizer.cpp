// SPDX-License-Identifier: MIT
#include "any_optimizer.hpp"

#include <zeroth/backend/cpu.hpp>

#include "built_optimizer.hpp"
#include "device/gpu.hpp"

namespace zeroth::cli {

std::unique_ptr<AnyOptimizer> make_optimizer(FinetuneOptions const& options, ParameterSet const& parameters,
                                             AnyExecutor executor, Gpu const* gpu) {
  if (gpu != nullptr) return gpu->optimizer(options, parameters);
  return with_update_of(
      options, [&](auto const& update) { return build_optimizer(options, parameters, CpuBackend{executor}, update); });
}

}  // namespace zeroth::cli

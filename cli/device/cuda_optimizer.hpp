// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include <zeroth/backend/cuda.hpp>
#include <zeroth/zeroth.hpp>

#include "run/any_optimizer.hpp"

namespace zeroth::cli {

/// build_optimizer() on a GPU. Each has a file of its own, cuda_optimizer_*.cu, because nvcc is slow.
[[nodiscard]] std::unique_ptr<AnyOptimizer> cuda_optimizer(FinetuneOptions const& options,
                                                           ParameterSet const& parameters, CudaBackend const& backend,
                                                           Sgd const& update);
[[nodiscard]] std::unique_ptr<AnyOptimizer> cuda_optimizer(FinetuneOptions const& options,
                                                           ParameterSet const& parameters, CudaBackend const& backend,
                                                           SignSgd const& update);
[[nodiscard]] std::unique_ptr<AnyOptimizer> cuda_optimizer(FinetuneOptions const& options,
                                                           ParameterSet const& parameters, CudaBackend const& backend,
                                                           Momentum const& update);
[[nodiscard]] std::unique_ptr<AnyOptimizer> cuda_optimizer(FinetuneOptions const& options,
                                                           ParameterSet const& parameters, CudaBackend const& backend,
                                                           WindowMomentum const& update);
[[nodiscard]] std::unique_ptr<AnyOptimizer> cuda_optimizer(FinetuneOptions const& options,
                                                           ParameterSet const& parameters, CudaBackend const& backend,
                                                           Adam const& update);
[[nodiscard]] std::unique_ptr<AnyOptimizer> cuda_optimizer(FinetuneOptions const& options,
                                                           ParameterSet const& parameters, CudaBackend const& backend,
                                                           AdaMm const& update);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#include "cuda_optimizer.hpp"
#include "run/built_optimizer.hpp"

namespace zeroth::cli {

std::unique_ptr<AnyOptimizer> cuda_optimizer(FinetuneOptions const& options, ParameterSet const& parameters,
                                             CudaBackend const& backend, SignSgd const& update) {
  return build_optimizer(options, parameters, backend, update);
}

}  // namespace zeroth::cli

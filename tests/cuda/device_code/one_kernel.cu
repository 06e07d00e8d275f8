// SPDX-License-Identifier: MIT
// A kernel with a square root and a division, to test compiler flags on.
#include <zeroth/backend/cuda.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/update/adam.hpp>

using Kernel =
    zeroth::cuda::ApplyKernel<zeroth::Gaussian, zeroth::Dense::Rule, zeroth::cuda::RuleChange<zeroth::AdamRule>>;
template __global__ void zeroth::cuda::detail::run_kernel<Kernel>(Kernel const);

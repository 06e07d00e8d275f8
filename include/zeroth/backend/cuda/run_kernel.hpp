// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/backend/cuda/kernel.hpp>

// Runs a kernel of kernel.hpp on a GPU; only for nvcc.
#if defined(__CUDACC__)

/// Part of NVVM: reports nvcc's flags.
extern "C" __device__ int __nvvm_reflect(char const* name);  // NOLINT: its name

namespace zeroth::ZEROTH_ISA::cuda::detail {

/// Stops the compilation if a flag would change results: nvcc has no macros for these flags. Its optimizer knows the
/// reflected values, and either leaves this line for the assembler to reject, or removes it.
__device__ inline void refuse_inexact_arithmetic() {
  if (__nvvm_reflect("__CUDA_FTZ") != 0 || __nvvm_reflect("__CUDA_PREC_SQRT") == 0 ||
      __nvvm_reflect("__CUDA_PREC_DIV") == 0)
    asm volatile("zeroth_refuses_use_fast_math_ftz_and_inexact_division_or_root;");
}

template <unsigned phase, class Kernel>
__device__ void run_phases(Kernel const& kernel, Place at, typename Kernel::Shared& shared) {
  kernel.template run<phase>(at, shared);
  if constexpr (phase + 1 < Kernel::phases) {
    __syncthreads();
    run_phases<phase + 1>(kernel, at, shared);
  }
}

template <class Kernel>
__device__ void run_rounds(Kernel const& kernel, typename Kernel::Shared& shared) {
  Place at{threadIdx.x, blockIdx.x, gridDim.x};
  if constexpr (requires { kernel.rounds(at); }) {
    for (unsigned const rounds = kernel.rounds(at); at.round != rounds; ++at.round) {
      run_phases<0>(kernel, at, shared);
      __syncthreads();
    }
  } else {
    run_phases<0>(kernel, at, shared);
  }
}

template <class Kernel>
__global__ void __launch_bounds__(block_threads, 1) run_kernel(Kernel const kernel) {
  refuse_inexact_arithmetic();
  __shared__ typename Kernel::Shared shared;
  run_rounds(kernel, shared);
}

/// The same for a kernel that lies in device memory.
template <class Kernel>
__global__ void __launch_bounds__(block_threads, 1) run_stored_kernel(Kernel const* kernel) {
  refuse_inexact_arithmetic();
  __shared__ typename Kernel::Shared shared;
  run_rounds(*kernel, shared);
}

}  // namespace zeroth::ZEROTH_ISA::cuda::detail

#endif

// SPDX-License-Identifier: MIT
// The kernels of the decoder; check.py inspects their machine code.
#include <zeroth/backend/cuda.hpp>
#include <zeroth_model/ops/cuda/attention.hpp>
#include <zeroth_model/ops/cuda/copy_rows.hpp>
#include <zeroth_model/ops/cuda/elementwise.hpp>
#include <zeroth_model/ops/cuda/head.hpp>
#include <zeroth_model/ops/cuda/norm.hpp>
#include <zeroth_model/ops/cuda/rotary.hpp>

namespace zeroth::cuda::detail {

using namespace model::cuda;

#define KERNEL(...) template __global__ void run_kernel<__VA_ARGS__>(__VA_ARGS__ const);

KERNEL(AttentionKernel<64>)
KERNEL(AttentionKernel<128>)
KERNEL(AttentionKernel<256>)
KERNEL(CopyRowsKernel)
KERNEL(ElementwiseKernel<Add>)
KERNEL(ElementwiseKernel<GeGlu>)
KERNEL(ElementwiseKernel<Relu>)
KERNEL(ElementwiseKernel<Scale>)
KERNEL(ElementwiseKernel<SoftCap>)
KERNEL(ElementwiseKernel<SwiGlu>)
KERNEL(LayerNormKernel)
KERNEL(LogSumKernel)
KERNEL(NormaliseKernel)
KERNEL(PickKernel)
KERNEL(RmsNormKernel)
KERNEL(RotaryTableKernel)
KERNEL(RotateKernel)

}  // namespace zeroth::cuda::detail

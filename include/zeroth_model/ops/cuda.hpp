// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/backend/cuda.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/cuda/basic_ops.hpp>
#include <zeroth_model/ops/cuda/cublas.hpp>
#include <zeroth_model/ops/cuda/graph_products.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// How CudaOps computes, and the sizes of its workspaces.
struct CudaOpsOptions : cuda::OpsOptions {
  cuda::Tf32 tf32 = cuda::Tf32::no;  ///< for products of f32
};

/// DecoderOps on a GPU: products by cuBLAS, everything else by zeroth's own kernels.
///
/// Weights lie in GPU memory. A probe must come from an optimizer on the same backend or a copy of it. The same inputs
/// give the same bits on the same GPU with the same cuBLAS; unlike with the other sets, a lane of a probe agrees with
/// plain inference on its weights only up to rounding, since cuBLAS may split larger products differently.
class CudaOps : public cuda::BasicOps<zeroth::cuda::CudaStream, cuda::CublasProducts> {
 public:
  /// @throws CudaError
  explicit CudaOps(CudaBackend const& backend, CudaOpsOptions const& options = {})
      : BasicOps(backend.device(), cuda::CublasProducts(backend.device(), options.tf32), options) {}
};

/// CudaOps on a CudaGraphBackend. A pass runs as a graph if one of the same sizes came before: the same numbers of
/// tokens, tiles of queries and scores.
class CudaGraphOps : public cuda::BasicOps<zeroth::cuda::GraphStream<zeroth::cuda::CudaStream>,
                                           cuda::GraphProducts<zeroth::cuda::CudaStream, cuda::CublasProducts>> {
 public:
  /// @throws CudaError
  explicit CudaGraphOps(CudaGraphBackend const& backend, CudaOpsOptions const& options = {})
      : BasicOps(backend.device(), {backend.device(), cuda::CublasProducts(backend.device().device(), options.tf32)},
                 options) {}
};

static_assert(DecoderOps<CudaOps>);
static_assert(DecoderOps<CudaGraphOps>);

}  // namespace zeroth::ZEROTH_ISA::model

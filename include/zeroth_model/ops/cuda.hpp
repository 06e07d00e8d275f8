// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/backend/cuda.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/cuda/basic_ops.hpp>
#include <zeroth_model/ops/cuda/cublas.hpp>
#include <zeroth_model/ops/cuda/graph_products.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// How CudaOps computes, and the workspaces that it takes.
struct CudaOpsOptions : cuda::OpsOptions {
  cuda::Tf32 tf32 = cuda::Tf32::no;  ///< for products of f32
};

/// DecoderOps on a GPU: products by cuBLAS, the rest by kernels of zeroth's own.
///
/// Weights lie in the GPU's memory. A probe is one of an optimizer over the same backend, or a copy of it. The same
/// inputs give the same bits on the same GPU with the same cuBLAS; unlike with the other sets, a lane of a probe agrees
/// with plain inference on its weights to rounding alone, since cuBLAS may cut larger products otherwise.
class CudaOps : public cuda::BasicOps<zeroth::cuda::CudaStream, cuda::CublasProducts> {
 public:
  /// @throws CudaError
  explicit CudaOps(CudaBackend const& backend, CudaOpsOptions const& options = {})
      : BasicOps(backend.device(), cuda::CublasProducts(backend.device(), options.tf32), options) {}
};

/// CudaOps over CudaGraphBackend. A pass is run as a graph if one of the same sizes came before: as many tokens, tiles
/// of queries and scores.
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

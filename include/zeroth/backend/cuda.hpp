// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth/backend/cuda/graph_stream.hpp>
#include <zeroth/backend/cuda/stream.hpp>

#if !defined(__CUDACC__)
#error "zeroth/backend/cuda.hpp has kernels in it: compile the file that includes it with nvcc (as a .cu file)"
#endif

namespace zeroth::ZEROTH_ISA {

/// Weights in the memory of a GPU, as raw pointers of the caller. The same bits as ReferenceBackend, except for the
/// sign and payload of a NaN, since a GPU has only one NaN.
///
/// Work is queued on a stream, the caller's or its own. `expand` and `preview` return at once; whatever returns a
/// number or writes to the host waits. State, remainders and stored masks live in device memory. Only one thread at a
/// time may use a backend and its copies.
class CudaBackend : public cuda::BasicBackend<cuda::CudaStream> {
 public:
  /// @throws CudaError if there is no such device, or its compute capability is below 8.0
  explicit CudaBackend(int device = 0) : BasicBackend(cuda::CudaStream(device)) {}

  /// @param stream of that device; must outlive the backend and its copies
  CudaBackend(int device, cudaStream_t stream) : BasicBackend(cuda::CudaStream(device, stream)) {}

  [[nodiscard]] cudaStream_t stream() const noexcept { return device().stream(); }
};

/// CudaBackend on a stream that runs work it has seen before as a CUDA graph (GraphStream), for models whose steps are
/// bound by launches. It collects updates, and the passes of CudaGraphOps.
class CudaGraphBackend : public cuda::BasicBackend<cuda::GraphStream<cuda::CudaStream>> {
 public:
  /// @throws CudaError as CudaBackend
  explicit CudaGraphBackend(int device = 0)
      : BasicBackend(cuda::GraphStream<cuda::CudaStream>(cuda::CudaStream(device))) {}

  /// @param stream of that device, not its default one; must outlive the backend and its copies
  CudaGraphBackend(int device, cudaStream_t stream)
      : BasicBackend(cuda::GraphStream<cuda::CudaStream>(cuda::CudaStream(device, stream))) {}

  [[nodiscard]] cudaStream_t stream() const noexcept { return device().device().stream(); }
};

static_assert(Backend<CudaBackend>);
static_assert(Backend<CudaGraphBackend>);
static_assert(BackendWithMemory<CudaBackend>);

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include <cublas_v2.h>

#include <zeroth/backend/cuda/runtime.hpp>
#include <zeroth/backend/cuda/stream.hpp>
#include <zeroth_model/ops/cuda/products.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// @throws CudaError if the status is not CUBLAS_STATUS_SUCCESS
inline void check(cublasStatus_t status, char const* call, std::string const& what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw CudaError(std::string(call) + " (" + what + "): " + cublasGetStatusString(status) + " (" +
                  cublasGetStatusName(status) + ", " + std::to_string(static_cast<int>(status)) + ")");
}

/// Whether f32 products may round their factors to TF32's 10 bits of fraction.
enum class Tf32 : bool { no, yes };

/// Products by cuBLAS on a stream, with sums in f32. cuBLAS uses a workspace of this object, allocated once.
class CublasProducts {
 public:
  /// @throws CudaError
  explicit CublasProducts(zeroth::cuda::CudaStream const& stream, Tf32 tf32 = Tf32::no)
      : stream_(stream), tf32_(tf32), workspace_(stream.allocate(workspace_bytes, "cuBLAS's workspace")) {
    zeroth::cuda::DeviceScope const scope(stream.device());
    cublasHandle_t handle = nullptr;
    check(cublasCreate(&handle), "cublasCreate", "handle");
    handle_ = std::shared_ptr<cublasContext>(handle, [](cublasHandle_t h) { cublasDestroy(h); });
    check(cublasSetStream(handle, stream.stream()), "cublasSetStream", "stream");
    check(cublasSetWorkspace(handle, workspace_.get(), workspace_bytes), "cublasSetWorkspace", "workspace");
    // Otherwise parts of a sum may be added in 16 bits.
    check(cublasSetMathMode(handle, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION), "cublasSetMathMode",
          "math mode");
  }

  /// See Products.
  void run(Product const& p, std::string const& what) const {
    zeroth::cuda::DeviceScope const scope(stream_.device());
    bool const fast = tf32_ == Tf32::yes && p.dtype == DataType::f32;
    // cuBLAS's matrices are column-major: out^T = W in^T, with W as the transpose of what is stored.
    check(cublasGemmStridedBatchedEx(handle_.get(), CUBLAS_OP_T, CUBLAS_OP_N, size(p.outputs, what), size(p.rows, what),
                                     size(p.columns, what), &p.alpha, p.weights, type(p.dtype), size(p.columns, what),
                                     stride(p.weights_stride), p.in, type(p.dtype), size(p.columns, what),
                                     stride(p.in_stride), &p.beta, p.out, type(p.out_dtype), size(p.out_row, what),
                                     stride(p.out_stride), size(p.batch, what),
                                     fast ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
          "cublasGemmStridedBatchedEx", what);
  }

  /// Device memory of its own workspace, in bytes.
  [[nodiscard]] static constexpr std::size_t bytes() noexcept { return workspace_bytes; }

 private:
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // cuBLAS's recommendation for Hopper

  static int size(std::uint64_t value, std::string const& what) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<int>::max()))
      throw CudaError("cublasGemmStridedBatchedEx (" + what + "): a size of " + std::to_string(value) +
                      " is beyond what an int holds");
    return static_cast<int>(value);
  }
  static long long stride(std::uint64_t value) noexcept { return static_cast<long long>(value); }

  static cudaDataType_t type(DataType dtype) noexcept {
    return dtype == DataType::bf16 ? CUDA_R_16BF : dtype == DataType::f16 ? CUDA_R_16F : CUDA_R_32F;
  }

  zeroth::cuda::CudaStream stream_;
  Tf32 tf32_;
  std::shared_ptr<std::byte> workspace_;
  std::shared_ptr<cublasContext> handle_;
};

static_assert(Products<CublasProducts>);

}  // namespace zeroth::ZEROTH_ISA::model::cuda

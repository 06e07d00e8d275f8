// SPDX-License-Identifier: MIT
// The model on a GPU. Only this file, cuda_replay.cu and cuda_optimizer_*.cu are compiled with CUDA.
#include "gpu.hpp"

#include <memory>

#include <zeroth/backend/cuda.hpp>
#include <zeroth_model/ops/cuda.hpp>
#include <zeroth_model/weights/random_weights.hpp>

#include "cuda_optimizer.hpp"
#include "cuda_replay.hpp"
#include "run/built_optimizer.hpp"

namespace zeroth::cli {
namespace {

class CudaGpu final : public Gpu {
 public:
  explicit CudaGpu(std::uint32_t device) : backend_(static_cast<int>(device)) {}

  [[nodiscard]] model::WeightMemory memory() const override { return model::WeightMemory::of(backend_); }

  void fill_random(model::DecoderWeights& weights, std::uint64_t seed) const override {
    model::fill_random(weights, backend_, seed);
  }

  [[nodiscard]] model::AnyDecoder decoder(model::DecoderWeights const& weights) const override {
    model::CudaOpsOptions options;
    options.dtype = weights.dtype();
    return model::AnyDecoder(model::Decoder(weights, model::CudaOps(backend_, options)));
  }

  [[nodiscard]] std::unique_ptr<AnyOptimizer> optimizer(FinetuneOptions const& options,
                                                        ParameterSet const& parameters) const override {
    return with_update_of(options,
                          [&](auto const& update) { return cuda_optimizer(options, parameters, backend_, update); });
  }

  void replay(Journal const& journal, ParameterSet const& parameters, ReplayOptions const& options) const override {
    cuda_replay(journal, parameters, options, backend_);
  }

 private:
  CudaBackend backend_;
};

}  // namespace

std::shared_ptr<Gpu const> open_cuda(std::uint32_t device) {
  return std::make_shared<CudaGpu>(device);
}

}  // namespace zeroth::cli

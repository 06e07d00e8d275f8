// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <zeroth/parameters.hpp>
#include <zeroth_model/decoder/any_decoder.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>
#include <zeroth_model/weights/weight_memory.hpp>

#include "options/options.hpp"
#include "run/any_optimizer.hpp"

namespace zeroth::cli {

/// A GPU that holds a model and runs it: the interface that the rest of the program, compiled without CUDA, sees.
class Gpu {
 public:
  Gpu() = default;
  Gpu(Gpu const&) = delete;
  Gpu& operator=(Gpu const&) = delete;
  virtual ~Gpu() = default;

  [[nodiscard]] virtual model::WeightMemory memory() const = 0;

  /// See model::fill_random. The weights must be in memory().
  virtual void fill_random(model::DecoderWeights& weights, std::uint64_t seed) const = 0;

  /// A decoder whose activations have the type of the weights' matrices.
  [[nodiscard]] virtual model::AnyDecoder decoder(model::DecoderWeights const& weights) const = 0;

  /// See cli::make_optimizer.
  [[nodiscard]] virtual std::unique_ptr<AnyOptimizer> optimizer(FinetuneOptions const& options,
                                                                ParameterSet const& parameters) const = 0;

  /// See cli::replay_weights.
  virtual void replay(Journal const& journal, ParameterSet const& parameters, ReplayOptions const& options) const = 0;
};

/// The GPU that --device names; null for the CPU.
/// @throws InvalidArgument if this program was built without CUDA, CudaError if there is no such GPU
[[nodiscard]] std::shared_ptr<Gpu const> open_gpu(std::optional<std::uint32_t> device);

}  // namespace zeroth::cli

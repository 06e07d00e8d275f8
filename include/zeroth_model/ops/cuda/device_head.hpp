// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth_model/decoder/pass_sizes.hpp>
#include <zeroth_model/ops/cuda/device_memory.hpp>
#include <zeroth_model/ops/cuda/elementwise.hpp>
#include <zeroth_model/ops/cuda/head.hpp>
#include <zeroth_model/ops/cuda/products.hpp>
#include <zeroth_model/ops/cuda/weight_panels.hpp>
#include <zeroth_model/ops/cuda/workspace.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// The head of a decoder on a device: scores of the requested tokens. Logits are f32, and held only in such numbers as
/// fit a workspace.
template <zeroth::cuda::Stream Device, Products P>
class DeviceHead {
 public:
  /// @param memory workspace shared by the operations
  /// @param bytes of logits held at once; those of a single row may take more
  DeviceHead(Workspace<Device>& memory, std::size_t bytes) : memory_(&memory), logits_bytes_(bytes) {}

  /// Bytes of the workspace that a pass needs for the head.
  [[nodiscard]] std::size_t bytes(PassSizes const& sizes) const noexcept {
    std::size_t const slots = sizes.lanes * sizes.scored;
    std::size_t const tokens =
        std::min(sizes.vocabulary, std::max<std::size_t>(most_tokens, std::min(sizes.requests, sizes.vocabulary)));
    std::array<std::size_t, 5> const pieces{
        slots * sizeof(double), slots * sizeof(float), sizes.lanes * sizes.requests * sizeof(double),
        sizes.requests * sizeof(HeadRequest), logits_bytes(sizes.lanes, sizes.scored, tokens)};
    std::size_t result = 0;
    for (std::size_t piece : pieces) result += Workspace<Device>::piece_bytes(piece);
    return result;
  }

  /// Logits of the requests, out[lane * requests + i]; only the requested rows of the head are read.
  void logits(P const& products, WeightPanels<Device>& panels, WeightView const& weights, std::size_t parameter,
              LaneRows const& in, std::span<ScoreRequest const> requests, std::span<double> out) {
    tokens_.clear();
    for (ScoreRequest const& request : requests) tokens_.push_back(static_cast<std::uint64_t>(request.token));
    std::sort(tokens_.begin(), tokens_.end());
    tokens_.erase(std::unique(tokens_.begin(), tokens_.end()), tokens_.end());
    requests_.clear();
    for (ScoreRequest const& request : requests) {
      auto const at = std::lower_bound(tokens_.begin(), tokens_.end(), static_cast<std::uint64_t>(request.token));
      requests_.push_back({request.row, static_cast<std::uint64_t>(at - tokens_.begin())});
    }
    Work const work{memory_->device(),
                    products,
                    request_lists_.get(*memory_, std::span<HeadRequest const>(requests_)),
                    reserve_picked(in, requests.size()),
                    in,
                    name(weights, parameter)};
    bool const follow = tokens_.back() - tokens_.front() + 1 == tokens_.size();
    std::uint64_t const height = follow ? panels.height(weights, parameter) : panels.copied_height(weights, parameter);
    reserve_logits(in, std::min<std::uint64_t>(height, tokens_.size()));
    for (std::uint64_t first = 0; first < tokens_.size(); first += height) {
      auto const part = std::span<std::uint64_t const>(tokens_).subspan(
          first, std::min<std::uint64_t>(height, tokens_.size() - first));
      // Consecutive tokens are read in place.
      bool const run = part.back() - part.front() + 1 == part.size();
      multiply(
          work,
          run ? panels.rows(weights, parameter, part.front(), part.size()) : panels.gathered(weights, parameter, part),
          first, part.size(), /*sums=*/false);
    }
    work.device.transfer(out.data(), work.picked, out.size_bytes(), "scores");
  }

  /// Logits, capped if `soft_cap` is not 0, minus the logarithm of the sum of all tokens' exponentials.
  void log_probabilities(P const& products, WeightPanels<Device>& panels, WeightView const& weights,
                         std::size_t parameter, LaneRows const& in, float soft_cap,
                         std::span<ScoreRequest const> requests, std::span<double> out) {
    requests_.clear();
    for (ScoreRequest const& request : requests)
      requests_.push_back({request.row, static_cast<std::uint64_t>(request.token)});
    Work const work{memory_->device(),
                    products,
                    request_lists_.get(*memory_, std::span<HeadRequest const>(requests_)),
                    reserve_picked(in, requests.size()),
                    in,
                    name(weights, parameter)};
    std::uint64_t const vocabulary = weights[parameter].shape.rows;
    std::uint64_t const height = std::min({panels.height(weights, parameter), most_tokens, vocabulary});
    reserve_logits(in, height);
    for (std::uint64_t first = 0; first < vocabulary; first += height) {
      std::uint64_t const tokens = std::min(height, vocabulary - first);
      multiply(work, panels.rows(weights, parameter, first, tokens), first, tokens, /*sums=*/true, soft_cap);
    }
    NormaliseKernel const kernel{work.requests, requests.size(), in.lanes, in.rows, tops(), sums(), work.picked};
    work.device.launch(kernel, blocks_of(in.lanes * requests.size()), work.what);
    work.device.transfer(out.data(), work.picked, out.size_bytes(), "scores");
  }

 private:
  /// The most tokens whose logits are computed at once: enough for full speed of a product.
  static constexpr std::uint64_t most_tokens = 16384;

  /// Common to the parts of a call.
  struct Work {
    Device const& device;
    P const& products;
    HeadRequest const* requests;
    double* picked;  ///< lanes x requests
    LaneRows in;
    std::string what;
  };

  static std::string name(WeightView const& weights, std::size_t parameter) {
    return "scores by '" + weights[parameter].name + "'";
  }

  static std::uint64_t blocks_of(std::uint64_t threads) { return (threads + block_threads - 1) / block_threads; }

  double* reserve_picked(LaneRows const& in, std::size_t requests) {
    auto const slots = static_cast<std::size_t>(in.lanes * in.rows);
    sums_.reserve(*memory_, slots * sizeof(double), "sums of the head");
    tops_.reserve(*memory_, slots * sizeof(float), "maxima of the head");
    return reinterpret_cast<double*>(
        picked_.reserve(*memory_, static_cast<std::size_t>(in.lanes) * requests * sizeof(double), "scores"));
  }

  /// Bytes of the logits of as many rows as may be held at once, at least one.
  [[nodiscard]] std::size_t logits_bytes(std::uint64_t lanes, std::uint64_t rows, std::uint64_t tokens) const noexcept {
    std::uint64_t const row = lanes * tokens * sizeof(float);
    return static_cast<std::size_t>(std::max<std::uint64_t>(row, std::min<std::uint64_t>(logits_bytes_, rows * row)));
  }
  /// @param tokens the most tokens of a part
  void reserve_logits(LaneRows const& in, std::uint64_t tokens) {
    logits_.reserve(*memory_, logits_bytes(in.lanes, in.rows, tokens), "logits");
  }
  [[nodiscard]] double* sums() const noexcept { return reinterpret_cast<double*>(sums_.data()); }
  [[nodiscard]] float* tops() const noexcept { return reinterpret_cast<float*>(tops_.data()); }

  /// Computes the logits of all rows by some tokens, as many rows at once as fit the workspace, and the results needed
  /// from them.
  void multiply(Work const& work, LaneWeights const& weights, std::uint64_t first, std::uint64_t tokens, bool with_sums,
                float soft_cap = 0) {
    LaneRows const& in = work.in;
    std::uint64_t const row_bytes = in.lanes * tokens * sizeof(float);
    std::uint64_t const height = std::clamp<std::uint64_t>(logits_bytes_ / row_bytes, 1, in.rows);
    auto* const logits = reinterpret_cast<float*>(logits_.data());
    for (std::uint64_t row = 0; row < in.rows; row += height) {
      std::uint64_t const rows = std::min(height, in.rows - row);
      LogitsPart const part{logits, in.lanes, row, rows, first, tokens};
      Product product{.batch = in.lanes,
                      .rows = rows,
                      .outputs = tokens,
                      .columns = in.features,
                      .dtype = in.dtype,
                      .out_dtype = DataType::f32,
                      .in = advanced(in.dtype, in.data, row * in.features),
                      .in_stride = in.rows * in.features,
                      .weights = weights.data,
                      .weights_stride = weights.lane_stride,
                      .out = logits,
                      .out_stride = rows * tokens,
                      .out_row = tokens};
      work.products.run(product, work.what);
      if (soft_cap != 0) {
        ElementwiseKernel<SoftCap> const kernel{{logits, DataType::f32, in.lanes, rows, tokens}, nullptr, {soft_cap}};
        constexpr std::uint64_t of_thread = ElementwiseKernel<SoftCap>::size;
        work.device.launch(kernel, blocks_of((kernel.x.size() + of_thread - 1) / of_thread), work.what);
      }
      if (with_sums) work.device.launch(LogSumKernel{part, in.rows, tops(), sums()}, in.lanes * rows, work.what);
      work.device.launch(PickKernel{part, work.requests, requests_.size(), work.picked},
                         blocks_of(in.lanes * requests_.size()), work.what);
    }
  }

  Workspace<Device>* memory_;
  std::size_t logits_bytes_;
  Piece logits_;
  Piece sums_;  // per lane and row
  Piece tops_;
  Piece picked_;
  std::vector<std::uint64_t> tokens_;
  std::vector<HeadRequest> requests_;
  UploadedLists request_lists_;  // separate, so that the parts' lists cannot evict it
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>

#include <zeroth_model/ops/cuda/values.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// x / sqrt(mean of its squares + epsilon), times the gain, for each row. Grid: one block per row, of all lanes.
struct RmsNormKernel {
  struct Shared {
    BlockSum squares;
  };
  static constexpr unsigned phases = 3;

  LaneRows in;
  LaneRows out;
  LaneWeights gain;
  float epsilon;
  float offset = 0;  ///< added to the gain

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& shared) const {
    std::uint64_t const row = at.block * in.features;
    if constexpr (phase == 0) {
      float sum = 0;
      for (std::uint64_t f = at.thread; f < in.features; f += block_threads) {
        float const x = in.get(row + f);
        sum += x * x;
      }
      shared.squares.parts[at.thread] = sum;
    } else if constexpr (phase == 1) {
      shared.squares.fold(at.thread);
    } else {
      float const scale = 1.0F / std::sqrt(shared.squares.total() / static_cast<float>(in.features) + epsilon);
      std::uint64_t const lane = at.block / in.rows;
      for (std::uint64_t f = at.thread; f < in.features; f += block_threads)
        out.set(row + f, in.get(row + f) * scale * (gain(lane, f) + offset));
    }
  }
};

/// (x - its mean) / sqrt(its variance + epsilon), times the gain, plus the bias. Grid: one block per row, of all lanes.
struct LayerNormKernel {
  struct Shared {
    BlockSum values;
    BlockSum squares;
  };
  static constexpr unsigned phases = 5;

  LaneRows in;
  LaneRows out;
  LaneWeights gain;
  LaneWeights bias;
  float epsilon;

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& shared) const {
    std::uint64_t const row = at.block * in.features;
    auto const features = static_cast<float>(in.features);
    if constexpr (phase == 0) {
      float sum = 0;
      for (std::uint64_t f = at.thread; f < in.features; f += block_threads) sum += in.get(row + f);
      shared.values.parts[at.thread] = sum;
    } else if constexpr (phase == 1) {
      shared.values.fold(at.thread);
    } else if constexpr (phase == 2) {
      float const mean = shared.values.total() / features;
      float sum = 0;
      for (std::uint64_t f = at.thread; f < in.features; f += block_threads) {
        float const centred = in.get(row + f) - mean;
        sum += centred * centred;
      }
      shared.squares.parts[at.thread] = sum;
    } else if constexpr (phase == 3) {
      shared.squares.fold(at.thread);
    } else {
      float const mean = shared.values.total() / features;
      float const scale = 1.0F / std::sqrt(shared.squares.total() / features + epsilon);
      std::uint64_t const lane = at.block / in.rows;
      for (std::uint64_t f = at.thread; f < in.features; f += block_threads)
        out.set(row + f, (in.get(row + f) - mean) * scale * gain(lane, f) + bias(lane, f));
    }
  }
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>

#include <zeroth_model/ops/cuda/values.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// A part of the logits: of some rows and some tokens. [lanes x rows x tokens]
struct LogitsPart {
  float const* data;
  std::uint64_t lanes;
  std::uint64_t first_row;
  std::uint64_t rows;
  std::uint64_t first_token;
  std::uint64_t tokens;
};

/// A requested score. `token` counts as LogitsPart's tokens do.
struct HeadRequest {
  std::uint64_t row;
  std::uint64_t token;
};

/// Adds logits to each row's running maximum and sum of exponentials above it. Grid: one block per row of the part, of
/// all lanes.
struct LogSumKernel {
  struct Shared {
    float parts[block_threads];
    BlockSum sum;
  };
  static constexpr unsigned phases = 5;

  LogitsPart part;
  std::uint64_t all_rows;
  float* tops;   ///< lanes x all rows
  double* sums;  ///< likewise

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& shared) const {
    float const* const logits = part.data + at.block * part.tokens;
    std::uint64_t const slot = at.block / part.rows * all_rows + part.first_row + at.block % part.rows;
    bool const is_first = part.first_token == 0;
    float const before = is_first ? minus_infinity() : tops[slot];
    if constexpr (phase == 0) {
      float top = before;
      for (std::uint64_t t = at.thread; t < part.tokens; t += block_threads) top = logits[t] > top ? logits[t] : top;
      shared.parts[at.thread] = top;
    } else if constexpr (phase == 1) {
      if (at.thread < BlockSum::folds) {
        float top = shared.parts[at.thread];
        for (unsigned i = at.thread; i < block_threads; i += BlockSum::folds)
          top = shared.parts[i] > top ? shared.parts[i] : top;
        shared.sum.folded[at.thread] = top;
      }
    } else if constexpr (phase == 2) {
      float top = shared.sum.folded[0];
      for (float other : shared.sum.folded) top = other > top ? other : top;
      float sum = 0;
      for (std::uint64_t t = at.thread; t < part.tokens; t += block_threads) sum += std::exp(logits[t] - top);
      shared.sum.parts[at.thread] = sum;
      shared.parts[at.thread] = top;
    } else if constexpr (phase == 3) {
      shared.sum.fold(at.thread);
    } else {
      if (at.thread != 0) return;
      float const top = shared.parts[0];
      double const earlier =
          is_first ? 0.0 : sums[slot] * std::exp(static_cast<double>(before) - static_cast<double>(top));
      sums[slot] = earlier + static_cast<double>(shared.sum.total());
      tops[slot] = top;
    }
  }
};

/// Picks the requested logits. Grid: one thread per request and lane.
struct PickKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;

  LogitsPart part;
  HeadRequest const* requests;
  std::uint64_t count;
  double* out;  ///< lanes x requests

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    std::uint64_t const i = at.global();
    if (i >= part.lanes * count) return;
    HeadRequest const request = requests[i % count];
    std::uint64_t const row = request.row - part.first_row;  // wraps around before the first row
    std::uint64_t const token = request.token - part.first_token;
    if (row >= part.rows || token >= part.tokens) return;
    out[i] = static_cast<double>(part.data[(i / count * part.rows + row) * part.tokens + token]);
  }
};

/// Turns logits into log-probabilities. Grid: one thread per request and lane.
struct NormaliseKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;

  HeadRequest const* requests;
  std::uint64_t count;
  std::uint64_t lanes;
  std::uint64_t all_rows;
  float const* tops;  ///< from LogSumKernel
  double const* sums;
  double* out;  ///< lanes x requests

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    std::uint64_t const i = at.global();
    if (i >= lanes * count) return;
    std::uint64_t const slot = i / count * all_rows + requests[i % count].row;
    out[i] -= static_cast<double>(tops[slot]) + std::log(sums[slot]);
  }
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

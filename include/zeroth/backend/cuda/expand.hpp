// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <zeroth/backend/cuda/kernel.hpp>
#include <zeroth/backend/cuda/tile_share.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/sampler/sampler.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// A lane as the kernel receives it.
struct PanelLane {
  void* panel = nullptr;
  float coefficient = 0;  ///< sign times epsilon
  std::uint32_t sample = 0;
  bool moves = false;  ///< sign is not 0
};

/// Reads theta once, computes the noise of each direction once, and writes a panel for every lane. Grid: one thread per
/// TileShare; with `pieces`, piece_threads threads per piece.
template <Sampler S, MaskRule Rule>
struct ExpandKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;
  static constexpr std::size_t max_lanes = 8;

  void const* weights;  ///< first weight of the range
  DataType dtype;
  DataType panel_dtype;  ///< of the panels; f32 is exact, other types are rounded to nearest
  std::uint64_t first;   ///< index of the range's first weight in the whole tensor
  std::uint64_t count;
  std::uint32_t stream;
  TensorMask<Rule> mask;
  NoiseField<S> noise;
  unsigned lanes;
  Array<PanelLane, max_lanes> lane;
  std::uint64_t const* pieces =
      nullptr;  ///< piece i is the range shifted by pieces[i] times its length; null: one piece
  std::uint64_t piece_count = 1;
  std::uint64_t piece_threads = 0;

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    using Share = TileShare<S>;
    std::uint64_t const piece = pieces == nullptr ? 0 : at.global() / piece_threads;
    if (piece >= piece_count) return;
    std::uint64_t const moved = pieces == nullptr ? 0 : pieces[piece] * count;
    Share const share(first + moved, count, at.global() - piece * piece_threads);
    auto const* const from = static_cast<char const*>(weights) + moved * size_of(dtype);
    typename Share::Floats const theta = Share::values(dtype, share.load(dtype, from));
    bool active[Share::size];
    for (std::size_t j = 0; j < Share::size; ++j) active[j] = share.has(j) && mask(theta[j], share.element(j));
    typename Share::Floats z{};
    bool made = false;
    std::uint32_t sample = 0;
    for (unsigned k = 0; k < lanes; ++k) {
      PanelLane const& to = lane[k];
      typename Share::Floats panel = theta;
      if (to.moves) {
        if (!made || sample != to.sample) z = share.noise(noise, stream, to.sample);
        made = true;
        sample = to.sample;
        for (std::size_t j = 0; j < Share::size; ++j)
          if (active[j]) panel[j] = std::fma(to.coefficient, z[j], theta[j]);
      }
      share.store(panel_dtype, panel, static_cast<char*>(to.panel) + piece * count * size_of(panel_dtype));
    }
  }
};

}  // namespace zeroth::ZEROTH_ISA::cuda

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/describe.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA {

/// Selects weights by looking at all 128 of a tile: N of each M neighbours, for example. Runs on the host.
///
/// 1. A regular value type with `name()`, and `description()` if it has settings, as a MaskPolicy.
/// 2. `rule(theta, first)` is pure and returns the tile's mask; theta[e] is element first + e of the whole tensor.
/// Where
///    a slice or the tensor does not reach, theta is NaN and the result is ignored.
template <class T>
concept TileRule = std::regular<T> &&
    requires(T const& rule, std::span<float const, tile_size> theta, std::uint64_t first) {
  { rule(theta, first) } -> std::same_as<TileMask>;
  { rule.name() } -> std::convertible_to<std::string_view>;
};

/// Active: what a TileRule selects from the weights before the first step, and again every `refresh_every` steps. Keeps
/// one bit per weight; computing them reads all weights once, on the calling thread.
template <TileRule Select>
struct Tiled {
  Select select{};
  std::uint32_t refresh_every = 0;  ///< steps between recomputed bits; 0: never recompute

  using Rule = BitmapRule;

  class State {
   public:
    State(Tiled tiled, ParameterSet const& parameters, WeightReader const& weights) : tiled_(std::move(tiled)) {
      select(parameters, weights);
    }

    [[nodiscard]] TensorMask<Rule> tensor(std::size_t index, std::uint32_t /*step*/) const noexcept {
      return {Coverage::some, {bits_[index].as<std::uint64_t const>(), first_tiles_[index]}};
    }
    [[nodiscard]] bool is_fixed() const noexcept { return tiled_.refresh_every == 0; }

    void begin_step(ParameterSet const& parameters, WeightReader const& weights, std::uint32_t step) {
      if (tiled_.refresh_every != 0 && step != 0 && step % tiled_.refresh_every == 0) select(parameters, weights);
    }

   private:
    void select(ParameterSet const& parameters, WeightReader const& weights) {
      std::vector<BackendBuffer> bits;
      first_tiles_.clear();
      for (Parameter const& p : parameters) {
        bits.push_back(weights.keep(std::as_bytes(std::span(std::as_const(words_of(p, weights).words())))));
        first_tiles_.push_back(p.offset / tile_size);
      }
      bits_ = std::move(bits);
    }

    [[nodiscard]] Bitmap words_of(Parameter const& p, WeightReader const& weights) const {
      constexpr std::uint64_t tiles_at_once = 512;
      Bitmap bits(p);
      std::vector<float> theta(tiles_at_once * tile_size);
      std::uint64_t const end = p.offset + p.size();
      std::size_t word = 0;
      for (std::uint64_t first = p.offset / tile_size * tile_size; first < end; first += theta.size()) {
        std::uint64_t const from = std::max(first, p.offset);
        std::uint64_t const to = std::min(first + theta.size(), end);
        std::fill(theta.begin(), theta.end(), std::numeric_limits<float>::quiet_NaN());
        weights.read(p, from - p.offset, std::span(theta).subspan(from - first, to - from));
        for (std::uint64_t tile = first; tile < to; tile += tile_size) {
          std::span<float const, tile_size> const of_tile(&theta[tile - first], tile_size);
          TileMask const mask = tiled_.select(of_tile, tile);
          bits.words()[word++] = mask.word[0];
          bits.words()[word++] = mask.word[1];
        }
      }
      return bits;
    }

    Tiled tiled_;
    std::vector<BackendBuffer> bits_;  // of each tensor
    std::vector<std::uint64_t> first_tiles_;
  };

  [[nodiscard]] State prepare(ParameterSet const& parameters, WeightReader const& weights) const {
    return State(*this, parameters, weights);
  }
  [[nodiscard]] std::string name() const { return "tiled(" + std::string(select.name()) + ")"; }
  [[nodiscard]] std::string description() const {
    return "tiled(" + describe(select) + ", refresh_every=" + number_text(refresh_every) + ")";
  }
  bool operator==(Tiled const&) const = default;
};
template <class Select>
Tiled(Select) -> Tiled<Select>;
template <class Select>
Tiled(Select, std::uint32_t) -> Tiled<Select>;

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/cuda/kernel.hpp>
#include <zeroth/backend/cuda/tile_share.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// Terms as the kernel receives them: a few in its arguments, more in memory.
struct Terms {
  static constexpr std::size_t few_terms = 16;

  NoiseTerm const* many = nullptr;
  unsigned count = 0;
  Array<NoiseTerm, few_terms> few{};

  [[nodiscard]] ZEROTH_HOST_DEVICE NoiseTerm operator[](unsigned i) const noexcept {
    return many == nullptr ? few[i] : many[i];
  }
};

/// What `apply` does to active weights: it adds the terms.
struct TermsChange {
  static constexpr bool has_rule = false;
};

/// What `apply_rule` does: the rule, over planes of the weights' state.
template <class R>
struct RuleChange {
  static constexpr bool has_rule = true;
  R rule;
  float* state;         ///< plane k begins at k * plane
  std::uint64_t plane;  ///< weights of the tensor

  ZEROTH_CALLS_USERS_CODE
  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float t, float direction, std::uint64_t index) const {
    if constexpr (state_floats<R> == 0) {
      return rule(t, direction);
    } else {
      Array<float, state_floats<R>> values;
      for (std::size_t k = 0; k < state_floats<R>; ++k) values[k] = state[k * plane + index];
      t = rule(t, direction, values);
      for (std::size_t k = 0; k < state_floats<R>; ++k) state[k * plane + index] = values[k];
      return t;
    }
  }
};

/// One pass over a tensor as ElementwisePass defines it or, with a panel, the weights it would leave. Grid: one thread
/// per TileShare.
template <Sampler S, MaskRule Rule, class Change>
struct ApplyKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;
  using Share = TileShare<S>;
  using Floats = typename Share::Floats;

  void* data;          ///< the tensor's first weight; `source` likewise
  void const* source;  ///< weights to read, also for the mask
  DataType dtype;
  std::uint64_t offset;  ///< index of data[0] in the whole tensor
  std::uint64_t first;   ///< the range, counted from data[0]
  std::uint64_t count;
  std::uint32_t stream;
  TensorMask<Rule> mask;
  NoiseField<S> noise;
  Terms restore;
  Terms terms;
  float decay;
  Rounding rounding;
  Change change;
  Remainders remainders;
  float* panel;                ///< null: apply the pass; otherwise only write its result here, in f32
  unsigned long long* active;  ///< incremented by the number of active weights; unused with a panel

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    Share const share(offset + first, count, at.global());
    typename Share::Words const words = share.load(dtype, source_at(first));
    Floats const theta = Share::values(dtype, words);
    Floats t = theta;
    bool moves[Share::size];
    unsigned actives = 0;
    ZEROTH_DEVICE_UNROLL
    for (std::size_t j = 0; j < Share::size; ++j) {
      moves[j] = share.has(j) && mask(theta[j], share.element(j));
      if (!moves[j]) continue;
      ++actives;
      t[j] = with_remainder(share, j, words[j], theta[j]);
    }
    if (actives != 0) {
      chain(share, restore, t);
      if (decay != 0) {
        ZEROTH_DEVICE_UNROLL
        for (std::size_t j = 0; j < Share::size; ++j) t[j] = std::fma(-decay, t[j], t[j]);
      }
      move(share, moves, t);
    }
    if (panel != nullptr) return preview(share, moves, theta, t);
    store(share, moves, words, t);
    add_count(active, actives);
  }

 private:
  [[nodiscard]] ZEROTH_HOST_DEVICE void const* source_at(std::uint64_t i) const noexcept {
    return static_cast<char const*>(source) + i * size_of(dtype);
  }

  /// t <- fma(c, z, t) for each term.
  ZEROTH_HOST_DEVICE void chain(Share const& share, Terms const& list, Floats& t) const {
    for (unsigned i = 0; i < list.count; ++i) {
      NoiseTerm const term = list[i];
      Floats const z = share.noise(noise.at(term.step), stream, term.sample);
      ZEROTH_DEVICE_UNROLL
      for (std::size_t j = 0; j < Share::size; ++j) t[j] = std::fma(term.coefficient, z[j], t[j]);
    }
  }

  ZEROTH_HOST_DEVICE void move(Share const& share, bool const* moves, Floats& t) const {
    if constexpr (Change::has_rule) {
      Floats direction{};
      chain(share, terms, direction);
      ZEROTH_DEVICE_UNROLL
      for (std::size_t j = 0; j < Share::size; ++j)
        if (moves[j]) t[j] = change(t[j], direction[j], first + share.position(j));
    } else {
      chain(share, terms, t);
    }
  }

  /// Finds the remainder of the thread's j-th weight; false if it has no place.
  [[nodiscard]] ZEROTH_HOST_DEVICE bool place(Share const& share, std::size_t j, std::uint64_t& at) const noexcept {
    at = first + share.position(j);
    if (remainders.places == nullptr) return true;
    std::uint64_t const tile = share.tile - offset / tile_size;
    if (!remainders.has_place(tile, share.within(j))) return false;
    at = remainders.place(tile, share.within(j));
    return true;
  }

  [[nodiscard]] ZEROTH_HOST_DEVICE float with_remainder(Share const& share, std::size_t j, std::uint32_t word,
                                                        float theta) const noexcept {
    if (dtype == DataType::f32 || remainder_bytes(rounding) == 0) return theta;
    std::uint64_t at = 0;
    bool const has_place = place(share, j, at);
    if (rounding == Rounding::compensated) {
      std::uint16_t const error = has_place ? static_cast<std::uint16_t const*>(remainders.data)[at] : std::uint16_t{0};
      return theta - bfloat16_to_float(error);
    }
    std::int8_t const lower = has_place ? static_cast<std::int8_t const*>(remainders.data)[at] : std::int8_t{0};
    return to_float(dtype, {static_cast<std::uint16_t>(word), lower});
  }

  /// Rounds a weight to 16 bits and stores its remainder; `bits` are the thread's random bits.
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint16_t rounded(Share const& share, std::size_t j, float t,
                                                         RandomBlock const& bits, std::uint16_t& error,
                                                         std::int8_t& lower) const noexcept {
    switch (rounding) {
      case Rounding::stochastic: {
        unsigned const value = share.within(j) / 16;
        std::uint32_t const word = bits[value / 2];
        return narrow_stochastic(dtype, t, value % 2 == 0 ? word & 0xffffU : word >> 16);
      }
      case Rounding::extra_byte: {
        ExtendedWeight const extended = extend(dtype, t);
        lower = extended.lower;
        return extended.upper;
      }
      case Rounding::nearest:
      case Rounding::compensated:
        break;
    }
    std::uint16_t const nearest = narrow(dtype, t);
    error = rounding_error(dtype, t, nearest);
    return nearest;
  }

  /// The random block that rounds the thread's elements: one block serves every 16th element of a tile, which includes
  /// all elements of a thread.
  [[nodiscard]] ZEROTH_HOST_DEVICE RandomBlock rounding_block(Share const& share) const noexcept {
    static_assert(Share::threads % 16 == 0);
    if (dtype == DataType::f32 || rounding != Rounding::stochastic) return {};
    RandomSource const random{noise.seed, noise.step, stream, 0, Purpose::rounding};
    return random.block(share.tile * 16 + share.thread % 16);
  }

  ZEROTH_HOST_DEVICE void preview(Share const& share, bool const* moves, Floats const& theta,
                                  Floats const& t) const noexcept {
    RandomBlock const bits = rounding_block(share);
    ZEROTH_DEVICE_UNROLL
    for (std::size_t j = 0; j < Share::size; ++j) {
      if (!share.has(j)) continue;
      float value = theta[j];
      if (moves[j] && dtype == DataType::f32) value = t[j];
      if (moves[j] && dtype != DataType::f32) {
        std::uint16_t error = 0;
        std::int8_t lower = 0;
        value = widen(dtype, rounded(share, j, t[j], bits, error, lower));
      }
      panel[share.position(j)] = value;
    }
  }

  ZEROTH_HOST_DEVICE void store(Share const& share, bool const* moves, typename Share::Words const& words,
                                Floats const& t) const noexcept {
    RandomBlock const bits = rounding_block(share);
    ZEROTH_DEVICE_UNROLL
    for (std::size_t j = 0; j < Share::size; ++j) {
      if (!share.has(j) || (!moves[j] && source == data)) continue;
      std::uint64_t const index = first + share.position(j);
      if (dtype == DataType::f32) {
        static_cast<std::uint32_t*>(data)[index] = moves[j] ? bits_of(t[j]) : words[j];
      } else if (!moves[j]) {
        static_cast<std::uint16_t*>(data)[index] = static_cast<std::uint16_t>(words[j]);
      } else {
        std::uint16_t error = 0;
        std::int8_t lower = 0;
        static_cast<std::uint16_t*>(data)[index] = rounded(share, j, t[j], bits, error, lower);
        std::uint64_t place_of_remainder = 0;
        if (remainder_bytes(rounding) == 0 || !place(share, j, place_of_remainder)) continue;
        if (rounding == Rounding::compensated)
          static_cast<std::uint16_t*>(remainders.data)[place_of_remainder] = error;
        else
          static_cast<std::int8_t*>(remainders.data)[place_of_remainder] = lower;
      }
    }
  }
};

}  // namespace zeroth::ZEROTH_ISA::cuda

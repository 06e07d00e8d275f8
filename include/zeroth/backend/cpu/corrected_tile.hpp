// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/corrections.hpp>
#include <zeroth/backend/cpu/tile_part.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/parameters.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// A tile of perturbed weights during a pass: `restore`, then the pass as over unperturbed weights, then `finish`.
///
/// @tparam T how a weight is stored: float, or std::uint16_t for both 16-bit types
template <class T>
class CorrectedTile {
 public:
  /// @param at index of the part's first weight in the tensor's memory
  CorrectedTile(Parameter const& tensor, Corrections const& corrections, TilePart const& part, std::uint64_t at)
      : tensor_(tensor),
        corrections_(corrections),
        part_(part),
        at_(at),
        state_(corrections.states[part.tile - tensor.offset / tile_size]),
        units_(corrections.units + (part.tile - tensor.offset / tile_size) * tile_size) {}

  /// Whether an earlier pass, which ended before its last tile, left the tile as this pass is to leave it.
  [[nodiscard]] bool is_done() const noexcept { return perturbs() && state_ == corrections_.to; }

  /// Makes the weights in the tensor's memory the unperturbed ones.
  template <class Kernels, class Noise>
  void restore(Kernels kernels, Noise& noise) {
    T* const weights = static_cast<T*>(tensor_.data) + at_;
    if (state_ == State::unperturbed) {
      if (perturbs()) load_part(tensor_.data, at_, part_, before_);
      return;
    }
    if (state_ == State::with_copy) {
      std::memcpy(before_, copy(), sizeof before_);
      store_part(before_, part_, tensor_.data, at_);
      return;
    }
    NoiseTerm const& term = corrections_.terms[state_ == State::with_first_term ? 0 : 1];
    float const* const z = noise(term.step, term.sample, part_.tile);
    if (part_.is_whole()) {
      kernels.unperturbed(tensor_.dtype, z, term.coefficient, units(), weights, static_cast<T*>(before_));
    } else {
      load_part(tensor_.data, at_, part_, before_);
      kernels.unperturbed(tensor_.dtype, z, term.coefficient, units(), static_cast<T*>(before_),
                          static_cast<T*>(before_));
      store_part(before_, part_, tensor_.data, at_);
    }
    state_ = State::unperturbed;
  }

  /// Keeps what gives the weights back that the pass has perturbed.
  /// @param mask the active weights
  template <class Kernels, class Noise>
  void finish(Kernels kernels, Noise& noise, TileMask const& mask) {
    if (!perturbs()) {
      state_ = State::unperturbed;
      return;
    }
    if (state_ == State::with_copy) return;
    alignas(64) T buffer[tile_size];
    if (!part_.is_whole()) load_part(tensor_.data, at_, part_, buffer);
    T const* const after = part_.is_whole() ? static_cast<T const*>(tensor_.data) + at_ : buffer;
    NoiseTerm const& term = corrections_.terms[corrections_.to == State::with_first_term ? 0 : 1];
    float const* const z = noise(term.step, term.sample, part_.tile);
    if (kernels.correct(tensor_.dtype, static_cast<T const*>(before_), after, z, term.coefficient, mask, units_)) {
      state_ = corrections_.to;
      return;
    }
    std::uint64_t const index = corrections_.needed->fetch_add(1, std::memory_order_relaxed);
    if (index >= corrections_.capacity) {
      store_part(before_, part_, tensor_.data, at_);
      return;
    }
    auto const stored = static_cast<std::uint32_t>(index);
    std::memcpy(units_, &stored, sizeof stored);
    std::memcpy(copy(), before_, sizeof before_);
    state_ = State::with_copy;
  }

 private:
  using State = Corrections::State;

  [[nodiscard]] bool perturbs() const noexcept { return corrections_.to != State::unperturbed; }

  [[nodiscard]] std::int8_t const* units() const noexcept { return units_; }

  [[nodiscard]] std::byte* copy() const noexcept {
    std::uint32_t index;
    std::memcpy(&index, units_, sizeof index);
    return corrections_.copies + std::size_t{index} * sizeof before_;
  }

  Parameter const& tensor_;
  Corrections const& corrections_;
  TilePart const& part_;
  std::uint64_t at_;
  State& state_;
  std::int8_t* units_;
  alignas(64) T before_[tile_size];
};

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <zeroth/backend/corrections.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA {

/// The memory of the Corrections of all tensors, and where the weights stand: a byte and a little per weight, more for
/// tiles that need a copy.
class CorrectionMemory {
 public:
  /// Allocates what does not depend on the weights, unless it has been. The weights are unperturbed.
  void begin(ParameterSet const& parameters) {
    if (tensors_.empty()) {
      std::vector<Tensor> tensors(parameters.size());
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        Parameter const& p = parameters[i];
        auto const tiles = static_cast<std::size_t>((p.offset % tile_size + p.size() + tile_size - 1) / tile_size);
        tensors[i].units.resize(tiles * tile_size);
        tensors[i].states.resize(tiles, Corrections::State::unperturbed);
        tensors[i].copy_bytes = tile_size * size_of(p.dtype);
      }
      tensors_.swap(tensors);
    }
    for (Tensor& tensor : tensors_) tensor.needed = 0;
    to_ = Corrections::State::unperturbed;
  }

  /// The next passes perturb the unperturbed weights by that term.
  void move_to(NoiseTerm const& term) noexcept {
    if (to_ == Corrections::State::unperturbed) terms_.fill(term);
    bool const is_first = to_ != Corrections::State::with_first_term;
    to_ = is_first ? Corrections::State::with_first_term : Corrections::State::with_second_term;
    terms_[is_first ? 0 : 1] = term;
  }

  /// The next passes start from the unperturbed weights, and leave unperturbed ones.
  void move_back() noexcept { to_ = Corrections::State::unperturbed; }

  /// For a pass over a tensor; valid until the next `grow`.
  [[nodiscard]] Corrections of(std::size_t index) noexcept {
    Tensor& tensor = tensors_[index];
    return {tensor.units.data(),
            tensor.states.data(),
            tensor.copies.data(),
            tensor.copies.size() / tensor.copy_bytes,
            &tensor.needed,
            terms_,
            to_};
  }

  /// Makes room for the copies that a pass over a tensor did not get; returns whether there were any. The pass must
  /// then run again: it does the rest. After a pass that restores, does nothing, so that restoring needs no memory.
  bool grow(std::size_t index) {
    if (to_ == Corrections::State::unperturbed) return false;
    Tensor& tensor = tensors_[index];
    std::uint64_t const capacity = tensor.copies.size() / tensor.copy_bytes;
    std::uint64_t const needed = tensor.needed;
    if (needed <= capacity) return false;
    std::uint64_t const most = tensor.states.size();
    tensor.copies.resize(static_cast<std::size_t>(std::min(needed + needed / 4, most)) * tensor.copy_bytes);
    tensor.needed = capacity;
    return true;
  }

  /// Bytes held.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (Tensor const& tensor : tensors_) total += tensor.units.size() + tensor.states.size() + tensor.copies.size();
    return total;
  }

 private:
  struct Tensor {
    std::vector<std::int8_t> units;
    std::vector<Corrections::State> states;
    std::vector<std::byte> copies;
    std::size_t copy_bytes = 0;
    std::atomic<std::uint64_t> needed = 0;
  };

  std::vector<Tensor> tensors_;
  std::array<NoiseTerm, 2> terms_{};
  Corrections::State to_ = Corrections::State::unperturbed;
};

}  // namespace zeroth::ZEROTH_ISA

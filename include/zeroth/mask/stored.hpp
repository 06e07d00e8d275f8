// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/split_mix.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA {

/// Selects the weights whose bit is set. The words begin at a tile's first element; they are not owned.
struct BitmapRule {
  static constexpr bool depends_on_weights = false;

  std::uint64_t const* words = nullptr;
  std::uint64_t first_tile = 0;

  [[nodiscard]] ZEROTH_HOST_DEVICE bool operator()(float /*theta*/, std::uint64_t element) const noexcept {
    std::uint64_t const bit = element - first_tile * tile_size;
    return (words[bit / 64] >> (bit % 64) & 1U) != 0;
  }

  [[nodiscard]] TileMask tile(std::uint64_t index) const noexcept {
    std::uint64_t const* const pair = words + (index - first_tile) * 2;
    return {{pair[0], pair[1]}};
  }
};

/// One bit per weight of one tensor, in words that begin at a tile's first element.
class Bitmap {
 public:
  Bitmap() = default;
  explicit Bitmap(Parameter const& tensor) : first_tile_(tensor.offset / tile_size), words_(words_of(tensor), 0) {}

  /// How many words a tensor needs.
  [[nodiscard]] static std::size_t words_of(Parameter const& tensor) noexcept {
    return static_cast<std::size_t>((tensor.offset + tensor.size() + tile_size - 1) / tile_size -
                                    tensor.offset / tile_size) *
           2;
  }

  void set(std::uint64_t element) noexcept {
    std::uint64_t const bit = element - first_tile_ * tile_size;
    words_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }

  [[nodiscard]] BitmapRule rule() const noexcept { return {words_.data(), first_tile_}; }
  [[nodiscard]] std::vector<std::uint64_t>& words() noexcept { return words_; }
  [[nodiscard]] std::vector<std::uint64_t> const& words() const noexcept { return words_; }
  bool operator==(Bitmap const&) const = default;

 private:
  std::uint64_t first_tile_ = 0;
  std::vector<std::uint64_t> words_;
};

/// Active: the weights marked in bitmaps that the caller supplies (Wanda, sensitivity, a mask from elsewhere). One bit
/// per weight. A tensor without a bitmap is not tuned.
struct StoredMask {
  /// The bits of one tensor: bit i % 64 of word i / 64 is element i of its memory; ceil(size / 64) words.
  struct Entry {
    std::string tensor;
    std::vector<std::uint64_t> words;
    bool operator==(Entry const&) const = default;
  };
  std::vector<Entry> entries;

  /// The weights that another policy selects now: their bits stay when the weights change. @param backend any Backend
  template <MaskPolicy Policy, class Backend>
  [[nodiscard]] static StoredMask of(Policy const& policy, ParameterSet const& parameters, Backend const& backend) {
    DefaultFloatEnvironment const environment;
    auto const state = prepare_mask(policy, parameters, WeightReader(backend));
    StoredMask stored;
    for (std::size_t index = 0; index < parameters.size(); ++index) {
      Parameter const& p = parameters[index];
      auto const mask = state.tensor(index, 0);
      if (mask.coverage == Coverage::none) continue;
      Bitmap bits(p);
      backend.mask_bits(p, mask, bits.words());
      BitmapRule const is_active = bits.rule();
      Entry entry{p.name, std::vector<std::uint64_t>((p.size() + 63) / 64)};
      for (std::uint64_t i = 0; i < p.size(); ++i)
        if (is_active(0, p.offset + i)) entry.words[i / 64] |= std::uint64_t{1} << (i % 64);
      stored.entries.push_back(std::move(entry));
    }
    return stored;
  }

  using Rule = BitmapRule;

  struct State {
    /// One tensor's words, in memory that the backend's passes can access.
    struct Bits {
      BackendBuffer words;
      std::uint64_t first_tile = 0;
    };
    std::vector<Bits> bits;
    std::vector<Coverage> coverage;

    [[nodiscard]] TensorMask<Rule> tensor(std::size_t index, std::uint32_t /*step*/) const noexcept {
      return {coverage[index], {bits[index].words.as<std::uint64_t const>(), bits[index].first_tile}};
    }
    [[nodiscard]] static constexpr bool is_fixed() noexcept { return true; }
  };

  /// @throws InvalidArgument if an entry names no parameter, names one twice, or has the wrong number of words
  [[nodiscard]] State prepare(ParameterSet const& parameters, WeightReader const& weights) const {
    State state{std::vector<State::Bits>(parameters.size()), std::vector<Coverage>(parameters.size(), Coverage::none)};
    for (Entry const& entry : entries) {
      std::size_t const index = parameters.index_of(entry.tensor);
      Parameter const& p = parameters[index];
      if (state.coverage[index] != Coverage::none)
        throw InvalidArgument("stored mask: parameter '" + p.name + "' has two bitmaps");
      if (entry.words.size() != (p.size() + 63) / 64)
        throw InvalidArgument("stored mask: parameter '" + p.name + "' needs " + std::to_string((p.size() + 63) / 64) +
                              " words of 64 bits, got " + std::to_string(entry.words.size()));
      Bitmap bitmap(p);
      for (std::uint64_t i = 0; i < p.size(); ++i)
        if ((entry.words[i / 64] >> (i % 64) & 1U) != 0) bitmap.set(p.offset + i);
      state.bits[index] = {weights.keep(std::as_bytes(std::span(bitmap.words()))), p.offset / tile_size};
      state.coverage[index] = Coverage::some;
    }
    return state;
  }

  [[nodiscard]] static constexpr std::string_view name() noexcept { return "stored"; }

  /// Represents the bits by a hash that does not depend on the order of the tensors.
  [[nodiscard]] std::string description() const {
    std::uint64_t hash = 0;
    for (Entry const& entry : entries) {
      std::uint64_t of_entry = stream_of(entry.tensor);
      for (std::uint64_t word : entry.words) of_entry = split_mix(of_entry ^ word);
      hash += of_entry;
    }
    return described(name(), {{"tensors", number_text(entries.size())}, {"hash", hexadecimal(hash)}});
  }
  bool operator==(StoredMask const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

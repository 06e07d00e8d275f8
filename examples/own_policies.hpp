// SPDX-License-Identifier: MIT
// Policies from the literature, each in a few lines. Rules and samplers are for the CPU and for CUDA, where nvcc
// compiles them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/zeroth.hpp>

/// A sampler: the difference of two uniform values. 32 random bits per value.
struct Triangular {
  ZEROTH_HOST_DEVICE zeroth::Array<float, 4> operator()(zeroth::RandomBlock const& bits) const {
    constexpr float unit = 3.737625e-05F;  // sqrt(6 / (2^32 - 1)) makes the variance 1
    zeroth::Array<float, 4> z;
    for (unsigned i = 0; i < 4; ++i) {
      auto const a = static_cast<std::int32_t>(bits[i] & 0xffffU);
      auto const b = static_cast<std::int32_t>(bits[i] >> 16);
      z[i] = static_cast<float>(a - b) * unit;
    }
    return z;
  }
  static constexpr std::string_view name() { return "triangular"; }
  bool operator==(Triangular const&) const = default;
};

/// The weights that Wanda would keep (Sun et al., arXiv 2306.11695): of each row, those with the largest |weight| times
/// norm of the input that it multiplies. A tensor without norms is not tuned.
struct Wanda {
  double sparsity = 0.75;                             ///< share of each row's weights left out, in [0, 1)
  std::map<std::string, std::vector<float>> norms{};  ///< by tensor: of each column's input, over some text

  struct Rule {
    float const* norms = nullptr;       // of each column
    float const* thresholds = nullptr;  // of each row
    std::uint64_t columns = 1;
    ZEROTH_HOST_DEVICE bool operator()(float theta, std::uint64_t element) const {
      return std::fabs(theta) * norms[element % columns] >= thresholds[element / columns];
    }
  };
  struct State {
    std::vector<zeroth::TensorMask<Rule>> masks;
    std::vector<zeroth::BackendBuffer> memory;  // what the rules point to
    zeroth::TensorMask<Rule> tensor(std::size_t index, std::uint32_t /*step*/) const { return masks[index]; }
    static constexpr bool is_fixed() { return true; }
  };

  State prepare(zeroth::ParameterSet const& parameters, zeroth::WeightReader const& weights) const {
    if (!(sparsity >= 0 && sparsity < 1)) throw zeroth::InvalidArgument("sparsity must be in [0, 1)");
    State state;
    for (zeroth::Parameter const& p : parameters) {
      auto const found = norms.find(p.name);
      if (found == norms.end()) {
        state.masks.push_back({zeroth::Coverage::none, {}});
        continue;
      }
      std::vector<float> const& of_columns = found->second;
      std::uint64_t const columns = p.shape.columns;
      if (of_columns.size() != columns)
        throw zeroth::InvalidArgument("parameter '" + p.name + "' needs " + std::to_string(columns) +
                                      " norms, one per column, got " + std::to_string(of_columns.size()));
      // A rule is called for whole tiles, so there are thresholds for 127 elements beyond the last row.
      std::vector<float> thresholds((p.offset + p.size() + 127) / columns + 1);
      std::vector<float> scores(columns);
      auto const kth = scores.begin() + static_cast<std::ptrdiff_t>(sparsity * static_cast<double>(columns));
      for (std::uint64_t row = 0; row < p.shape.rows; ++row) {
        weights.read(p, row * columns, scores);
        for (std::size_t i = 0; i < columns; ++i) scores[i] = std::fabs(scores[i]) * of_columns[i];
        std::nth_element(scores.begin(), kth, scores.end());
        thresholds[p.offset / columns + row] = *kth;
      }
      zeroth::BackendBuffer const a = weights.keep(std::as_bytes(std::span(of_columns)));
      zeroth::BackendBuffer const b = weights.keep(std::as_bytes(std::span(thresholds)));
      state.masks.push_back({zeroth::Coverage::some, {a.as<float const>(), b.as<float const>(), columns}});
      state.memory.insert(state.memory.end(), {a, b});
    }
    return state;
  }

  static constexpr std::string_view name() { return "wanda"; }
  std::string description() const {
    std::vector<float> all;
    for (auto const& [tensor, values] : norms) all.insert(all.end(), values.begin(), values.end());
    return zeroth::described(
        name(), {{"sparsity", zeroth::number_text(sparsity)}, {"norms", zeroth::digest(std::span<float const>(all))}});
  }
  bool operator==(Wanda const&) const = default;
};

/// N:M sparsity: of each 4 neighbours the 2 smallest. It sees the 128 weights of a tile: zeroth::Tiled{TwoOfFour{}}.
struct TwoOfFour {
  zeroth::TileMask operator()(std::span<float const, zeroth::tile_size> theta, std::uint64_t /*first*/) const {
    zeroth::TileMask mask;
    for (unsigned e = 0; e < theta.size(); ++e) {
      unsigned smaller = 0;
      for (unsigned other = e / 4 * 4; other < e / 4 * 4 + 4; ++other) {
        std::uint32_t const a = zeroth::magnitude_bits(theta[other]);
        std::uint32_t const b = zeroth::magnitude_bits(theta[e]);
        if (a < b || (a == b && other < e)) ++smaller;
      }
      if (smaller < 2) mask.word[e / 64] |= std::uint64_t{1} << (e % 64);
    }
    return mask;
  }
  static constexpr std::string_view name() { return "two-of-four"; }
  bool operator==(TwoOfFour const&) const = default;
};

/// A schedule of layers: LeZO (arXiv 2410.09823) leaves a share of the layers out of each step. Which ones follows from
/// seed and step, so a replay leaves out the same. Tensors of no layer (embedding, head) take every step.
struct DropLayers {
  double dropped = 0.75;  ///< share of layers, in [0, 1)
  std::uint64_t seed = 0;

  using Rule = zeroth::Dense::Rule;
  struct State {
    std::uint64_t seed = 0;
    std::size_t drops = 0;
    std::vector<std::string> layers;    // without repetition
    std::vector<std::size_t> layer_of;  // of each tensor: its place in `layers`, or their number for none
    std::vector<bool> is_dropped;

    void begin_step(zeroth::ParameterSet const&, zeroth::WeightReader const&, std::uint32_t step) {
      std::vector<std::pair<std::uint32_t, std::size_t>> order;
      for (std::size_t i = 0; i < layers.size(); ++i) {
        zeroth::RandomSource const random{seed, step, zeroth::stream_of(layers[i]), 0, zeroth::Purpose::mask};
        order.emplace_back(random.block(0)[0], i);
      }
      std::sort(order.begin(), order.end());
      is_dropped.assign(layers.size() + 1, false);
      for (std::size_t i = 0; i < drops; ++i) is_dropped[order[i].second] = true;
    }
    zeroth::TensorMask<Rule> tensor(std::size_t index, std::uint32_t /*step*/) const {
      return {is_dropped[layer_of[index]] ? zeroth::Coverage::none : zeroth::Coverage::all, {}};
    }
  };

  State prepare(zeroth::ParameterSet const& parameters, zeroth::WeightReader const& weights) const {
    if (!(dropped >= 0 && dropped < 1)) throw zeroth::InvalidArgument("dropped must be in [0, 1)");
    State state{seed, 0, {}, {}, {}};
    for (zeroth::Parameter const& p : parameters) {
      std::string const layer = zeroth::layer_of(p.name);  // "blk.3." of "blk.3.attn_q.weight"
      if (layer != p.name && std::find(state.layers.begin(), state.layers.end(), layer) == state.layers.end())
        state.layers.push_back(layer);
    }
    for (zeroth::Parameter const& p : parameters) {
      auto const at = std::find(state.layers.begin(), state.layers.end(), zeroth::layer_of(p.name));
      state.layer_of.push_back(static_cast<std::size_t>(at - state.layers.begin()));
    }
    state.drops = static_cast<std::size_t>(dropped * static_cast<double>(state.layers.size()));
    state.begin_step(parameters, weights, 0);
    return state;
  }

  static constexpr std::string_view name() { return "drop-layers"; }
  std::string description() const {
    return zeroth::described(name(), {{"dropped", zeroth::number_text(dropped)}, {"seed", zeroth::number_text(seed)}});
  }
  bool operator==(DropLayers const&) const = default;
};

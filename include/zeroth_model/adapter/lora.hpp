// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/sampler/uniform.hpp>
#include <zeroth_model/adapter/float_parameters.hpp>
#include <zeroth_model/adapter/targets.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The largest rank: beyond any use, and far from overflow.
inline constexpr std::uint32_t lora_rank_limit = 1U << 16;

/// Options of a new adapter.
struct LoraOptions {
  std::uint32_t rank = 8;
  double alpha = 16;  ///< scales the adapter's output by alpha / rank
  /// Globs over the names of the linear layers' matrices; a matrix that matches one is adapted.
  std::vector<std::string> targets{"*.attn_q.weight", "*.attn_v.weight"};
  std::uint64_t seed = 0;  ///< seed of A's random values

  bool operator==(LoraOptions const&) const = default;

  /// @throws InvalidArgument naming the field, if rank or alpha is out of range.
  void check() const;
};

/// The two matrices that adapt one matrix.
struct LoraPair {
  std::size_t weight;  ///< W, in the decoder's tensors
  std::size_t a;       ///< A, rank x in, in the adapter's parameters
  std::size_t b;       ///< B, out x rank, in the adapter's parameters
};

/// LoRA (Hu et al. 2021, arXiv 2106.09685): a matrix W of a linear layer is frozen, and W x becomes W x + (alpha /
/// rank) B (A x). Only the A and B are tuned.
///
/// For a W called NAME they are the parameters NAME.lora_a and NAME.lora_b, matrices with the noise streams of these
/// names. The rows of B are in the order of W's rows, that of the file that W came from.
///
/// The adapter owns its memory, f32, which stays in place when the object is moved.
class LoraAdapter {
 public:
  /// A new adapter, which changes nothing yet: B is zero. A is uniform in (-1, 1) / sqrt(in), PEFT's default (kaiming
  /// uniform with a = sqrt(5)): the Uniform sampler's values divided by sqrt(3 in), from random bits with their own
  /// Purpose, a function of seed, name and element.
  /// @throws InvalidArgument as LoraOptions::check() and matching_matrices() do.
  LoraAdapter(DecoderWeights const& base, LoraOptions const& options)
      : LoraAdapter(base, checked(options).rank, options.alpha,
                    matching_matrices(base, options.targets, "lora target")) {
    for (LoraPair const& pair : pairs_) draw(parameters()[pair.a], options.seed);
  }

  /// An adapter of zeros on those matrices, for the caller to fill.
  /// @param weights indices of matrices in the base's tensors, each once
  LoraAdapter(DecoderWeights const& base, std::uint32_t rank, double alpha, std::vector<std::size_t> const& weights)
      : rank_(rank),
        alpha_(alpha),
        place_of_(base.weight_tensors().size(), none),
        parameters_(specs_of(base, rank, weights)),
        weight_tensors_(model::weight_tensors(parameters_.set())) {
    for (std::size_t weight : weights) {
      place_of_[weight] = pairs_.size();
      pairs_.push_back({weight, 2 * pairs_.size(), 2 * pairs_.size() + 1});
    }
  }

  [[nodiscard]] std::uint32_t rank() const noexcept { return rank_; }
  [[nodiscard]] double alpha() const noexcept { return alpha_; }

  /// alpha / rank.
  [[nodiscard]] float scale() const noexcept { return static_cast<float>(alpha_ / rank_); }

  /// The parameters to tune: A and B of each adapted matrix.
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_.set(); }

  /// The same as a decoder reads them.
  [[nodiscard]] std::span<WeightTensor const> weight_tensors() const noexcept { return weight_tensors_; }

  /// The adapted matrices, in the order of the decoder's parameters.
  [[nodiscard]] std::span<LoraPair const> pairs() const noexcept { return pairs_; }

  /// The pair that adapts parameter `weight` of the decoder, or null.
  [[nodiscard]] LoraPair const* find(std::size_t weight) const noexcept {
    return place_of_[weight] == none ? nullptr : &pairs_[place_of_[weight]];
  }

  /// The values of one of parameters(), row-major.
  [[nodiscard]] std::span<float> values(std::size_t parameter) noexcept { return parameters_.values(parameter); }
  [[nodiscard]] std::span<float const> values(std::size_t parameter) const noexcept {
    return parameters_.values(parameter);
  }

  /// @throws InvalidArgument naming the tensor, if this is not an adapter for a decoder of that shape.
  void check(DecoderWeights const& base) const {
    if (base.weight_tensors().size() != place_of_.size())
      throw InvalidArgument("the adapter belongs to a decoder with " + std::to_string(place_of_.size()) +
                            " tensors, not " + std::to_string(base.weight_tensors().size()));
    for (LoraPair const& pair : pairs_) {
      WeightTensor const& weight = base.weight_tensors()[pair.weight];
      Parameter const& a = parameters()[pair.a];
      if (a.name != weight.name + ".lora_a" || a.shape.columns != weight.shape.columns ||
          parameters()[pair.b].shape.rows != weight.shape.rows)
        throw InvalidArgument("adapter tensor '" + a.name + "' does not fit '" + weight.name + "' of the decoder");
    }
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  static LoraOptions const& checked(LoraOptions const& options) {
    options.check();
    return options;
  }

  static std::vector<TensorSpec> specs_of(DecoderWeights const& base, std::uint32_t rank,
                                          std::vector<std::size_t> const& weights) {
    std::vector<TensorSpec> specs;
    for (std::size_t weight : weights) {
      WeightTensor const& w = base.weight_tensors()[weight];
      specs.push_back({w.name + ".lora_a", Role::matrix, {rank, w.shape.columns}});
      specs.push_back({w.name + ".lora_b", Role::matrix, {w.shape.rows, rank}});
    }
    return specs;
  }

  static void draw(Parameter const& a, std::uint64_t seed) {
    RandomSource const source{seed, 0, a.stream, 0, Purpose::initialization};
    auto const unit = static_cast<float>(1 / std::sqrt(3 * static_cast<double>(a.shape.columns)));
    auto* const values = static_cast<float*>(a.data);
    for (std::uint64_t element = 0; element < a.size(); ++element) {
      BlockPosition const at = block_position<values_per_block<Uniform>>(element);
      values[element] = unit * Uniform{}(source.block(at.block))[at.value];
    }
  }

  std::uint32_t rank_;
  double alpha_;
  std::vector<LoraPair> pairs_;
  std::vector<std::size_t> place_of_;  // index in pairs_ of each parameter of the decoder
  FloatParameters parameters_;
  std::vector<WeightTensor> weight_tensors_;
};

inline void LoraOptions::check() const {
  if (rank == 0 || rank > lora_rank_limit)
    throw InvalidArgument("lora rank must be in [1, " + std::to_string(lora_rank_limit) + "], got " +
                          std::to_string(rank));
  if (!(alpha > 0) || !std::isfinite(alpha))
    throw InvalidArgument("lora alpha must be > 0 and finite, got " + number_text(alpha));
}

/// Adds (alpha / rank) B A to each adapted matrix: the decoder by itself then scores as with the adapter, up to
/// rounding.
/// @throws InvalidArgument as LoraAdapter::check and DecoderWeights::write do
inline void merge(LoraAdapter const& adapter, DecoderWeights& weights) {
  adapter.check(weights);
  for (LoraPair const& pair : adapter.pairs()) {
    std::span<float const> const a = adapter.values(pair.a);
    std::span<float const> const b = adapter.values(pair.b);
    std::size_t const rank = adapter.rank();
    std::vector<float> row(a.size() / rank);
    for (std::size_t r = 0; r < b.size() / rank; ++r) {
      weights.read(pair.weight, r * row.size(), row);
      for (std::size_t k = 0; k < rank; ++k) {
        float const factor = adapter.scale() * b[r * rank + k];
        for (std::size_t c = 0; c < row.size(); ++c) row[c] += factor * a[k * row.size() + c];
      }
      weights.write(pair.weight, r * row.size(), row);
    }
  }
}

}  // namespace zeroth::ZEROTH_ISA::model

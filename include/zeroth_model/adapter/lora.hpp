// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/sampler/uniform.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>
#include <zeroth_model/weights/page_buffer.hpp>

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
  std::size_t weight;  ///< W, in the decoder's parameters
  std::size_t a;       ///< A, rank x in, in the adapter's parameters
  std::size_t b;       ///< B, out x rank, in the adapter's parameters
};

/// The matrices of linear layers that match one of the globs, in the order of the decoder's parameters.
/// @throws InvalidArgument naming the glob, if there are none or one matches nothing.
[[nodiscard]] std::vector<std::size_t> lora_targets(DecoderWeights const& base, std::span<std::string const> globs);

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
  /// @throws InvalidArgument as LoraOptions::check() and lora_targets() do.
  LoraAdapter(DecoderWeights const& base, LoraOptions const& options)
      : LoraAdapter(base, checked(options).rank, options.alpha, lora_targets(base, options.targets)) {
    for (LoraPair const& pair : pairs_) draw(parameters_[pair.a], options.seed);
  }

  /// An adapter of zeros on those matrices, for the caller to fill.
  /// @param weights indices of matrices in the base's parameters, each once
  LoraAdapter(DecoderWeights const& base, std::uint32_t rank, double alpha, std::vector<std::size_t> const& weights)
      : rank_(rank), alpha_(alpha), place_of_(base.parameters().size(), none) {
    std::vector<TensorSpec> specs;
    std::size_t bytes = 0;
    for (std::size_t weight : weights) {
      Parameter const& p = base.parameters()[weight];
      place_of_[weight] = pairs_.size();
      pairs_.push_back({weight, specs.size(), specs.size() + 1});
      specs.push_back({p.name + ".lora_a", Role::matrix, {rank, p.shape.columns}});
      specs.push_back({p.name + ".lora_b", Role::matrix, {p.shape.rows, rank}});
      bytes += slot(*(specs.end() - 2)) + slot(specs.back());
    }
    pages_ = PageBuffer(bytes);
    std::byte* next = pages_.data();
    for (TensorSpec& spec : specs) {
      std::size_t const step = slot(spec);
      parameters_.add(std::move(spec.name), spec.role, spec.shape,
                      {reinterpret_cast<float*>(next), static_cast<std::size_t>(spec.shape.size())});
      next += step;
    }
  }

  [[nodiscard]] std::uint32_t rank() const noexcept { return rank_; }
  [[nodiscard]] double alpha() const noexcept { return alpha_; }

  /// alpha / rank.
  [[nodiscard]] float scale() const noexcept { return static_cast<float>(alpha_ / rank_); }

  /// The parameters to tune: A and B of each adapted matrix.
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }

  /// The adapted matrices, in the order of the decoder's parameters.
  [[nodiscard]] std::span<LoraPair const> pairs() const noexcept { return pairs_; }

  /// The pair that adapts parameter `weight` of the decoder, or null.
  [[nodiscard]] LoraPair const* find(std::size_t weight) const noexcept {
    return place_of_[weight] == none ? nullptr : &pairs_[place_of_[weight]];
  }

  /// The values of one of parameters(), row-major.
  [[nodiscard]] std::span<float> values(std::size_t parameter) noexcept {
    Parameter const& p = parameters_[parameter];
    return {static_cast<float*>(p.data), static_cast<std::size_t>(p.size())};
  }
  [[nodiscard]] std::span<float const> values(std::size_t parameter) const noexcept {
    Parameter const& p = parameters_[parameter];
    return {static_cast<float const*>(p.data), static_cast<std::size_t>(p.size())};
  }

  /// @throws InvalidArgument naming the tensor, if this is not an adapter for a decoder of that shape.
  void check(DecoderWeights const& base) const {
    if (base.parameters().size() != place_of_.size())
      throw InvalidArgument("the adapter belongs to a decoder with " + std::to_string(place_of_.size()) +
                            " tensors, not " + std::to_string(base.parameters().size()));
    for (LoraPair const& pair : pairs_) {
      Parameter const& weight = base.parameters()[pair.weight];
      Parameter const& a = parameters_[pair.a];
      if (a.name != weight.name + ".lora_a" || a.shape.columns != weight.shape.columns ||
          parameters_[pair.b].shape.rows != weight.shape.rows)
        throw InvalidArgument("adapter tensor '" + a.name + "' does not fit '" + weight.name + "' of the decoder");
    }
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  static LoraOptions const& checked(LoraOptions const& options) {
    options.check();
    return options;
  }

  /// Bytes from one tensor to the next: whole cache lines.
  static std::size_t slot(TensorSpec const& spec) noexcept {
    constexpr std::size_t line = 64;
    return (static_cast<std::size_t>(spec.shape.size()) * sizeof(float) + line - 1) / line * line;
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
  PageBuffer pages_;
  ParameterSet parameters_;
};

inline void LoraOptions::check() const {
  if (rank == 0 || rank > lora_rank_limit)
    throw InvalidArgument("lora rank must be in [1, " + std::to_string(lora_rank_limit) + "], got " +
                          std::to_string(rank));
  if (!(alpha > 0) || !std::isfinite(alpha))
    throw InvalidArgument("lora alpha must be > 0 and finite, got " + number_text(alpha));
}

inline std::vector<std::size_t> lora_targets(DecoderWeights const& base, std::span<std::string const> globs) {
  ParameterSet const& parameters = base.parameters();
  std::vector<std::size_t> matrices;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].role == Role::matrix) matrices.push_back(i);
  auto matches = [&](std::string const& glob) {
    return [&](std::size_t i) { return glob_match(glob, parameters[i].name); };
  };
  for (std::string const& glob : globs)
    if (std::none_of(matrices.begin(), matrices.end(), matches(glob)))
      throw InvalidArgument("lora target '" + glob +
                            "': expected a glob that matches a matrix of a linear layer, from '" +
                            parameters[matrices.front()].name + "' to '" + parameters[matrices.back()].name +
                            "', found one that matches none");
  if (globs.empty()) throw InvalidArgument("lora targets: expected at least one glob, found none");
  std::erase_if(matrices, [&](std::size_t i) {
    return std::none_of(globs.begin(), globs.end(), [&](std::string const& glob) { return matches(glob)(i); });
  });
  return matrices;
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

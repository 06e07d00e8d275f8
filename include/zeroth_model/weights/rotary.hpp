// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include <zeroth_model/families/family.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// How rotary frequencies are reduced for contexts longer than the original training context.
struct RotaryScaling {
  enum class Kind : std::uint8_t {
    none,
    linear,   ///< all divided by `factor`
    llama3,   ///< LLaMA-3.1's: slow ones divided by `factor`, fast ones kept, those between blended
    factors,  ///< pair i's divided by factors[i], a GGUF file's tensor rope_freqs.weight
  };

  Kind kind = Kind::none;
  double factor = 1;
  double low_frequency_factor = 1;     ///< llama3: waves longer than original_context / this are slow
  double high_frequency_factor = 4;    ///< llama3: waves shorter than original_context / this are fast
  std::uint32_t original_context = 0;  ///< llama3: tokens
  std::vector<float> factors;          ///< factors: one per pair

  bool operator==(RotaryScaling const&) const = default;

  /// Describes what is wrong with the fields that `kind` reads, for heads of `pairs` pairs; empty if nothing is.
  [[nodiscard]] std::string problem(std::size_t pairs) const;
};

/// The divisor of pair `i`'s frequency.
/// @param frequency of that pair, in radians per token, without scaling
[[nodiscard]] inline double rotary_divisor(RotaryScaling const& scaling, std::size_t i, double frequency) {
  using Kind = RotaryScaling::Kind;
  if (scaling.kind == Kind::none) return 1;
  if (scaling.kind == Kind::linear) return scaling.factor;
  if (scaling.kind == Kind::factors) return static_cast<double>(scaling.factors[i]);
  // Rotations of this pair over the original context.
  double const turns = scaling.original_context * frequency / (2 * std::numbers::pi);
  if (turns > scaling.high_frequency_factor) return 1;
  if (turns < scaling.low_frequency_factor) return scaling.factor;
  double const share =
      (turns - scaling.low_frequency_factor) / (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return 1 / ((1 - share) / scaling.factor + share);
}

/// The frequencies of the head_dim / 2 pairs of a head, in radians per token.
[[nodiscard]] inline std::vector<double> rotary_frequencies(std::size_t head_dim, double theta,
                                                            RotaryScaling const& scaling) {
  std::vector<double> frequencies(head_dim / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    double const frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    frequencies[i] = frequency / rotary_divisor(scaling, i, frequency);
  }
  return frequencies;
}

inline std::string RotaryScaling::problem(std::size_t pairs) const {
  auto positive = [](double value) { return value > 0 && std::isfinite(value); };
  if (kind == Kind::none) return {};
  if (kind == Kind::factors) {
    if (factors.size() != pairs)
      return "rope_scaling.factors must have " + std::to_string(pairs) + " elements, found " +
             std::to_string(factors.size());
    for (float value : factors)
      if (!positive(static_cast<double>(value)))
        return "rope_scaling.factors must be > 0 and finite, found " + std::to_string(value);
    return {};
  }
  if (!positive(factor)) return "rope_scaling.factor must be > 0 and finite, found " + std::to_string(factor);
  if (kind == Kind::linear) return {};
  if (original_context == 0) return "rope_scaling.original_context must be > 0, found 0";
  if (!positive(low_frequency_factor) || !std::isfinite(high_frequency_factor) ||
      high_frequency_factor <= low_frequency_factor)
    return "rope_scaling: expected 0 < low_frequency_factor < high_frequency_factor, found " +
           std::to_string(low_frequency_factor) + " and " + std::to_string(high_frequency_factor);
  return {};
}

}  // namespace zeroth::ZEROTH_ISA::model

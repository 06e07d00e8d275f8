// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// How the next token is drawn from the logits.
struct SamplingOptions {
  double temperature = 0;   ///< divides the logits; 0: take the likeliest token
  std::uint32_t top_k = 0;  ///< draw among the k likeliest tokens; 0: all
  double top_p = 1;         ///< and among the likeliest tokens whose probabilities add up to this
  std::uint64_t seed = 0;

  bool operator==(SamplingOptions const&) const = default;

  /// @throws InvalidArgument naming the field that is out of range.
  void check() const {
    if (!(temperature >= 0) || !std::isfinite(temperature))
      throw InvalidArgument("temperature must be >= 0 and finite, got " + std::to_string(temperature));
    if (!(top_p > 0) || top_p > 1) throw InvalidArgument("top_p must be in (0, 1], got " + std::to_string(top_p));
  }
};

/// Draws a token: a pure function of its arguments. Of equally likely tokens, the one with the lowest id counts as the
/// likeliest.
///
/// Temperature, then top_k, then top_p, as in Hugging Face transformers. O(n log n) in the size of the vocabulary.
/// @param position of the token in its text: each position has its own random bits
/// @throws InvalidArgument if there are no logits, none is finite or one is NaN, and as options.check() does.
[[nodiscard]] inline std::int32_t sample_token(std::span<double const> logits, SamplingOptions const& options,
                                               std::uint64_t position) {
  options.check();
  auto const best = std::max_element(logits.begin(), logits.end());
  bool const number = std::none_of(logits.begin(), logits.end(), [](double value) { return std::isnan(value); });
  if (best == logits.end() || !number || !std::isfinite(*best))
    throw InvalidArgument("the model gives no finite logits to choose the next token from");
  if (options.temperature == 0) return static_cast<std::int32_t>(best - logits.begin());

  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  auto logit = [&](std::int32_t token) { return logits[static_cast<std::size_t>(token)]; };
  std::sort(order.begin(), order.end(),
            [&](std::int32_t a, std::int32_t b) { return logit(a) != logit(b) ? logit(a) > logit(b) : a < b; });
  if (options.top_k != 0 && options.top_k < order.size()) order.resize(options.top_k);

  std::vector<double> cumulative;
  double sum = 0;
  for (std::int32_t token : order) cumulative.push_back(sum += std::exp((logit(token) - *best) / options.temperature));
  // The likeliest tokens until their sum reaches top_p; at least one.
  auto const reached =
      std::find_if(cumulative.begin(), cumulative.end(), [&](double value) { return value >= options.top_p * sum; });
  if (reached != cumulative.end()) cumulative.erase(reached + 1, cumulative.end());

  RandomBlock const bits = RandomSource{.seed = options.seed, .purpose = Purpose::generation}.block(position);
  std::uint64_t const integer = (std::uint64_t{bits[0]} << 21) | (bits[1] >> 11);
  double const target = static_cast<double>(integer) * 0x1p-53 * cumulative.back();
  auto const drawn = std::upper_bound(cumulative.begin(), cumulative.end() - 1, target);
  return order[static_cast<std::size_t>(drawn - cumulative.begin())];
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/families/families.hpp>
#include <zeroth_model/weights/rotary.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The sizes, constants and kinds of parts of a decoder.
struct DecoderConfig {
  /// The row of OPT's table of positions that holds position 0.
  static constexpr std::uint32_t learned_position_offset = 2;

  /// The largest size: beyond any model, and small enough that no product of two sizes comes near overflow.
  static constexpr std::uint32_t most = 1U << 24;

  std::string architecture = "llama";  ///< the name of one of the `families`
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;        ///< width of the residual stream
  std::uint32_t feed_forward = 0;  ///< width inside the MLP
  std::uint32_t heads = 0;         ///< query heads
  std::uint32_t kv_heads = 0;      ///< key and value heads, each shared by heads / kv_heads query heads
  std::uint32_t head_dim = 0;      ///< elements per head; even if rotary; heads * head_dim need not equal `hidden`
  std::uint32_t vocabulary = 0;
  std::uint32_t context_length = 0;  ///< longest sequence, prompt included
  Positions positions = Positions::rotary;
  std::uint32_t rotary_dim = 0;  ///< number of first elements of a head that are rotated; 0: all
  double rope_theta = 10000.0;
  double local_rope_theta = 0;  ///< theta of the layers with a window, without scaling; 0: as in other layers
  RotaryScaling rope_scaling;
  std::vector<bool> rotary_layers;  ///< which layers rotate queries and keys; empty: all
  RotaryPairing pairing = RotaryPairing::adjacent;
  std::uint32_t sliding_window = 0;   ///< tokens that a query sees, including itself; 0: no limit
  std::vector<bool> windowed_layers;  ///< which layers have the window; empty: all
  double query_scalar = 0;            ///< attention scores are divided by its square root; 0: head_dim
  float attention_soft_cap = 0;       ///< c: scores become c tanh(score / c); 0: no cap
  float logit_soft_cap = 0;           ///< the same for logits
  Norm norm = Norm::rms;
  float norm_epsilon = 1e-5F;
  float gain_offset = 0;  ///< added to norm gains: 1 if the weights are gains minus 1
  float embedding_scale = 1;
  Mlp mlp = Mlp::gated_silu;
  bool query_key_value_bias = false;
  bool attention_out_bias = false;
  bool mlp_bias = false;
  bool tied_head = false;  ///< the head is the token embedding

  bool operator==(DecoderConfig const&) const = default;

  /// Number of elements of a head that rotary embeddings rotate.
  [[nodiscard]] std::uint32_t rotated_dim() const noexcept { return rotary_dim != 0 ? rotary_dim : head_dim; }

  /// Whether a layer rotates queries and keys.
  [[nodiscard]] bool rotates(std::size_t layer) const {
    return positions == Positions::rotary && (rotary_layers.empty() || rotary_layers[layer]);
  }

  /// The window of a layer: see sliding_window.
  [[nodiscard]] std::uint32_t window(std::size_t layer) const {
    return windowed_layers.empty() || windowed_layers[layer] ? sliding_window : 0;
  }

  /// Whether a layer rotates queries and keys by local_rope_theta.
  [[nodiscard]] bool rotates_locally(std::size_t layer) const {
    return local_rope_theta != 0 && window(layer) != 0 && rotates(layer);
  }

  /// The family of this architecture.
  /// @throws InvalidFile if there is none
  [[nodiscard]] Family const& family() const { return find_family("decoder configuration", architecture); }

  /// @throws InvalidFile if a field is out of its range: "SOURCE: hidden must be > 0, found 0".
  void check(std::string_view source) const;
};

/// The values of `kind(layer)` in the form that DecoderConfig uses: empty if true for all layers, or if there are more
/// layers than check() allows.
template <class Kind>
[[nodiscard]] std::vector<bool> layer_kinds(std::uint32_t layers, Kind const& kind) {
  std::vector<bool> kinds;
  bool all = true;
  if (layers > DecoderConfig::most) return kinds;
  for (std::uint32_t l = 0; l < layers; ++l) {
    kinds.push_back(kind(l));
    all = all && kinds.back();
  }
  if (all) kinds.clear();
  return kinds;
}

/// The layers with the window, in a family where every `full_interval`-th layer has none; all layers if that is 0.
[[nodiscard]] inline std::vector<bool> windowed_layers_of(std::uint32_t layers, std::uint32_t full_interval) {
  return layer_kinds(layers, [&](std::uint32_t l) { return full_interval == 0 || (l + 1) % full_interval != 0; });
}

/// The factor that scales embeddings.
[[nodiscard]] inline float embedding_scale_of(Family const& family, std::uint32_t hidden) noexcept {
  return family.scaled_embedding ? std::sqrt(static_cast<float>(hidden)) : 1.0F;
}

/// The layers that rotate queries and keys, in a family where every `unrotated_interval`-th does not.
[[nodiscard]] inline std::vector<bool> rotary_layers_of(std::uint32_t layers, std::uint32_t unrotated_interval) {
  return layer_kinds(layers,
                     [&](std::uint32_t l) { return unrotated_interval == 0 || (l + 1) % unrotated_interval != 0; });
}

inline void DecoderConfig::check(std::string_view source) const {
  auto refuse = [&](std::string const& what) { throw InvalidFile(std::string(source) + ": " + what); };
  static_cast<void>(find_family(source, architecture));
  auto in_range = [&](std::string_view field, std::uint32_t value) {
    if (value == 0 || value > most)
      refuse(std::string(field) + " must be in [1, 2^24], found " + std::to_string(value));
  };
  in_range("layers", layers);
  in_range("hidden", hidden);
  in_range("feed_forward", feed_forward);
  in_range("heads", heads);
  in_range("kv_heads", kv_heads);
  in_range("head_dim", head_dim);
  in_range("vocabulary", vocabulary);
  in_range("context_length", context_length);
  if (heads % kv_heads != 0)
    refuse("heads must be a multiple of kv_heads, found " + std::to_string(heads) + " and " + std::to_string(kv_heads));
  if (std::uint64_t{heads} * head_dim > most)
    refuse("heads x head_dim must be at most 2^24, found " + std::to_string(std::uint64_t{heads} * head_dim));
  if (query_key_value_bias && family().names.query_key_value)
    refuse("query_key_value_bias must be false where queries, keys and values are one tensor");
  if (!(norm_epsilon > 0) || !std::isfinite(norm_epsilon))
    refuse("norm_epsilon must be > 0 and finite, found " + std::to_string(norm_epsilon));
  auto one_a_layer = [&](std::string_view field, std::vector<bool> const& kinds) {
    if (!kinds.empty() && kinds.size() != layers)
      refuse(std::string(field) + " must be empty or have " + std::to_string(layers) + " elements, found " +
             std::to_string(kinds.size()));
  };
  one_a_layer("rotary_layers", rotary_layers);
  one_a_layer("windowed_layers", windowed_layers);
  auto not_negative = [&](std::string_view field, double value) {
    if (!(value >= 0) || !std::isfinite(value))
      refuse(std::string(field) + " must be >= 0 and finite, found " + std::to_string(value));
  };
  not_negative("query_scalar", query_scalar);
  not_negative("attention_soft_cap", static_cast<double>(attention_soft_cap));
  not_negative("logit_soft_cap", static_cast<double>(logit_soft_cap));
  if (positions == Positions::learned) return;
  if (rotary_dim % 2 != 0 || rotary_dim > head_dim)
    refuse("rotary_dim must be even and at most head_dim, " + std::to_string(head_dim) + ", found " +
           std::to_string(rotary_dim));
  if (rotary_dim == 0 && head_dim % 2 != 0)
    refuse("head_dim must be even for rotary embeddings, found " + std::to_string(head_dim));
  if (!(rope_theta > 0) || !std::isfinite(rope_theta))
    refuse("rope_theta must be > 0 and finite, found " + std::to_string(rope_theta));
  not_negative("local_rope_theta", local_rope_theta);
  if (std::string const problem = rope_scaling.problem(rotated_dim() / 2); !problem.empty()) refuse(problem);
}

}  // namespace zeroth::ZEROTH_ISA::model

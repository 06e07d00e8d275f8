// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/parameters.hpp>
#include <zeroth_model/families/families.hpp>
#include <zeroth_model/weights/decoder_config.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Name, role and shape of one of a decoder's tensors.
struct TensorSpec {
  std::string name;
  Role role;
  Shape shape;
};

/// Indices of a norm's tensors in a decoder's list.
struct NormTensors {
  std::size_t gain = no_tensor;  // 1 x hidden, or 1 x head_dim
  std::size_t bias = no_tensor;  // likewise
  float offset = 0;              // added to the gain: see DecoderConfig::gain_offset

  /// Whether the decoder has the norm.
  [[nodiscard]] explicit operator bool() const noexcept { return gain != no_tensor; }
};

/// Indices of a linear layer's tensors in a decoder's list.
struct LinearTensors {
  std::size_t weight = no_tensor;  // out x in, or a tensor with more rows than these
  std::size_t bias = no_tensor;    // 1 x out
  std::size_t first = 0;           // first of the weight's rows that the layer takes
  std::size_t rows = 0;            // number of those rows; 0: all

  /// Number of output features.
  [[nodiscard]] std::size_t outputs(std::span<WeightTensor const> tensors) const {
    return rows != 0 ? rows : static_cast<std::size_t>(tensors[weight].shape.rows);
  }
};

/// Indices of a layer's tensors in a decoder's list.
struct LayerTensors {
  NormTensors attention_norm;
  LinearTensors query;              // heads * head_dim x hidden
  LinearTensors key;                // kv_heads * head_dim x hidden
  LinearTensors value;              // kv_heads * head_dim x hidden
  NormTensors query_norm;           // of each head; none in most families
  NormTensors key_norm;             // likewise
  LinearTensors attention_out;      // hidden x heads * head_dim
  NormTensors attention_post_norm;  // none in most families
  NormTensors mlp_norm;
  LinearTensors gate;         // feed_forward x hidden; none if the MLP has no gate
  LinearTensors up;           // feed_forward x hidden
  LinearTensors down;         // hidden x feed_forward
  NormTensors mlp_post_norm;  // none in most families
};

/// Indices of a decoder's tensors in its list. A tied head has the embedding's index.
struct DecoderTensors {
  std::size_t embedding = no_tensor;  // vocabulary x hidden
  std::size_t positions = no_tensor;  // context_length + learned_position_offset x hidden, if they are learned
  NormTensors output_norm;
  std::size_t head = no_tensor;  // vocabulary x hidden
  std::vector<LayerTensors> layers;
};

/// The tensors of a decoder, in the order in which DecoderWeights holds them, with their GGUF names.
///
/// @param tensors if given, receives their indices in that list
/// @throws InvalidFile if no family has that architecture
[[nodiscard]] inline std::vector<TensorSpec> tensor_specs(DecoderConfig const& config,
                                                          DecoderTensors* tensors = nullptr) {
  std::vector<TensorSpec> specs;
  auto add = [&](std::string name, Role role, std::uint64_t rows, std::uint64_t columns) {
    specs.push_back({std::move(name), role, {rows, columns}});
    return specs.size() - 1;
  };
  std::uint64_t const hidden = config.hidden;
  std::uint64_t const query = std::uint64_t{config.heads} * config.head_dim;
  std::uint64_t const key = std::uint64_t{config.kv_heads} * config.head_dim;
  std::string prefix;
  auto add_norm = [&](TensorName const& named, std::uint64_t width) {
    std::string const name = prefix + std::string(named.gguf);
    NormTensors norm;
    if (!named) return norm;
    norm.gain = add(name + ".weight", Role::vector, 1, width);
    norm.offset = config.gain_offset;
    if (config.norm == Norm::layer) norm.bias = add(name + ".bias", Role::vector, 1, width);
    return norm;
  };
  auto add_linear = [&](TensorName const& named, std::uint64_t out, std::uint64_t in, bool bias) {
    std::string const name = prefix + std::string(named.gguf);
    LinearTensors linear;
    linear.weight = add(name + ".weight", Role::matrix, out, in);
    if (bias) linear.bias = add(name + ".bias", Role::vector, 1, out);
    return linear;
  };

  auto part = [](std::size_t weight, std::uint64_t first, std::uint64_t rows) {
    return LinearTensors{weight, no_tensor, static_cast<std::size_t>(first), static_cast<std::size_t>(rows)};
  };
  auto weight_of = [](TensorName const& named) { return std::string(named.gguf) + ".weight"; };
  TensorNames const& names = config.family().names;

  DecoderTensors result;
  result.embedding = add(weight_of(names.embedding), Role::embedding, config.vocabulary, hidden);
  if (config.positions == Positions::learned)
    result.positions = add(weight_of(names.positions), Role::embedding,
                           std::uint64_t{config.context_length} + DecoderConfig::learned_position_offset, hidden);
  for (std::uint32_t l = 0; l < config.layers; ++l) {
    prefix = "blk." + std::to_string(l) + ".";
    LayerTensors layer;
    layer.attention_norm = add_norm(names.attention_norm, hidden);
    if (names.query_key_value) {
      std::size_t const fused = add_linear(names.query_key_value, query + 2 * key, hidden, false).weight;
      layer.query = part(fused, 0, query);
      layer.key = part(fused, query, key);
      layer.value = part(fused, query + key, key);
    } else {
      layer.query = add_linear(names.query, query, hidden, config.query_key_value_bias);
      layer.key = add_linear(names.key, key, hidden, config.query_key_value_bias);
      layer.value = add_linear(names.value, key, hidden, config.query_key_value_bias);
    }
    layer.query_norm = add_norm(names.query_norm, config.head_dim);
    layer.key_norm = add_norm(names.key_norm, config.head_dim);
    layer.attention_out = add_linear(names.attention_out, hidden, query, config.attention_out_bias);
    layer.attention_post_norm = add_norm(names.attention_post_norm, hidden);
    layer.mlp_norm = add_norm(names.mlp_norm, hidden);
    if (names.gate_up) {
      std::uint64_t const width = config.feed_forward;
      std::size_t const fused = add_linear(names.gate_up, 2 * width, hidden, false).weight;
      layer.gate = part(fused, 0, width);
      layer.up = part(fused, width, width);
    } else {
      if (config.mlp != Mlp::relu) layer.gate = add_linear(names.gate, config.feed_forward, hidden, config.mlp_bias);
      layer.up = add_linear(names.up, config.feed_forward, hidden, config.mlp_bias);
    }
    layer.down = add_linear(names.down, hidden, config.feed_forward, config.mlp_bias);
    layer.mlp_post_norm = add_norm(names.mlp_post_norm, hidden);
    result.layers.push_back(layer);
  }
  prefix.clear();
  result.output_norm = add_norm(names.output_norm, hidden);
  result.head = config.tied_head ? result.embedding : add(weight_of(names.head), Role::head, config.vocabulary, hidden);
  if (tensors != nullptr) *tensors = std::move(result);
  return specs;
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth_model/families/families.hpp>
#include <zeroth_model/weights/decoder_config.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Name of a tensor in a Hugging Face checkpoint and the parameter that holds it.
struct HuggingFaceTensor {
  std::string name;
  std::size_t parameter;
  /// Rows of Q or K, or elements of their biases and norms, whose order differs in LLaMA's GGUF files.
  bool rotary = false;
  bool gain = false;  ///< of a norm: see Family::gains_less_one
};

/// The tensors of a decoder's Hugging Face checkpoint; a tied head is not among them.
/// @throws InvalidFile if there is no family of that architecture
[[nodiscard]] inline std::vector<HuggingFaceTensor> hugging_face_tensors(DecoderConfig const& config,
                                                                         DecoderTensors const& tensors) {
  TensorNames const& names = config.family().names;
  std::vector<HuggingFaceTensor> list;
  std::string prefix(names.root);
  auto add = [&](TensorName const& named, std::string_view kind, std::size_t parameter, bool rotary = false,
                 bool gain = false) {
    if (parameter != no_tensor)
      list.push_back({prefix + std::string(named.hugging_face) + std::string(kind), parameter, rotary, gain});
  };
  auto add_norm = [&](TensorName const& named, NormTensors const& norm, bool rotary = false) {
    add(named, ".weight", norm.gain, rotary, /*gain=*/true);
    add(named, ".bias", norm.bias, rotary);
  };
  auto add_linear = [&](TensorName const& named, LinearTensors const& linear, bool rotary = false) {
    add(named, ".weight", linear.weight, rotary);
    add(named, ".bias", linear.bias, rotary);
  };
  bool const rotary = config.positions == Positions::rotary;
  add(names.embedding, ".weight", tensors.embedding);
  add(names.positions, ".weight", tensors.positions);
  for (std::size_t l = 0; l < tensors.layers.size(); ++l) {
    LayerTensors const& layer = tensors.layers[l];
    prefix = std::string(names.root) + "layers." + std::to_string(l) + ".";
    add_norm(names.attention_norm, layer.attention_norm);
    if (names.query_key_value) {
      add_linear(names.query_key_value, layer.query);
    } else {
      add_linear(names.query, layer.query, rotary);
      add_linear(names.key, layer.key, rotary);
      add_linear(names.value, layer.value);
    }
    add_norm(names.query_norm, layer.query_norm, rotary);
    add_norm(names.key_norm, layer.key_norm, rotary);
    add_linear(names.attention_out, layer.attention_out);
    add_norm(names.attention_post_norm, layer.attention_post_norm);
    add_norm(names.mlp_norm, layer.mlp_norm);
    if (names.gate_up) {
      add_linear(names.gate_up, layer.gate);
    } else {
      add_linear(names.gate, layer.gate);
      add_linear(names.up, layer.up);
    }
    add_linear(names.down, layer.down);
    add_norm(names.mlp_post_norm, layer.mlp_post_norm);
  }
  prefix = names.root;
  add_norm(names.output_norm, tensors.output_norm);
  prefix.clear();
  if (!config.tied_head) add(names.head, ".weight", tensors.head);
  return list;
}

/// The row of `pairing`'s layout that holds a row of Q or K of Hugging Face's layout.
[[nodiscard]] inline std::size_t stored_rotary_row(std::size_t row, std::size_t head_dim,
                                                   RotaryPairing pairing) noexcept {
  if (pairing == RotaryPairing::halves) return row;
  std::size_t const head = row / head_dim;
  std::size_t const element = row % head_dim;
  std::size_t const half = head_dim / 2;
  return head * head_dim + element % half * 2 + element / half;
}

/// The inverse: the row of Hugging Face's layout that is row `row` of the layout with adjacent pairs.
[[nodiscard]] inline std::size_t halves_rotary_row(std::size_t row, std::size_t head_dim) noexcept {
  std::size_t const head = row / head_dim;
  std::size_t const element = row % head_dim;
  return head * head_dim + element % 2 * (head_dim / 2) + element / 2;
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <zeroth_model/weights/decoder_config.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Name of a tensor in a Hugging Face checkpoint and the parameter that holds it.
struct HuggingFaceTensor {
  std::string name;
  std::size_t parameter;
  bool rotary = false;  ///< rows of Q or K, or elements of their biases, which LLaMA's GGUF files hold in another order
};

/// The tensors of a Hugging Face checkpoint of a decoder (LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM or
/// OPTForCausalLM); a tied head is not among them.
[[nodiscard]] inline std::vector<HuggingFaceTensor> hugging_face_tensors(DecoderConfig const& config,
                                                                         DecoderTensors const& tensors) {
  std::vector<HuggingFaceTensor> list;
  auto add = [&](std::string const& name, std::size_t parameter, bool rotary = false) {
    if (parameter != no_tensor) list.push_back({name, parameter, rotary});
  };
  auto add_norm = [&](std::string const& name, NormTensors const& norm) {
    add(name + ".weight", norm.gain);
    add(name + ".bias", norm.bias);
  };
  auto add_linear = [&](std::string const& name, LinearTensors const& linear, bool rotary = false) {
    add(name + ".weight", linear.weight, rotary);
    add(name + ".bias", linear.bias, rotary);
  };
  bool const opt = config.architecture == "opt";
  std::string const root = opt ? "model.decoder." : "model.";
  add(root + "embed_tokens.weight", tensors.embedding);
  add(root + "embed_positions.weight", tensors.positions);
  for (std::size_t l = 0; l < tensors.layers.size(); ++l) {
    LayerTensors const& layer = tensors.layers[l];
    std::string const prefix = root + "layers." + std::to_string(l) + ".";
    add_norm(prefix + (opt ? "self_attn_layer_norm" : "input_layernorm"), layer.attention_norm);
    add_linear(prefix + "self_attn.q_proj", layer.query, config.positions == Positions::rotary);
    add_linear(prefix + "self_attn.k_proj", layer.key, config.positions == Positions::rotary);
    add_linear(prefix + "self_attn.v_proj", layer.value);
    add_linear(prefix + (opt ? "self_attn.out_proj" : "self_attn.o_proj"), layer.attention_out);
    add_norm(prefix + (opt ? "final_layer_norm" : "post_attention_layernorm"), layer.mlp_norm);
    add_linear(prefix + "mlp.gate_proj", layer.gate);
    add_linear(prefix + (opt ? "fc1" : "mlp.up_proj"), layer.up);
    add_linear(prefix + (opt ? "fc2" : "mlp.down_proj"), layer.down);
  }
  add_norm(root + (opt ? "final_layer_norm" : "norm"), tensors.output_norm);
  if (!config.tied_head) add("lm_head.weight", tensors.head);
  return list;
}

/// Where a row of Q or K of Hugging Face's layout lies in the layout of `pairing`.
[[nodiscard]] inline std::size_t stored_rotary_row(std::size_t row, std::size_t head_dim,
                                                   RotaryPairing pairing) noexcept {
  if (pairing == RotaryPairing::halves) return row;
  std::size_t const head = row / head_dim;
  std::size_t const element = row % head_dim;
  std::size_t const half = head_dim / 2;
  return head * head_dim + element % half * 2 + element / half;
}

/// The other way: which row of Hugging Face's layout is row `row` of the layout with adjacent pairs.
[[nodiscard]] inline std::size_t halves_rotary_row(std::size_t row, std::size_t head_dim) noexcept {
  std::size_t const head = row / head_dim;
  std::size_t const element = row % head_dim;
  return head * head_dim + element % 2 * (head_dim / 2) + element / 2;
}

}  // namespace zeroth::ZEROTH_ISA::model

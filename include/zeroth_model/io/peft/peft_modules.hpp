// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/parameters.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_tensors.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A linear layer that PEFT can adapt: a module of Hugging Face transformers' model.
struct PeftModule {
  std::string name;    ///< "model.layers.3.self_attn.q_proj"
  std::size_t weight;  ///< its matrix, in the decoder's parameters
  bool rotary;         ///< see HuggingFaceTensor

  /// The last part of the name, which is the same in every layer: "q_proj".
  [[nodiscard]] std::string_view kind() const noexcept { return std::string_view(name).substr(name.rfind('.') + 1); }

  /// Name of A and B in adapter_model.safetensors.
  [[nodiscard]] std::string a_name() const { return "base_model.model." + name + ".lora_A.weight"; }
  [[nodiscard]] std::string b_name() const { return "base_model.model." + name + ".lora_B.weight"; }
};

/// The linear layers of a decoder's layers, in the order of its parameters; the head is not among them.
[[nodiscard]] inline std::vector<PeftModule> peft_modules(DecoderWeights const& weights) {
  constexpr std::string_view end = ".weight";
  std::vector<PeftModule> modules;
  for (HuggingFaceTensor const& tensor : hugging_face_tensors(weights.config(), weights.tensors()))
    if (weights.weight_tensors()[tensor.parameter].role == Role::matrix)
      modules.push_back({tensor.name.substr(0, tensor.name.size() - end.size()), tensor.parameter, tensor.rotary});
  return modules;
}

/// The decoder's index of row `row` of a module's output in Hugging Face's order.
[[nodiscard]] inline std::size_t stored_row(PeftModule const& module, std::size_t row,
                                            DecoderConfig const& config) noexcept {
  return module.rotary ? stored_rotary_row(row, config.head_dim, config.pairing) : row;
}

}  // namespace zeroth::ZEROTH_ISA::model

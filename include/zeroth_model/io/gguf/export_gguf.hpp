// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/gguf/gguf_writer.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_tensors.hpp>
#include <zeroth_model/io/stored_rows.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// The metadata that read_decoder_config() reads back.
inline void set_decoder_metadata(GgufWriter& writer, DecoderConfig const& config) {
  std::string const architecture(config.family().gguf);
  auto set = [&](std::string const& key, auto value) { writer.set(architecture + "." + key, value); };
  writer.set("general.architecture", architecture);
  set("block_count", config.layers);
  set("context_length", config.context_length);
  set("embedding_length", config.hidden);
  set("feed_forward_length", config.feed_forward);
  set("attention.head_count", config.heads);
  set("attention.head_count_kv", config.kv_heads);
  set("attention.layer_norm_rms_epsilon", config.norm_epsilon);
  set("attention.key_length", config.head_dim);
  set("attention.value_length", config.head_dim);
  set("rope.dimension_count", config.rotated_dim());
  set("rope.freq_base", static_cast<float>(config.rope_theta));
  set("vocab_size", config.vocabulary);
  if (config.sliding_window != 0) set("attention.sliding_window", config.sliding_window);
  if (config.local_rope_theta != config.family().config.default_local_rope_theta && config.sliding_window != 0)
    set("rope.freq_base_swa", static_cast<float>(config.local_rope_theta));
  if (config.attention_soft_cap != 0) set("attn_logit_softcapping", config.attention_soft_cap);
  if (config.logit_soft_cap != 0) set("final_logit_softcapping", config.logit_soft_cap);
  if (config.rope_scaling.kind == RotaryScaling::Kind::linear) {
    set("rope.scaling.type", std::string("linear"));
    set("rope.scaling.factor", static_cast<float>(config.rope_scaling.factor));
  }
}

/// The divisor of each rotary pair's frequency if a GGUF file stores these as a tensor; otherwise nothing.
inline std::vector<float> gguf_rotary_factors(DecoderConfig const& config) {
  RotaryScaling const& scaling = config.rope_scaling;
  if (scaling.kind == RotaryScaling::Kind::factors) return scaling.factors;
  std::vector<float> factors;
  if (scaling.kind != RotaryScaling::Kind::llama3) return factors;
  std::vector<double> const plain = rotary_frequencies(config.rotated_dim(), config.rope_theta, {});
  for (std::size_t i = 0; i < plain.size(); ++i)
    factors.push_back(static_cast<float>(rotary_divisor(scaling, i, plain[i])));
  return factors;
}

/// Sets what llama.cpp reads of the type of the matrices.
inline void set_file_type(GgufWriter& writer, TensorType matrices) {
  writer.set("general.file_type", gguf_file_type(matrices));
  constexpr std::uint32_t quantization_version = 2;
  if (find_tensor_type(matrices)->is_quantized()) writer.set("general.quantization_version", quantization_version);
}

/// Adds and writes all tensors, matrices as `type`, vectors as F32; then commits.
inline void write_gguf_tensors(GgufWriter& writer, DecoderWeights const& weights, TensorType type) {
  DecoderConfig const& config = weights.config();
  std::vector<float> const factors = gguf_rotary_factors(config);
  std::array<std::uint64_t, 1> const pairs{factors.size()};
  if (!factors.empty()) writer.add_tensor(rotary_factors_name, pairs);
  for (WeightTensor const& p : weights.weight_tensors()) {
    std::array<std::uint64_t, 2> const dims{p.shape.columns, p.shape.rows};
    bool const vector = p.role == Role::vector;
    writer.add_tensor(p.name, std::span(dims).first(vector ? 1 : 2), vector ? TensorType::f32 : type);
  }
  std::vector<bool> permuted(weights.weight_tensors().size());
  std::vector<bool> gains(weights.weight_tensors().size());
  for (HuggingFaceTensor const& tensor : hugging_face_tensors(config, weights.tensors())) {
    permuted[tensor.parameter] = tensor.rotary && config.pairing != config.family().gguf_pairing;
    gains[tensor.parameter] = tensor.gain;
  }

  if (!factors.empty()) writer.write(rotary_factors_name, factors);
  for (std::size_t i = 0; i < weights.weight_tensors().size(); ++i) {
    WeightTensor const& p = weights.weight_tensors()[i];
    auto const stored_row = [&](std::size_t row) {
      return permuted[i] ? halves_rotary_row(row, config.head_dim) : row;
    };
    detail::for_each_row(
        weights, i, stored_row, [&](std::span<float const> row) { writer.write(p.name, row); },
        gains[i] ? config.gain_offset : 0.0F);
  }
  writer.commit();
}

}  // namespace detail

/// Writes `weights` to `path` as one GGUF file with the metadata (tokenizer included) of `source`, the file they were
/// loaded from. `path` may be the source's own.
///
/// @param source_config the result of read_decoder_config() when `source` was opened: only metadata is read again
/// @param type of the matrices: f32, f16, bf16, q8_0 or q4_0, by default their type in memory; vectors (norm gains,
/// biases) are
///   always F32, as llama.cpp requires. In their type in memory, and in F32, weights keep their bits; otherwise each is
///   rounded to nearest even.
/// @throws InvalidFile if it cannot be written; InvalidArgument if `source` has another configuration, `type` is not
///   one of these, or a weight is out of its range.
inline void save_gguf(std::string path, GgufFile const& source, DecoderConfig const& source_config,
                      DecoderWeights const& weights, std::optional<TensorType> type = std::nullopt) {
  if (source_config != weights.config())
    throw InvalidArgument(path + ": the metadata of " + source.path() + " describe a decoder of another configuration");
  GgufWriter writer(std::move(path));
  writer.copy_metadata(source);
  TensorType const matrices = type.value_or(tensor_type_of(weights.dtype()));
  detail::set_file_type(writer, matrices);
  detail::write_gguf_tensors(writer, weights, matrices);
}

/// As above, with the current configuration of `source`.
inline void save_gguf(std::string path, GgufFile const& source, DecoderWeights const& weights,
                      std::optional<TensorType> type = std::nullopt) {
  save_gguf(std::move(path), source, read_decoder_config(source), weights, type);
}

/// @throws InvalidArgument, naming `path`, if GGUF cannot represent a decoder with that configuration.
inline void require_gguf_form(DecoderConfig const& config, std::string const& path) {
  Family const& family = config.family();
  auto const refuse = [&](std::string const& what) {
    throw InvalidArgument(path + ": GGUF has no form for " + what + "architecture '" + config.architecture +
                          "'; write safetensors");
  };
  if (family.gguf.empty()) refuse("");
  bool const biased = config.query_key_value_bias || config.attention_out_bias || config.mlp_bias;
  if (biased && !family.gguf_biases) refuse("biases in ");
  if (config.rotary_layers != rotary_layers_of(config.layers, family.unrotated_interval))
    refuse("these layers without rotary embeddings in ");
  bool const by_layer = family.config.window == WindowRule::layer_types;
  if (by_layer && config.sliding_window != 0 &&
      config.windowed_layers != windowed_layers_of(config.layers, family.full_interval))
    refuse("these layers with a sliding window in ");
  if (by_layer && config.sliding_window == 0 && family.gguf_default_window != 0)
    refuse("full attention everywhere in ");
  bool const of_width = family.gguf_scalar_layers == config.layers && config.heads != 0;
  double const scalar = of_width ? config.hidden / config.heads : config.head_dim;
  if ((config.query_scalar != 0 ? config.query_scalar : config.head_dim) != scalar)
    refuse("this scale of attention's scores in ");
  if (family.config.default_attention_soft_cap != 0 && config.attention_soft_cap == 0)
    refuse("uncapped scores of attention in ");
  if (family.config.default_logit_soft_cap != 0 && config.logit_soft_cap == 0) refuse("uncapped logits in ");
  if (!family.gguf_own_head && !config.tied_head) refuse("a head of its own in ");
}

/// Writes `weights`, whatever their origin, to `path` as one GGUF file, in llama.cpp's order of rows.
///
/// @param add_metadata adds what the configuration does not contain, such as the tokenizer: called once with the writer
/// @throws as above and as require_gguf_form() does.
inline void save_gguf(std::string path, DecoderWeights const& weights,
                      std::function<void(GgufWriter&)> const& add_metadata,
                      std::optional<TensorType> type = std::nullopt) {
  require_gguf_form(weights.config(), path);
  GgufWriter writer(std::move(path));
  detail::set_decoder_metadata(writer, weights.config());
  TensorType const matrices = type.value_or(tensor_type_of(weights.dtype()));
  detail::set_file_type(writer, matrices);
  add_metadata(writer);
  detail::write_gguf_tensors(writer, weights, matrices);
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// How a token's position in its sequence is encoded.
enum class Positions : std::uint8_t {
  rotary,   ///< queries and keys are rotated by angles that grow with the position
  learned,  ///< a row of a table is added to the embedding
};

/// How a row of activations is normalised.
enum class Norm : std::uint8_t {
  rms,    ///< divided by the root of its mean square, times a gain
  layer,  ///< minus its mean, divided by its standard deviation, times a gain, plus a bias
};

/// The layer between two attentions.
enum class Mlp : std::uint8_t {
  gated_silu,  ///< down(silu(gate x) * up x)
  gated_gelu,  ///< down(gelu(gate x) * up x), GELU by tanh
  relu,        ///< down(relu(up x))
};

/// Which two elements of a head form a rotary pair.
enum class RotaryPairing : std::uint8_t {
  adjacent,  ///< 2i and 2i + 1: LLaMA's GGUF files from llama.cpp's converter
  halves,    ///< i and i + head_dim / 2: Hugging Face checkpoints, and Qwen2's GGUF files
};

/// The name of a tensor in GGUF files and in Hugging Face checkpoints, without ".weight", ".bias" and the prefix of its
/// layer. Both are empty if the family has no such tensor.
struct TensorName {
  std::string_view gguf = {};
  std::string_view hugging_face = {};

  [[nodiscard]] constexpr explicit operator bool() const noexcept { return !gguf.empty(); }
};

/// The names of a family's tensors: LLaMA's, except those that a row sets.
struct TensorNames {
  std::string_view root = "model.";  ///< prefix of all tensors of a Hugging Face checkpoint but the head
  TensorName embedding{"token_embd", "embed_tokens"};
  TensorName positions{"position_embd", "embed_positions"};
  TensorName output_norm{"output_norm", "norm"};
  TensorName head{"output", "lm_head"};
  // For layer N, prefixed with "blk.N." and "ROOTlayers.N.".
  TensorName attention_norm{"attn_norm", "input_layernorm"};
  TensorName query_key_value{};  ///< one tensor with the rows of queries, keys and values, instead of those three
  TensorName query{"attn_q", "self_attn.q_proj"};
  TensorName key{"attn_k", "self_attn.k_proj"};
  TensorName value{"attn_v", "self_attn.v_proj"};
  TensorName query_norm{};  ///< of each head's queries, before rotation
  TensorName key_norm{};
  TensorName attention_out{"attn_output", "self_attn.o_proj"};
  TensorName attention_post_norm{};  ///< of attention's addition to the residual stream
  TensorName mlp_norm{"ffn_norm", "post_attention_layernorm"};
  TensorName gate_up{};  ///< one tensor with the rows of gate and up, instead of those two
  TensorName gate{"ffn_gate", "mlp.gate_proj"};
  TensorName up{"ffn_up", "mlp.up_proj"};
  TensorName down{"ffn_down", "mlp.down_proj"};
  TensorName mlp_post_norm{};  ///< of the MLP's addition
};

/// Whether linear layers have a bias.
struct BiasRule {
  std::string_view key = {};  ///< in config.json; empty: `otherwise` applies to every model of the family
  bool otherwise = false;     ///< without the key
};

/// A key of config.json that must be absent or have this value: the decoder does not support what other values mean.
struct RequiredFlag {
  std::string_view key;
  bool value;
  std::string_view otherwise;  ///< the feature that other values ask for
};

/// A key that is written to config.json for readers that want it; it is not read.
struct WrittenKey {
  std::string_view key;
  std::string_view json;
};

/// The key of a family's sliding window in config.json, and the layers that have the window.
enum class WindowRule : std::uint8_t {
  ignored,      ///< no window: transformers' class has none, whatever the keys say
  none,         ///< likewise, but its cache uses `sliding_window`: one shorter than the context is rejected
  every_layer,  ///< `sliding_window`; null means none
  /// Qwen2's: the layers from `max_window_layers` on, with `use_sliding_window`. Any window is rejected.
  later_layers,
  /// SmolLM3's: the layers without rotation, with `use_sliding_window`. Any window is rejected.
  unrotated_layers,
  /// `sliding_window`, in the layers that `layer_types` names; without `layer_types`, in all but every n-th layer.
  layer_types,
};

/// Types of rotary scaling that a family's config.json may request.
enum class RotaryScalings : std::uint8_t {
  none,
  linear,
  linear_and_llama3,
};

/// Keys of config.json and the meaning of their absence. Keys not listed here are the same in every family: see
/// read_hugging_face_config().
struct ConfigKeys {
  std::string_view feed_forward = "intermediate_size";
  std::string_view activation = "hidden_act";
  std::string_view kv_heads = "num_key_value_heads";  ///< empty: same as heads
  std::uint32_t default_kv_heads = 0;                 ///< 0: same as heads; null always means that
  std::string_view head_dim = "head_dim";             ///< empty: hidden / heads
  std::uint32_t default_head_dim = 0;                 ///< 0: hidden / heads
  bool writes_head_dim = true;
  std::string_view norm_epsilon = "rms_norm_eps";  ///< empty: the default always applies
  float default_norm_epsilon = 1e-6F;
  double default_rope_theta = 10000.0;
  /// For the layers with a window, without `rope_local_base_freq`; 0: rotary parameters are the same in all layers.
  double default_local_rope_theta = 0;
  RotaryScalings scalings = RotaryScalings::linear_and_llama3;
  bool default_tied_head = false;
  BiasRule query_key_value_bias = {};
  BiasRule attention_out_bias = {};
  BiasRule mlp_bias = {};
  WindowRule window = WindowRule::ignored;
  std::uint32_t default_window = 0;      ///< without `sliding_window`; 0: none
  double default_query_scalar = 0;       ///< without `query_pre_attn_scalar`; 0: no such key, head_dim is used
  bool attention_soft_cap = false;       ///< whether attn_logit_softcapping is read; otherwise it must be null
  float default_attention_soft_cap = 0;  ///< without the key; 0: no cap, as with null
  bool logit_soft_cap = false;           ///< whether final_logit_softcapping is read
  float default_logit_soft_cap = 0;
  std::string_view same_as_hidden = {};  ///< key of a size that must equal the hidden size; empty: no such key
  std::span<RequiredFlag const> required = {};
  std::span<WrittenKey const> written = {};
};

/// A model family: everything that distinguishes its files, names and parts from those of others. families.hpp has the
/// table.
struct Family {
  std::string_view name;                ///< `model_type` of config.json, and DecoderConfig::architecture
  std::string_view hugging_face_class;  ///< `architectures` of config.json
  std::string_view gguf;                ///< `general.architecture`; empty: GGUF cannot represent the family
  RotaryPairing gguf_pairing = RotaryPairing::halves;  ///< how llama.cpp stores the rows of Q and K
  bool gguf_biases = true;                             ///< whether llama.cpp reads the biases of linear layers
  Positions positions = Positions::rotary;
  /// Every n-th layer does not rotate queries and keys, unless `no_rope_layers` of config.json says otherwise; GGUF has
  /// no key for that. 0: all layers rotate them.
  std::uint32_t unrotated_interval = 0;
  bool partial_rotary = false;  ///< whether only the first elements of a head may be rotated
  Norm norm = Norm::rms;
  bool gains_less_one = false;    ///< whether Hugging Face checkpoints store norm gains minus 1, unlike GGUF
  bool scaled_embedding = false;  ///< whether embeddings are multiplied by the square root of `hidden`
  std::uint32_t full_interval =
      0;  ///< WindowRule::layer_types: every n-th layer sees all, unless a file says otherwise
  std::string_view full_interval_key = {};  ///< its key in config.json, used without layer_types
  std::uint32_t gguf_default_window = 0;    ///< without attention.sliding_window; 0: none
  /// The number of layers at which llama.cpp uses hidden / heads as the query scalar instead of head_dim; 0: never.
  std::uint32_t gguf_scalar_layers = 0;
  bool gguf_own_head = true;  ///< whether llama.cpp reads a head that is not tied
  /// Keys under "ARCHITECTURE." that are read only in this family's files.
  std::span<std::string_view const> gguf_keys = {};
  Mlp mlp = Mlp::gated_silu;
  TensorNames names = {};
  ConfigKeys config = {};
};

}  // namespace zeroth::ZEROTH_ISA::model

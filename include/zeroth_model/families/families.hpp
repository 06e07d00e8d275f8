// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <zeroth/error.hpp>
#include <zeroth_model/families/family.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

inline constexpr std::array llama_written{WrittenKey{"initializer_range", "0.02"}, WrittenKey{"pretraining_tp", "1"}};
inline constexpr std::array common_written{WrittenKey{"initializer_range", "0.02"}};
inline constexpr std::array no_window_written{WrittenKey{"initializer_range", "0.02"},
                                              WrittenKey{"use_sliding_window", "false"}};
inline constexpr std::array opt_required{
    RequiredFlag{"do_layer_norm_before", true, "norms after each layer are not supported"},
    RequiredFlag{"_remove_final_layer_norm", false, "a decoder without a final norm is not supported"},
    RequiredFlag{"layer_norm_elementwise_affine", true, "norms without weights are not supported"}};
inline constexpr std::array opt_written{WrittenKey{"dropout", "0.0"}, WrittenKey{"layerdrop", "0.0"},
                                        WrittenKey{"init_std", "0.02"}};

inline constexpr std::array gemma_required{
    RequiredFlag{"use_bidirectional_attention", false, "attention to later tokens is not supported"}};
inline constexpr std::array<std::string_view, 3> gemma2_keys{"attn_logit_softcapping", "final_logit_softcapping",
                                                             "attention.sliding_window_pattern"};
inline constexpr std::array<std::string_view, 3> gemma3_keys{"final_logit_softcapping",
                                                             "attention.sliding_window_pattern", "rope.freq_base_swa"};

}  // namespace detail

/// The families that Decoder runs. To add one, add a row; fields that a row does not set are LLaMA's.
inline constexpr std::array families{
    Family{.name = "llama",
           .hugging_face_class = "LlamaForCausalLM",
           .gguf = "llama",
           .gguf_pairing = RotaryPairing::adjacent,
           .config = {.query_key_value_bias = {"attention_bias"},
                      .attention_out_bias = {"attention_bias"},
                      .mlp_bias = {"mlp_bias"},
                      .window = WindowRule::none,
                      .written = detail::llama_written}},
    Family{.name = "mistral",
           .hugging_face_class = "MistralForCausalLM",
           .gguf = "llama",
           .gguf_pairing = RotaryPairing::adjacent,
           .config = {.default_kv_heads = 8,
                      .window = WindowRule::every_layer,
                      .default_window = 4096,
                      .written = detail::common_written}},
    Family{.name = "qwen2",
           .hugging_face_class = "Qwen2ForCausalLM",
           .gguf = "qwen2",
           .config = {.default_kv_heads = 32,
                      .writes_head_dim = false,
                      .query_key_value_bias = {.otherwise = true},
                      .window = WindowRule::later_layers,
                      .written = detail::no_window_written}},
    Family{
        .name = "qwen3",
        .hugging_face_class = "Qwen3ForCausalLM",
        .gguf = "qwen3",
        .gguf_biases = false,
        .names = {.query_norm = {"attn_q_norm", "self_attn.q_norm"}, .key_norm = {"attn_k_norm", "self_attn.k_norm"}},
        .config = {.default_kv_heads = 32,
                   .default_head_dim = 128,
                   .query_key_value_bias = {"attention_bias"},
                   .attention_out_bias = {"attention_bias"},
                   .window = WindowRule::later_layers,
                   .written = detail::no_window_written}},
    Family{.name = "smollm3",
           .hugging_face_class = "SmolLM3ForCausalLM",
           .gguf = "smollm3",
           .gguf_pairing = RotaryPairing::adjacent,
           .gguf_biases = false,
           .unrotated_interval = 4,
           .config = {.default_kv_heads = 4,
                      .default_rope_theta = 2000000.0,
                      .default_tied_head = true,
                      .query_key_value_bias = {"attention_bias"},
                      .attention_out_bias = {"attention_bias"},
                      .mlp_bias = {"mlp_bias"},
                      .window = WindowRule::unrotated_layers,
                      .written = detail::no_window_written}},
    Family{.name = "phi3",
           .hugging_face_class = "Phi3ForCausalLM",
           .gguf = "phi3",
           .gguf_biases = false,
           .partial_rotary = true,
           .names = {.query_key_value = {"attn_qkv", "self_attn.qkv_proj"},
                     .query = {},
                     .key = {},
                     .value = {},
                     .gate_up = {"ffn_up", "mlp.gate_up_proj"},
                     .gate = {},
                     .up = {}},
           .config = {.writes_head_dim = false,
                      .default_norm_epsilon = 1e-5F,
                      .scalings = RotaryScalings::none,
                      .window = WindowRule::every_layer,
                      .written = detail::common_written}},
    Family{.name = "gemma2",
           .hugging_face_class = "Gemma2ForCausalLM",
           .gguf = "gemma2",
           .gguf_biases = false,
           .gains_less_one = true,
           .scaled_embedding = true,
           .full_interval = 2,
           .gguf_default_window = 4096,
           .gguf_scalar_layers = 46,
           .gguf_own_head = false,
           .gguf_keys = detail::gemma2_keys,
           .mlp = Mlp::gated_gelu,
           .names = {.attention_post_norm = {"post_attention_norm", "post_attention_layernorm"},
                     .mlp_norm = {"ffn_norm", "pre_feedforward_layernorm"},
                     .mlp_post_norm = {"post_ffw_norm", "post_feedforward_layernorm"}},
           .config = {.activation = "hidden_activation",
                      .default_kv_heads = 4,
                      .default_head_dim = 256,
                      .default_tied_head = true,
                      .query_key_value_bias = {"attention_bias"},
                      .attention_out_bias = {"attention_bias"},
                      .window = WindowRule::layer_types,
                      .default_window = 4096,
                      .default_query_scalar = 256,
                      .attention_soft_cap = true,
                      .default_attention_soft_cap = 50,
                      .logit_soft_cap = true,
                      .default_logit_soft_cap = 30,
                      .required = detail::gemma_required,
                      .written = detail::common_written}},
    Family{.name = "gemma3_text",
           .hugging_face_class = "Gemma3ForCausalLM",
           .gguf = "gemma3",
           .gguf_biases = false,
           .gains_less_one = true,
           .scaled_embedding = true,
           .full_interval = 6,
           .full_interval_key = "sliding_window_pattern",
           .gguf_scalar_layers = 62,
           .gguf_keys = detail::gemma3_keys,
           .mlp = Mlp::gated_gelu,
           .names = {.query_norm = {"attn_q_norm", "self_attn.q_norm"},
                     .key_norm = {"attn_k_norm", "self_attn.k_norm"},
                     .attention_post_norm = {"post_attention_norm", "post_attention_layernorm"},
                     .mlp_norm = {"ffn_norm", "pre_feedforward_layernorm"},
                     .mlp_post_norm = {"post_ffw_norm", "post_feedforward_layernorm"}},
           .config = {.activation = "hidden_activation",
                      .default_kv_heads = 4,
                      .default_head_dim = 256,
                      .default_rope_theta = 1000000.0,
                      .default_local_rope_theta = 10000.0,
                      .scalings = RotaryScalings::linear,
                      .default_tied_head = true,
                      .query_key_value_bias = {"attention_bias"},
                      .attention_out_bias = {"attention_bias"},
                      .window = WindowRule::layer_types,
                      .default_window = 4096,
                      .default_query_scalar = 256,
                      .logit_soft_cap = true,
                      .required = detail::gemma_required,
                      .written = detail::common_written}},
    Family{.name = "opt",
           .hugging_face_class = "OPTForCausalLM",
           .gguf = "",
           .positions = Positions::learned,
           .norm = Norm::layer,
           .mlp = Mlp::relu,
           .names = {.root = "model.decoder.",
                     .output_norm = {"output_norm", "final_layer_norm"},
                     .attention_norm = {"attn_norm", "self_attn_layer_norm"},
                     .attention_out = {"attn_output", "self_attn.out_proj"},
                     .mlp_norm = {"ffn_norm", "final_layer_norm"},
                     .up = {"ffn_up", "fc1"},
                     .down = {"ffn_down", "fc2"}},
           .config = {.feed_forward = "ffn_dim",
                      .activation = "activation_function",
                      .kv_heads = "",
                      .head_dim = "",
                      .writes_head_dim = false,
                      .norm_epsilon = "",
                      .default_norm_epsilon = 1e-5F,
                      .default_tied_head = true,
                      .query_key_value_bias = {"enable_bias", true},
                      .attention_out_bias = {"enable_bias", true},
                      .mlp_bias = {"enable_bias", true},
                      .same_as_hidden = "word_embed_proj_dim",
                      .required = detail::opt_required,
                      .written = detail::opt_written}},
};

namespace detail {

/// "'llama', 'mistral', ...": the nonempty results of `name_of` for all families, without repetitions.
template <class NameOf>
[[nodiscard]] std::string family_list(NameOf const& name_of) {
  std::string list;
  for (Family const& family : families) {
    std::string const quoted = "'" + std::string(name_of(family)) + "'";
    if (quoted == "''" || list.find(quoted) != std::string::npos) continue;
    list += (list.empty() ? "" : ", ") + quoted;
  }
  return list;
}

}  // namespace detail

/// The family with that name.
/// @throws InvalidFile naming `source` and listing the known names, if there is none
[[nodiscard]] inline Family const& find_family(std::string_view source, std::string_view name) {
  for (Family const& family : families)
    if (family.name == name) return family;
  throw InvalidFile(std::string(source) + ": architecture '" + std::string(name) + "' is not supported; known: " +
                    detail::family_list([](Family const& family) { return family.name; }) +
                    " (SmolLM 1 and 2 and LLaMA 1 to 3 are 'llama')");
}

/// The family of a GGUF file: the first with that `general.architecture` or, if the file has a window, the first of
/// those that can have one.
/// @throws InvalidFile naming `source` and listing the known names, if there is none
[[nodiscard]] inline Family const& find_gguf_family(std::string_view source, std::string_view architecture,
                                                    bool windowed) {
  Family const* found = nullptr;
  for (Family const& family : families) {
    if (family.gguf.empty() || family.gguf != architecture) continue;
    bool const fits = !windowed || family.config.window != WindowRule::none;
    if (found == nullptr || fits) found = &family;
    if (fits) break;
  }
  if (found != nullptr) return *found;
  throw InvalidFile(std::string(source) + ": metadata key 'general.architecture': expected one of " +
                    detail::family_list([](Family const& family) { return family.gguf; }) +
                    " ('llama' is that of SmolLM, LLaMA 1 to 3 and Mistral), found '" + std::string(architecture) +
                    "'");
}

}  // namespace zeroth::ZEROTH_ISA::model

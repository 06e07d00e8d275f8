// SPDX-License-Identifier: MIT
// config.json of Hugging Face checkpoints. A configuration that is accepted and can be written must read the same
// again.

#include <string>
#include <vector>

#include <zeroth_model/io/hugging_face/hugging_face_config.hpp>

#include "fuzz_target.hpp"

namespace zeroth_fuzz {

bool run(Input input) {
  using namespace zeroth::model;
  return reads_or_refuses([&] {
    DecoderConfig const config = read_hugging_face_config(JsonValue::parse(text_of(input), "config.json"));
    if (config.layers > 1000) return;  // some families write a list of them
    nlohmann::ordered_json written;
    try {
      written = hugging_face_config(config);
    } catch (zeroth::InvalidArgument const&) {
      return;  // transformers' form of the family cannot express it
    }
    DecoderConfig const again =
        read_again([&] { return read_hugging_face_config(JsonValue::parse(written.dump(), "written")); });
    require(again == config, "written again, it reads otherwise");
  });
}

std::vector<std::string> seeds() {
  std::string const sizes =
      R"("hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "vocab_size": 9, "max_position_embeddings": 16)";
  return {
      R"({"model_type": "llama", "intermediate_size": 12, "head_dim": 4, "rms_norm_eps": 1e-5,
          "tie_word_embeddings": true, "attention_bias": true, "mlp_bias": true, "rope_parameters": {"rope_type": "llama3",
          "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}, )" +
          sizes + "}",
      R"({"model_type": "mistral", "intermediate_size": 12, "sliding_window": 4, "rope_theta": 1e4, "hidden_act": "silu",
          "rope_scaling": {"type": "linear", "factor": 2}, )" +
          sizes + "}",
      R"({"model_type": "qwen2", "intermediate_size": 12, "use_sliding_window": false, )" + sizes + "}",
      R"({"model_type": "qwen3", "intermediate_size": 12, "head_dim": 6, "attention_bias": true, )" + sizes + "}",
      R"({"model_type": "smollm3", "intermediate_size": 12, "no_rope_layers": [0, 1], "mlp_bias": true, )" + sizes +
          "}",
      R"({"model_type": "phi3", "intermediate_size": 12, "partial_rotary_factor": 0.5, "sliding_window": 3, )" + sizes +
          "}",
      R"({"model_type": "gemma2", "intermediate_size": 12, "query_pre_attn_scalar": 3, "sliding_window": 3,
          "layer_types": ["full_attention", "sliding_attention"], "attn_logit_softcapping": 4.0,
          "final_logit_softcapping": null, )" +
          sizes + "}",
      R"({"model_type": "gemma3_text", "intermediate_size": 12, "head_dim": 4, "sliding_window_pattern": 2,
          "rope_local_base_freq": 1e3, "rope_scaling": {"rope_type": "linear", "factor": 2.0}, "rope_parameters":
          {"full_attention": {"rope_theta": 1e5}, "sliding_attention": {"rope_type": "default"}}, )" +
          sizes + "}",
      R"({"model_type": "opt", "ffn_dim": 12, "word_embed_proj_dim": 8, "enable_bias": false, "do_layer_norm_before": true,
          "activation_function": "relu", )" +
          sizes + "}",
  };
}

}  // namespace zeroth_fuzz

// SPDX-License-Identifier: MIT
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth/model/load_hugging_face.hpp"

using namespace zeroth_test;
using nlohmann::json;
using zeroth::model::DecoderConfig;
using zeroth::model::JsonValue;
using zeroth::model::RotaryScaling;

namespace {

json read_json(std::filesystem::path const& path) {
  std::ifstream file(path);
  return json::parse(file);
}

DecoderConfig config_of(json const& text) {
  return zeroth::model::read_hugging_face_config(JsonValue::parse(text.dump(), "config.json"));
}

/// What reading the configuration of a golden family says after a change to it.
std::string changed(std::string const& family, std::function<void(json&)> const& change) {
  json config = read_json(golden_file("families/" + family + "/config.json"));
  change(config);
  try {
    static_cast<void>(config_of(config));
  } catch (zeroth::InvalidFile const& error) {
    std::string const what = error.what();
    CHECK(what.starts_with("config.json: "));
    return what.substr(13);
  }
  return "accepted";
}

/// A copy of a golden family's folder in which something is changed.
class ChangedFolder {
 public:
  explicit ChangedFolder(std::string const& family) {
    std::filesystem::copy(golden_file("families/" + family), path(), std::filesystem::copy_options::recursive);
  }
  [[nodiscard]] std::filesystem::path path() const { return directory_ / "model"; }

  void change_config(std::function<void(json&)> const& change) const {
    json config = read_json(path() / "config.json");
    change(config);
    std::ofstream(path() / "config.json") << config;
  }

  /// What loading it says, without the folder's name.
  [[nodiscard]] std::string loaded() const {
    try {
      static_cast<void>(zeroth::model::load_hugging_face(path()));
    } catch (zeroth::InvalidFile const& error) {
      std::string const what = error.what();
      CHECK(what.starts_with(path().string()));
      return what.substr(path().string().size());
    }
    return "accepted";
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("config.json of transformers 4 and of 5 mean the same") {
  json const five = read_json(golden_file("families/llama3/config.json"));
  DecoderConfig const expected = config_of(five);
  CHECK(expected.rope_scaling.kind == RotaryScaling::Kind::llama3);
  CHECK(expected.rope_scaling.original_context == 64);
  json four = five;
  four["rope_scaling"] = four["rope_parameters"];
  four.erase("rope_parameters");
  four["rope_theta"] = four["rope_scaling"]["rope_theta"];
  four["rope_scaling"].erase("rope_theta");
  CHECK(config_of(four) == expected);

  // LLaMA's first checkpoints have neither a number of key-value heads nor a base of the rotary angles.
  four["rope_scaling"] = nullptr;
  for (char const* key : {"num_key_value_heads", "rope_theta", "head_dim", "attention_bias", "mlp_bias"})
    four.erase(key);
  DecoderConfig const first = config_of(four);
  CHECK(first.kv_heads == 6);
  CHECK(first.head_dim == 6);
  CHECK(first.rope_theta == 10000);
  CHECK(first.rope_scaling.kind == RotaryScaling::Kind::none);

  json linear = four;
  linear["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
  CHECK(config_of(linear).rope_scaling.factor == 2);
}

TEST_CASE("each family's own defaults hold where config.json says nothing") {
  json mistral = read_json(golden_file("families/mistral/config.json"));
  CHECK(config_of(mistral).sliding_window == 9);
  mistral["sliding_window"] = nullptr;
  CHECK(config_of(mistral).sliding_window == 0);
  mistral.erase("sliding_window");
  CHECK(config_of(mistral).sliding_window == 4096);

  json opt = read_json(golden_file("families/opt/config.json"));
  opt.erase("enable_bias");
  opt.erase("tie_word_embeddings");
  CHECK(config_of(opt).query_key_value_bias);
  CHECK(config_of(opt).tied_head);
  opt["enable_bias"] = false;
  CHECK_FALSE(config_of(opt).mlp_bias);

  json llama = read_json(golden_file("families/llama3/config.json"));
  llama.erase("tie_word_embeddings");
  CHECK_FALSE(config_of(llama).tied_head);
}

TEST_CASE("a config.json that asks for what the decoder lacks is refused by key") {
  auto set = [](std::string const& key, json const& value) {
    return [=](json& config) { config[json::json_pointer(key)] = value; };
  };
  CHECK(changed("qwen2", [](json&) {}) == "accepted");
  CHECK_THAT(changed("qwen2", set("/model_type", "gpt2")), contains_text("key 'model_type': architecture 'gpt2'"));
  CHECK_THAT(changed("qwen2", set("/hidden_act", "gelu")), contains_text("key 'hidden_act': expected \"silu\""));
  CHECK_THAT(changed("qwen2", set("/use_sliding_window", true)), contains_text("key 'use_sliding_window'"));
  CHECK_THAT(changed("qwen2", set("/quantization_config", json::object())), contains_text("'quantization_config'"));
  CHECK_THAT(changed("qwen2", set("/rope_parameters/rope_type", "yarn")),
             contains_text("key 'rope_parameters.rope_type': expected one of"));
  CHECK_THAT(changed("llama3", set("/rope_parameters/partial_rotary_factor", 0.5)), contains_text("partial_rotary"));
  CHECK_THAT(changed("llama3", [](json& c) { c["rope_parameters"].erase("factor"); }), contains_text("'rope_par"));
  CHECK_THAT(changed("llama3", set("/rope_parameters/high_freq_factor", 0.5)), contains_text("rope_scaling: expected"));
  CHECK_THAT(changed("llama3", set("/hidden_size", -1)), contains_text("key 'hidden_size'"));
  CHECK_THAT(changed("llama3", set("/num_attention_heads", 0)), contains_text("heads must be in"));
  CHECK_THAT(changed("opt", set("/word_embed_proj_dim", 16)), contains_text("key 'word_embed_proj_dim'"));
  CHECK_THAT(changed("opt", set("/do_layer_norm_before", false)), contains_text("key 'do_layer_norm_before'"));
  CHECK_THAT(changed("opt", set("/activation_function", "gelu")), contains_text("key 'activation_function'"));
  CHECK_THAT(changed("opt", set("/num_attention_heads", 5)), contains_text("a divisor of hidden_size, 32"));
  CHECK_THAT(changed("opt", [](json& c) { c.erase("ffn_dim"); }), contains_text("key 'ffn_dim'"));
}

TEST_CASE("a checkpoint that does not fit its config.json is refused by tensor") {
  CHECK(ChangedFolder("qwen2").loaded() == "accepted");
  auto after = [](std::string const& family, std::function<void(json&)> const& change) {
    ChangedFolder const folder(family);
    folder.change_config(change);
    return folder.loaded();
  };
  CHECK(after("qwen2", [](json& c) { c["intermediate_size"] = 57; }) ==
        ": tensor 'model.layers.0.mlp.gate_proj.weight': expected 57 x 36, found 56 x 36");
  CHECK(after("opt", [](json& c) { c["max_position_embeddings"] = 81; }) ==
        ": tensor 'model.decoder.embed_positions.weight': expected 83 x 32, found 82 x 32");
  CHECK(after("qwen2", [](json& c) { c["num_hidden_layers"] = 3; }) ==
        ": tensor 'model.layers.2.input_layernorm.weight' is missing");
  CHECK_THAT(after("qwen2", [](json& c) { c["num_hidden_layers"] = 1; }),
             contains_text("' is not part of a decoder of architecture 'qwen2'"));
  CHECK_THAT(after("qwen2", [](json& c) { c["num_hidden_layers"] = 16777216; }),
             contains_text("/config.json: key 'num_hidden_layers': expected no more layers than tensors"));
  CHECK(after("qwen2", [](json& c) { c["tie_word_embeddings"] = false; }) == ": tensor 'lm_head.weight' is missing");
  CHECK_THAT(after("qwen2_separate", [](json& c) { c["num_key_value_heads"] = 9; }),
             contains_text("tensor 'model.layers.0.self_attn.k_proj.weight': expected 54 x 54, found 18 x 54"));

  ChangedFolder const folder("opt");
  std::filesystem::remove(folder.path() / "config.json");
  CHECK_THAT(folder.loaded(), contains_text("/config.json"));
}

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/weights/decoder_config.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Throws unless `key` is absent or has this value: another would need code that the decoder lacks.
template <JsonScalar T>
void expect_value(JsonValue const& json, std::string_view key, T const& value, std::string_view text) {
  if (auto const found = json.find<T>(key); found && *found != value) throw json.get(key).mismatch(text);
}

/// The object of config.json that holds the rotary parameters, or nothing: as in transformers 5, `rope_scaling`, the
/// older name, is the one that counts wherever it is there and not empty, and `rope_parameters` is then ignored whole.
inline std::optional<JsonValue> find_rotary_parameters(JsonValue const& json) {
  for (std::string_view key : {"rope_scaling", "rope_parameters"}) {
    auto const parameters = json.find(key);
    if (!parameters) continue;
    for (JsonMember const& member : parameters->members())
      if (member.value.is_object())
        throw member.value.mismatch("a number or a string: rotary parameters of one kind of layer are not supported");
    if (!parameters->json().empty()) return parameters;
  }
  return std::nullopt;
}

/// `key` of the rotary parameters or, where they lack it, of config.json itself.
inline std::optional<double> find_rotary_number(JsonValue const& json, std::optional<JsonValue> const& parameters,
                                                std::string_view key) {
  if (parameters)
    if (auto const value = parameters->find<double>(key)) return value;
  return json.find<double>(key);
}

/// Theta and scaling, from every place where transformers 5 looks for them.
inline void read_rotary_embedding(JsonValue const& json, DecoderConfig& config) {
  auto const parameters = find_rotary_parameters(json);
  config.rope_theta = find_rotary_number(json, parameters, "rope_theta").value_or(10000.0);
  constexpr std::string_view partial = "partial_rotary_factor";
  if (auto const factor = find_rotary_number(json, parameters, partial); factor && *factor != 1)
    throw(parameters && parameters->find(partial) ? *parameters : json)
        .get(partial)
        .mismatch("1, since rotary embeddings turn whole heads");
  RotaryScaling& scaling = config.rope_scaling;
  if (!parameters) return;
  std::string const key = parameters->json().contains("rope_type") ? "rope_type" : "type";
  if (!parameters->json().contains(key)) return;
  constexpr std::string_view known = "one of \"default\", \"linear\", \"llama3\"";
  std::string const type = parameters->get(key, known).as<std::string>();
  if (type == "default") return;
  if (type != "linear" && type != "llama3") throw parameters->get(key).mismatch(known);
  scaling.factor = parameters->get<double>("factor");
  scaling.kind = RotaryScaling::Kind::linear;
  if (type == "linear") return;
  scaling.kind = RotaryScaling::Kind::llama3;
  scaling.low_frequency_factor = parameters->get<double>("low_freq_factor");
  scaling.high_frequency_factor = parameters->get<double>("high_freq_factor");
  // Here, unlike with theta, config.json's own key comes first.
  constexpr std::string_view original = "original_max_position_embeddings";
  auto context = json.find<std::uint32_t>(original);
  if (!context) context = parameters->find<std::uint32_t>(original);
  scaling.original_context = context.value_or(config.context_length);
}

/// Throws unless `layer_types` is absent or names every layer as `kind`.
inline void expect_layer_types(JsonValue const& json, DecoderConfig const& config, std::string_view kind) {
  auto const types = json.find("layer_types");
  if (!types) return;
  std::vector<JsonValue> const layers = types->elements();
  if (layers.size() != config.layers)
    throw types->mismatch("one for each of the " + std::to_string(config.layers) + " layers",
                          std::to_string(layers.size()));
  for (JsonValue const& layer : layers)
    // "attention" is the older name.
    if (!layer.is(kind) && !(kind == "full_attention" && layer.is("attention")))
      throw layer.mismatch('"' + std::string(kind) + "\": layers that differ are not supported");
}

/// Refuses a window that transformers' class of the family does not know, but its cache does: whether it holds is then
/// a question of how the model is run.
inline void expect_no_window(JsonValue const& json, DecoderConfig const& config, std::string_view key) {
  if (auto const window = json.find<std::uint32_t>(key); window && *window < config.context_length)
    throw json.get(key).mismatch("null or at least max_position_embeddings, " + std::to_string(config.context_length) +
                                 ": model_type \"" + config.architecture + "\" has no window");
}

/// The window of Qwen2, which can be one of the later layers only.
inline void read_qwen2_window(JsonValue const& json, DecoderConfig const& config) {
  if (json.find("layer_types")) return expect_layer_types(json, config, "full_attention");
  bool const windowed = json.find<bool>("use_sliding_window").value_or(false);
  // Absent is 4096, null is none.
  bool const none = json.json().contains("sliding_window") && !json.find("sliding_window");
  if (windowed && !none && json.find<std::uint32_t>("max_window_layers").value_or(28) < config.layers)
    throw json.get("use_sliding_window").mismatch("false: a window in some layers only is not supported");
}

/// LLaMA, Mistral and Qwen2.
inline void read_llama_config(JsonValue const& json, DecoderConfig& config) {
  // Two names of one function.
  if (!json.has("hidden_act", "swish")) expect_value(json, "hidden_act", std::string("silu"), "\"silu\"");
  config.feed_forward = json.get<std::uint32_t>("intermediate_size");
  // Null is the number of heads, and so is absence with LLaMA.
  config.kv_heads = config.heads;
  if (auto const kv_heads = json.find<std::uint32_t>("num_key_value_heads"))
    config.kv_heads = *kv_heads;
  else if (config.architecture != "llama" && !json.json().contains("num_key_value_heads"))
    config.kv_heads = config.architecture == "mistral" ? 8 : 32;
  config.head_dim = json.find<std::uint32_t>("head_dim").value_or(config.head_dim);
  config.norm_epsilon = json.find<float>("rms_norm_eps").value_or(1e-6F);
  read_rotary_embedding(json, config);
  config.tied_head = json.find<bool>("tie_word_embeddings").value_or(false);
  if (config.architecture == "llama") {
    config.query_key_value_bias = json.find<bool>("attention_bias").value_or(false);
    config.attention_out_bias = config.query_key_value_bias;
    config.mlp_bias = json.find<bool>("mlp_bias").value_or(false);
    if (json.find<bool>("use_sliding_window").value_or(true)) expect_no_window(json, config, "sliding_window");
    expect_no_window(json, config, "attention_chunk_size");
    expect_layer_types(json, config, "full_attention");
  } else if (config.architecture == "mistral") {
    // Absent is 4096, null is none.
    bool const absent = !json.json().contains("sliding_window");
    config.sliding_window = absent ? 4096 : json.find<std::uint32_t>("sliding_window").value_or(0);
    if (config.sliding_window == 0 && json.find("sliding_window"))
      throw json.get("sliding_window").mismatch("null for no window, or at least 1");
    expect_layer_types(json, config, config.sliding_window != 0 ? "sliding_attention" : "full_attention");
  } else {
    config.query_key_value_bias = true;
    read_qwen2_window(json, config);
  }
}

inline void read_opt_config(JsonValue const& json, DecoderConfig& config) {
  expect_value(json, "activation_function", std::string("relu"), "\"relu\"");
  expect_value(json, "do_layer_norm_before", true, "true: norms behind each layer are not supported");
  expect_value(json, "_remove_final_layer_norm", false, "false: a decoder without a last norm is not supported");
  expect_value(json, "layer_norm_elementwise_affine", true, "true: norms without weights are not supported");
  expect_value(json, "word_embed_proj_dim", config.hidden, "hidden_size, " + std::to_string(config.hidden));
  config.feed_forward = json.get<std::uint32_t>("ffn_dim");
  config.kv_heads = config.heads;
  config.positions = Positions::learned;
  config.norm = Norm::layer;
  config.norm_epsilon = 1e-5F;
  config.mlp = Mlp::relu;
  bool const bias = json.find<bool>("enable_bias").value_or(true);
  config.query_key_value_bias = config.attention_out_bias = config.mlp_bias = bias;
  config.tied_head = json.find<bool>("tie_word_embeddings").value_or(true);
}

}  // namespace detail

/// The configuration of the decoder of a Hugging Face checkpoint, from its config.json: `model_type` llama, mistral,
/// qwen2 or opt. As in transformers 5, keys that the family does not read are ignored, and null counts as absent where
/// it has no meaning of its own. Whether a head is tied also depends on the weights: see load_hugging_face().
///
/// @throws InvalidFile naming file and key, if a key is missing or out of range, or asks for what the decoder lacks
///   (another activation, other rotary scaling, quantised weights, ...).
[[nodiscard]] inline DecoderConfig read_hugging_face_config(JsonValue const& json) {
  DecoderConfig config;
  config.architecture = detail::printable(json.get<std::string>("model_type"));
  check_architecture(json.file_name() + ": key 'model_type'", config.architecture);
  // Each of these changes what the rest means.
  for (auto const& [key, why] : {std::pair("quantization_config", "quantised safetensors are not supported"),
                                 std::pair("text_config", "a model of texts only has its keys at the top"),
                                 std::pair("per_layer_config", "layers that differ are not supported"),
                                 std::pair("configuration_files", "the configuration is read from config.json")})
    if (auto const value = json.find(key); value) throw value->mismatch(std::string("no such key: ") + why);
  config.pairing = RotaryPairing::halves;
  config.layers = json.get<std::uint32_t>("num_hidden_layers");
  config.hidden = json.get<std::uint32_t>("hidden_size");
  config.heads = json.get<std::uint32_t>("num_attention_heads");
  config.vocabulary = json.get<std::uint32_t>("vocab_size");
  config.context_length = json.get<std::uint32_t>("max_position_embeddings");
  bool const whole = config.heads != 0 && config.hidden % config.heads == 0;
  if (!whole && !json.find("head_dim"))
    throw json.get("num_attention_heads").mismatch("a divisor of hidden_size, " + std::to_string(config.hidden));
  config.head_dim = whole ? config.hidden / config.heads : 0;
  if (config.architecture == "opt")
    detail::read_opt_config(json, config);
  else
    detail::read_llama_config(json, config);
  config.check(json.file_name());
  return config;
}

/// The parameters of LLaMA-3's scaling that give these factors, as a GGUF file holds them; nothing if none do.
///
/// A file has the factors alone. All models published so far blend between 1 and 4 turns over an original context that
/// is a power of two.
[[nodiscard]] inline std::optional<RotaryScaling> find_llama3_scaling(std::span<float const> factors,
                                                                      std::size_t head_dim, double theta) {
  if (factors.empty()) return std::nullopt;
  RotaryScaling scaling;
  scaling.kind = RotaryScaling::Kind::llama3;
  scaling.factor = static_cast<double>(*std::max_element(factors.begin(), factors.end()));
  auto const plain = rotary_frequencies(head_dim, theta, {});
  for (scaling.original_context = 32; scaling.original_context <= (1U << 24); scaling.original_context *= 2) {
    bool same = plain.size() == factors.size();
    for (std::size_t i = 0; same && i < plain.size(); ++i) {
      double const divisor = rotary_divisor(scaling, i, plain[i]);
      same = std::abs(divisor - static_cast<double>(factors[i])) <= 1e-5 * divisor;
    }
    if (same) return scaling;
  }
  return std::nullopt;
}

namespace detail {

/// The float's shortest decimal, as a double, so that 1e-5 is written 1e-05 and not 9.999999747378752e-06.
inline double shortest_decimal(float value) noexcept {
  std::array<char, 32> text{};
  char const* const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double result = 0;
  std::from_chars(text.data(), end, result);
  return result;
}

inline nlohmann::ordered_json rope_scaling_json(DecoderConfig const& config) {
  RotaryScaling scaling = config.rope_scaling;
  if (scaling.kind == RotaryScaling::Kind::factors) {
    auto const found = find_llama3_scaling(scaling.factors, config.head_dim, config.rope_theta);
    if (!found)
      throw InvalidArgument(
          "config.json cannot express the model's rotary factors (rope_freqs.weight): expected those of LLaMA-3.1's "
          "scaling");
    scaling = *found;
  }
  if (scaling.kind == RotaryScaling::Kind::none) return nullptr;
  nlohmann::ordered_json json{{"factor", scaling.factor}};
  if (scaling.kind == RotaryScaling::Kind::llama3) {
    json["low_freq_factor"] = scaling.low_frequency_factor;
    json["high_freq_factor"] = scaling.high_frequency_factor;
    json["original_max_position_embeddings"] = scaling.original_context;
  }
  // transformers before 4.43 reads "type".
  json["type"] = json["rope_type"] = scaling.kind == RotaryScaling::Kind::llama3 ? "llama3" : "linear";
  return json;
}

}  // namespace detail

/// config.json for a decoder, without token ids and dtype: what read_hugging_face_config() reads back.
///
/// Rotary parameters stand where transformers 4 looks for them, which transformers 5 reads too.
/// @throws InvalidArgument if transformers' form of the family cannot express the configuration.
[[nodiscard]] inline nlohmann::ordered_json hugging_face_config(DecoderConfig const& config) {
  auto refuse = [&](std::string const& what) {
    throw InvalidArgument("config.json of architecture '" + config.architecture + "' cannot express " + what);
  };
  bool const opt = config.architecture == "opt";
  bool const qwen2 = config.architecture == "qwen2";
  bool const mistral = config.architecture == "mistral";
  nlohmann::ordered_json json{
      {"architectures",
       {opt       ? "OPTForCausalLM"
        : qwen2   ? "Qwen2ForCausalLM"
        : mistral ? "MistralForCausalLM"
                  : "LlamaForCausalLM"}},
      {"model_type", config.architecture},
      {"hidden_size", config.hidden},
      {"num_hidden_layers", config.layers},
      {"num_attention_heads", config.heads},
      {"vocab_size", config.vocabulary},
      {"max_position_embeddings", config.context_length},
      {"tie_word_embeddings", config.tied_head},
      {"attention_dropout", 0.0},
      {"use_cache", true},
  };
  if (opt) {
    if (config.query_key_value_bias != config.mlp_bias || config.attention_out_bias != config.mlp_bias)
      refuse("biases in some of the linear layers");
    json.update({{"ffn_dim", config.feed_forward},
                 {"word_embed_proj_dim", config.hidden},
                 {"activation_function", "relu"},
                 {"do_layer_norm_before", true},
                 {"_remove_final_layer_norm", false},
                 {"enable_bias", config.mlp_bias},
                 {"layer_norm_elementwise_affine", true},
                 {"dropout", 0.0},
                 {"layerdrop", 0.0},
                 {"init_std", 0.02}});
    return json;
  }
  if (qwen2 ? !config.query_key_value_bias || config.attention_out_bias || config.mlp_bias
            : config.query_key_value_bias != config.attention_out_bias)
    refuse("which of its linear layers have a bias");
  if (mistral && (config.attention_out_bias || config.mlp_bias)) refuse("biases");
  if (!mistral && config.sliding_window != 0) refuse("a sliding window");
  if (qwen2 && config.head_dim * config.heads != config.hidden) refuse("heads of another width than hidden / heads");
  json.update({{"intermediate_size", config.feed_forward},
               {"num_key_value_heads", config.kv_heads},
               {"hidden_act", "silu"},
               {"initializer_range", 0.02},
               {"rms_norm_eps", detail::shortest_decimal(config.norm_epsilon)},
               {"rope_theta", config.rope_theta},
               {"rope_scaling", detail::rope_scaling_json(config)}});
  if (!qwen2) json["head_dim"] = config.head_dim;
  if (config.architecture == "llama") {
    json["attention_bias"] = config.query_key_value_bias;
    json["mlp_bias"] = config.mlp_bias;
    json["pretraining_tp"] = 1;
  }
  if (mistral && config.sliding_window == 0)
    json["sliding_window"] = nullptr;
  else if (mistral)
    json["sliding_window"] = config.sliding_window;
  if (qwen2) json["use_sliding_window"] = false;
  return json;
}

}  // namespace zeroth::ZEROTH_ISA::model

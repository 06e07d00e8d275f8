// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/read_number.hpp>
#include <zeroth_model/families/families.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/weights/decoder_config.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Throws unless `key` is absent or has this value: other values would need code that the decoder lacks.
template <JsonScalar T>
void expect_value(JsonValue const& json, std::string_view key, T const& value, std::string_view text) {
  if (auto const found = json.find<T>(key); found && *found != value) throw json.get(key).mismatch(text);
}

/// The names that transformers uses for an MLP's activation; the first is the one written.
inline std::span<std::string_view const> activation_names(Mlp mlp) noexcept {
  static constexpr std::array<std::string_view, 2> silu{"silu", "swish"};
  static constexpr std::array<std::string_view, 1> gelu{"gelu_pytorch_tanh"};
  static constexpr std::array<std::string_view, 1> relu{"relu"};
  switch (mlp) {
    case Mlp::gated_silu:
      return silu;
    case Mlp::gated_gelu:
      return gelu;
    case Mlp::relu:
      return relu;
  }
  return {};
}

/// The object of config.json that holds the rotary parameters, or nothing. As in transformers 5, `rope_scaling`, the
/// older name, wins wherever it exists and is not empty; `rope_parameters` is then ignored completely.
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

/// `key` of the rotary parameters or, if they lack it, of config.json itself.
inline std::optional<double> find_rotary_number(JsonValue const& json, std::optional<JsonValue> const& parameters,
                                                std::string_view key) {
  if (parameters)
    if (auto const value = parameters->find<double>(key)) return value;
  return json.find<double>(key);
}

/// The names of a family's types of scaling, for messages.
inline std::string_view scaling_names(RotaryScalings scalings) noexcept {
  if (scalings == RotaryScalings::none) return "\"default\"";
  if (scalings == RotaryScalings::linear) return "one of \"default\", \"linear\"";
  return "one of \"default\", \"linear\", \"llama3\"";
}

/// Theta and scaling of a family whose layers with a window have their own. As in transformers 5, `rope_parameters` has
/// an object for each kind of layer, and `rope_scaling`, the older name, overrides that of the layers without a window.
inline void read_rotary_by_kind(JsonValue const& json, Family const& family, DecoderConfig& config) {
  auto const both = json.find("rope_parameters");
  if (both)
    for (JsonMember const& member : both->members())
      if (!member.value.is_object()) throw member.value.mismatch("the parameters of a kind of layers");
  auto const of_kind = [&](std::string_view kind) { return both ? both->find(kind) : std::nullopt; };
  auto const full = of_kind("full_attention");
  auto const local = of_kind("sliding_attention");
  auto const scaling = json.find("rope_scaling");
  for (auto const& place : {full, local, scaling, std::optional<JsonValue>(json)})
    if (auto const factor = place ? place->find<double>("partial_rotary_factor") : std::nullopt; factor && *factor != 1)
      throw place->get("partial_rotary_factor").mismatch("1, since rotary embeddings rotate whole heads");
  auto const number = [](std::optional<JsonValue> const& place, std::string_view key) {
    return place ? place->find<double>(key) : std::nullopt;
  };
  auto const first = [](std::optional<double> a, std::optional<double> b) { return a ? a : b; };
  config.rope_theta =
      first(first(number(scaling, "rope_theta"), number(full, "rope_theta")), number(json, "rope_theta"))
          .value_or(family.config.default_rope_theta);
  config.local_rope_theta = first(number(local, "rope_theta"), number(json, "rope_local_base_freq"))
                                .value_or(family.config.default_local_rope_theta);
  if (!(config.local_rope_theta > 0))
    throw(number(local, "rope_theta") ? local->get("rope_theta") : json.get("rope_local_base_freq"))
        .mismatch("more than 0");
  auto const type_of = [](std::optional<JsonValue> const& place) -> std::optional<JsonValue> {
    if (!place) return std::nullopt;
    if (auto const type = place->find("rope_type")) return type;
    return place->find("type");
  };
  if (auto const type = type_of(local); type && !type->is("default")) throw type->mismatch("\"default\"");
  // transformers 5 ignores a rope_scaling that has only the older "type".
  if (scaling && !scaling->find("rope_type"))
    if (auto const type = scaling->find("type")) throw type->mismatch("\"rope_type\" in place of \"type\"");
  auto const scaling_type = type_of(scaling);
  auto const type = scaling_type ? scaling_type : type_of(full);
  if (!type || type->is("default")) return;
  if (!type->is("linear")) throw type->mismatch(scaling_names(family.config.scalings));
  auto const factor = first(number(scaling, "factor"), number(full, "factor"));
  config.rope_scaling.kind = RotaryScaling::Kind::linear;
  config.rope_scaling.factor = factor ? *factor : (scaling ? *scaling : *full).get<double>("factor");
}

/// Theta and scaling, from every place where transformers 5 looks for them.
inline void read_rotary_embedding(JsonValue const& json, Family const& family, DecoderConfig& config) {
  if (family.config.default_local_rope_theta != 0) return read_rotary_by_kind(json, family, config);
  auto const parameters = find_rotary_parameters(json);
  config.rope_theta = find_rotary_number(json, parameters, "rope_theta").value_or(family.config.default_rope_theta);
  constexpr std::string_view partial = "partial_rotary_factor";
  if (auto const factor = find_rotary_number(json, parameters, partial); factor && *factor != 1) {
    auto const refuse = [&](std::string const& expected) {
      return (parameters && parameters->find(partial) ? *parameters : json).get(partial).mismatch(expected);
    };
    if (!family.partial_rotary) throw refuse("1, since rotary embeddings rotate whole heads");
    if (!(*factor > 0 && *factor < 1)) throw refuse("more than 0 and at most 1");
    config.rotary_dim = static_cast<std::uint32_t>(config.head_dim * *factor);
    if (config.rotary_dim == 0 || config.rotary_dim % 2 != 0)
      throw refuse("an even number of the " + std::to_string(config.head_dim) + " elements of a head");
  }
  RotaryScaling& scaling = config.rope_scaling;
  if (!parameters) return;
  std::string const key = parameters->json().contains("rope_type") ? "rope_type" : "type";
  if (!parameters->json().contains(key)) return;
  bool const scalable = family.config.scalings != RotaryScalings::none;
  std::string_view const known = scaling_names(family.config.scalings);
  std::string const type = parameters->get(key, known).as<std::string>();
  if (type == "default") return;
  if (!scalable || (type != "linear" && type != "llama3")) throw parameters->get(key).mismatch(known);
  scaling.factor = parameters->get<double>("factor");
  scaling.kind = RotaryScaling::Kind::linear;
  if (type == "linear") return;
  scaling.kind = RotaryScaling::Kind::llama3;
  scaling.low_frequency_factor = parameters->get<double>("low_freq_factor");
  scaling.high_frequency_factor = parameters->get<double>("high_freq_factor");
  // Unlike with theta, config.json's own key wins here.
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

/// Rejects a window that transformers' class of the family ignores but its cache does not: whether it applies would
/// then depend on how the model is run.
inline void expect_no_window(JsonValue const& json, DecoderConfig const& config, std::string_view key) {
  if (auto const window = json.find<std::uint32_t>(key); window && *window < config.context_length)
    throw json.get(key).mismatch("null or at least max_position_embeddings, " + std::to_string(config.context_length) +
                                 ": model_type \"" + config.architecture + "\" has no window");
}

/// The layers to which `layer_types` gives the window, in a family where they may differ.
inline std::vector<bool> read_windowed_layers(JsonValue const& json, std::uint32_t layers, Family const& family) {
  auto const types = json.find("layer_types");
  if (!types) {
    std::string_view const key = family.full_interval_key;
    auto const interval = key.empty() ? std::nullopt : json.find<std::uint32_t>(key);
    if (interval && *interval == 0) throw json.get(key).mismatch("at least 1");
    return windowed_layers_of(layers, interval.value_or(family.full_interval));
  }
  std::vector<JsonValue> const kinds = types->elements();
  if (kinds.size() != layers)
    throw types->mismatch("one for each of the " + std::to_string(layers) + " layers", std::to_string(kinds.size()));
  return layer_kinds(layers, [&](std::uint32_t l) {
    bool const windowed = kinds[l].is("sliding_attention");
    if (!windowed && !kinds[l].is("full_attention"))
      throw kinds[l].mismatch("\"sliding_attention\" or \"full_attention\"");
    return windowed;
  });
}

/// The window, read as the family's rule says.
inline void read_window(JsonValue const& json, Family const& family, DecoderConfig& config) {
  constexpr std::string_view windowed = "at least 1, for the layers of type \"sliding_attention\"";
  // null means none, but an absent key need not.
  bool const absent = !json.json().contains("sliding_window");
  switch (family.config.window) {
    case WindowRule::ignored:
      return;
    case WindowRule::none:
      if (json.find<bool>("use_sliding_window").value_or(true)) expect_no_window(json, config, "sliding_window");
      expect_no_window(json, config, "attention_chunk_size");
      return expect_layer_types(json, config, "full_attention");
    case WindowRule::every_layer:
      config.sliding_window =
          absent ? family.config.default_window : json.find<std::uint32_t>("sliding_window").value_or(0);
      if (config.sliding_window == 0 && json.find("sliding_window"))
        throw json.get("sliding_window").mismatch("null for no window, or at least 1");
      return expect_layer_types(json, config, config.sliding_window != 0 ? "sliding_attention" : "full_attention");
    case WindowRule::later_layers:
      if (json.find("layer_types")) return expect_layer_types(json, config, "full_attention");
      if (json.find<bool>("use_sliding_window").value_or(false) && (absent || json.find("sliding_window")) &&
          json.find<std::uint32_t>("max_window_layers").value_or(28) < config.layers)
        throw json.get("use_sliding_window").mismatch("false: a window in some layers only is not supported");
      return;
    case WindowRule::unrotated_layers:
      if (json.find("layer_types")) return expect_layer_types(json, config, "full_attention");
      if (json.find<bool>("use_sliding_window").value_or(false) && json.find("sliding_window"))
        throw json.get("use_sliding_window").mismatch("false: a window in some layers only is not supported");
      return;
    case WindowRule::layer_types:
      config.sliding_window =
          absent ? family.config.default_window : json.find<std::uint32_t>("sliding_window").value_or(0);
      config.windowed_layers = read_windowed_layers(json, config.layers, family);
      if (config.sliding_window != 0) return;
      for (std::uint32_t l = 0; l < std::min(config.layers, DecoderConfig::most); ++l)
        if (config.windowed_layers.empty() || config.windowed_layers[l])
          throw json.get("sliding_window", windowed).mismatch(windowed);
      config.windowed_layers.clear();
      config.local_rope_theta = 0;
      return;
  }
}

/// A cap of scores or logits: null means none, absent means the family's default. A family without caps accepts only
/// null.
inline float read_soft_cap(JsonValue const& json, std::string_view key, bool known, float otherwise) {
  auto const value = json.find<float>(key);
  if (!value) return json.json().contains(key) ? 0 : otherwise;
  if (!known) throw json.get(key).mismatch("null: transformers' class of the family does not read it");
  if (!(*value > 0)) throw json.get(key).mismatch("null for no cap, or more than 0");
  return *value;
}

/// The layers that rotate queries and keys, in a family where some do not.
inline std::vector<bool> read_rotary_layers(JsonValue const& json, std::uint32_t layers, std::uint32_t interval) {
  if (auto const list = json.find("no_rope_layers")) {
    std::vector<JsonValue> const turned = list->elements();
    if (turned.size() < layers)
      throw list->mismatch("a number for each of the " + std::to_string(layers) + " layers",
                           std::to_string(turned.size()));
    return layer_kinds(layers, [&](std::uint32_t l) { return turned[l].as<std::uint32_t>() != 0; });
  }
  constexpr std::string_view key = "no_rope_layer_interval";
  std::uint32_t const found = json.find<std::uint32_t>(key).value_or(interval);
  if (found == 0) throw json.get(key).mismatch("at least 1");
  return rotary_layers_of(layers, found);
}

inline bool read_bias(JsonValue const& json, BiasRule const& rule) {
  return rule.key.empty() ? rule.otherwise : json.find<bool>(rule.key).value_or(rule.otherwise);
}

}  // namespace detail

/// The configuration of the decoder of a Hugging Face checkpoint, from its config.json, whose `model_type` names a
/// family. As in transformers 5, keys that the family does not read are ignored, and null counts as absent unless it
/// has a meaning of its own. Whether the head is tied also depends on the weights: see load_hugging_face().
///
/// @throws InvalidFile naming file and key, if a key is missing or out of range, or asks for something that the decoder
///   lacks (another activation, other rotary scaling, quantised weights, ...).
[[nodiscard]] inline DecoderConfig read_hugging_face_config(JsonValue const& json) {
  DecoderConfig config;
  std::string const architecture = detail::printable(json.get<std::string>("model_type"));
  Family const& family = find_family(json.file_name() + ": key 'model_type'", architecture);
  ConfigKeys const& keys = family.config;
  config.architecture = family.name;
  config.positions = family.positions;
  config.norm = family.norm;
  config.mlp = family.mlp;
  config.pairing = RotaryPairing::halves;
  // Each of these changes what the rest means.
  for (auto const& [key, why] : {std::pair("quantization_config", "quantised safetensors are not supported"),
                                 std::pair("text_config", "a model of texts only has its keys at the top"),
                                 std::pair("per_layer_config", "layers that differ are not supported"),
                                 std::pair("configuration_files", "the configuration is read from config.json")})
    if (auto const value = json.find(key); value) throw value->mismatch(std::string("no such key: ") + why);
  auto const activations = detail::activation_names(family.mlp);
  auto const has_name = [&](std::string_view name) { return json.has(keys.activation, name); };
  if (std::none_of(activations.begin(), activations.end(), has_name))
    detail::expect_value(json, keys.activation, std::string(activations[0]), '"' + std::string(activations[0]) + '"');
  for (RequiredFlag const& flag : keys.required)
    detail::expect_value(json, flag.key, flag.value, (flag.value ? "true: " : "false: ") + std::string(flag.otherwise));
  config.layers = json.get<std::uint32_t>("num_hidden_layers");
  config.hidden = json.get<std::uint32_t>("hidden_size");
  config.heads = json.get<std::uint32_t>("num_attention_heads");
  config.vocabulary = json.get<std::uint32_t>("vocab_size");
  config.context_length = json.get<std::uint32_t>("max_position_embeddings");
  config.feed_forward = json.get<std::uint32_t>(keys.feed_forward);
  if (!keys.same_as_hidden.empty())
    detail::expect_value(json, keys.same_as_hidden, config.hidden, "hidden_size, " + std::to_string(config.hidden));
  bool const whole = config.heads != 0 && config.hidden % config.heads == 0;
  config.head_dim = keys.default_head_dim != 0 ? keys.default_head_dim : whole ? config.hidden / config.heads : 0;
  auto const head_dim = keys.head_dim.empty() ? std::nullopt : json.find<std::uint32_t>(keys.head_dim);
  if (head_dim)
    config.head_dim = *head_dim;
  else if (config.head_dim == 0)
    throw json.get("num_attention_heads").mismatch("a divisor of hidden_size, " + std::to_string(config.hidden));
  config.kv_heads = config.heads;
  if (!keys.kv_heads.empty()) {
    bool const absent = !json.json().contains(keys.kv_heads);
    std::uint32_t const otherwise = absent && keys.default_kv_heads != 0 ? keys.default_kv_heads : config.heads;
    config.kv_heads = json.find<std::uint32_t>(keys.kv_heads).value_or(otherwise);
  }
  config.norm_epsilon = keys.default_norm_epsilon;
  if (!keys.norm_epsilon.empty())
    config.norm_epsilon = json.find<float>(keys.norm_epsilon).value_or(keys.default_norm_epsilon);
  if (family.positions == Positions::rotary) detail::read_rotary_embedding(json, family, config);
  if (family.unrotated_interval != 0)
    config.rotary_layers = detail::read_rotary_layers(json, config.layers, family.unrotated_interval);
  config.query_key_value_bias = detail::read_bias(json, keys.query_key_value_bias);
  config.attention_out_bias = detail::read_bias(json, keys.attention_out_bias);
  config.mlp_bias = detail::read_bias(json, keys.mlp_bias);
  config.tied_head = json.find<bool>("tie_word_embeddings").value_or(keys.default_tied_head);
  detail::read_window(json, family, config);
  config.gain_offset = family.gains_less_one ? 1.0F : 0.0F;
  config.embedding_scale = embedding_scale_of(family, config.hidden);
  if (keys.default_query_scalar != 0) {
    config.query_scalar = json.find<double>("query_pre_attn_scalar").value_or(keys.default_query_scalar);
    if (!(config.query_scalar > 0)) throw json.get("query_pre_attn_scalar").mismatch("more than 0");
    if (config.query_scalar == config.head_dim) config.query_scalar = 0;
  }
  if (keys.logit_soft_cap) {
    config.attention_soft_cap =
        detail::read_soft_cap(json, "attn_logit_softcapping", keys.attention_soft_cap, keys.default_attention_soft_cap);
    config.logit_soft_cap =
        detail::read_soft_cap(json, "final_logit_softcapping", keys.logit_soft_cap, keys.default_logit_soft_cap);
  }
  config.check(json.file_name());
  return config;
}

/// The parameters of LLaMA-3's scaling that yield these factors, as stored in a GGUF file; nothing if none do.
///
/// A file stores only the factors. All models published so far blend between 1 and 4 rotations over an original context
/// that is a power of two.
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

/// The float's shortest decimal as a double, so that 1e-5 is written as 1e-05, not as 9.999999747378752e-06.
inline double shortest_decimal(float value) noexcept {
  double result = 0;
  return read_number(number_text(value), result) ? result : static_cast<double>(value);
}

inline nlohmann::ordered_json rope_scaling_json(DecoderConfig const& config) {
  RotaryScaling scaling = config.rope_scaling;
  if (scaling.kind == RotaryScaling::Kind::factors) {
    auto const found = find_llama3_scaling(scaling.factors, config.rotated_dim(), config.rope_theta);
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

/// As an integer if possible: older versions of transformers accept nothing else.
inline nlohmann::ordered_json whole_number(double value) {
  if (value == std::floor(value) && std::abs(value) <= 0x1p53) return static_cast<std::int64_t>(value);
  return value;
}

/// A factor that reproduces the rotated share of a head, however products round.
inline double rotary_share(DecoderConfig const& config) noexcept {
  double const share = static_cast<double>(config.rotated_dim()) / config.head_dim;
  bool const short_of = static_cast<std::uint32_t>(config.head_dim * share) < config.rotated_dim();
  return short_of ? std::nextafter(share, 2.0) : share;
}

}  // namespace detail

/// config.json for a decoder, without token ids and dtype, in the form that read_hugging_face_config() reads.
///
/// Rotary parameters are placed where transformers 4 looks for them; transformers 5 reads that too.
/// @throws InvalidArgument if transformers' form of the family cannot express the configuration.
[[nodiscard]] inline nlohmann::ordered_json hugging_face_config(DecoderConfig const& config) {
  auto refuse = [&](std::string const& what) {
    throw InvalidArgument("config.json of architecture '" + config.architecture + "' cannot express " + what);
  };
  Family const& family = config.family();
  ConfigKeys const& keys = family.config;
  nlohmann::ordered_json json{
      {"architectures", {family.hugging_face_class}},
      {"model_type", family.name},
      {"hidden_size", config.hidden},
      {"num_hidden_layers", config.layers},
      {"num_attention_heads", config.heads},
      {"vocab_size", config.vocabulary},
      {"max_position_embeddings", config.context_length},
      {"tie_word_embeddings", config.tied_head},
      {"attention_dropout", 0.0},
      {"use_cache", true},
  };
  auto set = [&](std::string_view key, nlohmann::ordered_json value) { json[std::string(key)] = std::move(value); };
  set(keys.feed_forward, config.feed_forward);
  set(keys.activation, detail::activation_names(config.mlp)[0]);
  if (!keys.same_as_hidden.empty()) set(keys.same_as_hidden, config.hidden);
  for (auto const& [rule, bias] :
       {std::pair(keys.query_key_value_bias, config.query_key_value_bias),
        std::pair(keys.attention_out_bias, config.attention_out_bias), std::pair(keys.mlp_bias, config.mlp_bias)}) {
    if (rule.key.empty() ? bias != rule.otherwise : json.contains(rule.key) && json[std::string(rule.key)] != bias)
      refuse("which of its linear layers have a bias");
    if (!rule.key.empty()) set(rule.key, bias);
  }
  for (RequiredFlag const& flag : keys.required) set(flag.key, flag.value);
  for (WrittenKey const& key : keys.written) set(key.key, nlohmann::ordered_json::parse(key.json));
  if (!keys.kv_heads.empty())
    set(keys.kv_heads, config.kv_heads);
  else if (config.kv_heads != config.heads)
    refuse("fewer heads for keys and values");
  if (keys.writes_head_dim)
    set(keys.head_dim, config.head_dim);
  else if (config.head_dim * config.heads != config.hidden)
    refuse("heads of another width than hidden / heads");
  if (!keys.norm_epsilon.empty()) set(keys.norm_epsilon, detail::shortest_decimal(config.norm_epsilon));
  if (config.positions == Positions::rotary) {
    set("rope_theta", config.rope_theta);
    if (keys.default_local_rope_theta != 0)
      set("rope_local_base_freq",
          config.local_rope_theta != 0 ? config.local_rope_theta : keys.default_local_rope_theta);
    else if (config.local_rope_theta != 0)
      refuse("another theta of the layers with a window");
    set("rope_scaling", detail::rope_scaling_json(config));
    using Kind = RotaryScaling::Kind;
    Kind const kind = config.rope_scaling.kind;
    bool const allowed = keys.scalings == RotaryScalings::linear_and_llama3 || kind == Kind::none ||
                         (keys.scalings == RotaryScalings::linear && kind == Kind::linear);
    if (!allowed) refuse("such scaling of rotary embeddings");
  }
  if (family.partial_rotary)
    set("partial_rotary_factor", detail::rotary_share(config));
  else if (config.rotated_dim() != config.head_dim)
    refuse("rotary embeddings of a part of each head");
  if (family.unrotated_interval != 0) {
    std::vector<int> turned;
    for (std::size_t l = 0; l < config.layers; ++l) turned.push_back(config.rotates(l) ? 1 : 0);
    set("no_rope_layers", turned);
  } else if (!config.rotary_layers.empty()) {
    refuse("layers without rotary embeddings");
  }
  bool const windowed = config.sliding_window != 0;
  if (keys.window == WindowRule::every_layer || keys.window == WindowRule::layer_types)
    set("sliding_window", windowed ? nlohmann::ordered_json(config.sliding_window) : nullptr);
  else if (windowed)
    refuse("a sliding window");
  if (keys.window == WindowRule::layer_types) {
    std::vector<std::string_view> types;
    for (std::size_t l = 0; l < config.layers; ++l)
      types.push_back(config.window(l) != 0 ? "sliding_attention" : "full_attention");
    set("layer_types", types);
  } else if (!config.windowed_layers.empty()) {
    refuse("a sliding window in some of the layers");
  }
  if (keys.default_query_scalar != 0)
    set("query_pre_attn_scalar",
        detail::whole_number(config.query_scalar != 0 ? config.query_scalar : config.head_dim));
  else if (config.query_scalar != 0)
    refuse("a scale of attention's scores");
  for (auto const& [key, known, cap] :
       {std::tuple("attn_logit_softcapping", keys.attention_soft_cap, config.attention_soft_cap),
        std::tuple("final_logit_softcapping", keys.logit_soft_cap, config.logit_soft_cap)}) {
    if (known)
      set(key, cap != 0 ? nlohmann::ordered_json(detail::shortest_decimal(cap)) : nullptr);
    else if (cap != 0)
      refuse(std::string("what other families call ") + key);
  }
  if (config.embedding_scale != embedding_scale_of(family, config.hidden)) refuse("another scale of embeddings");
  return json;
}

}  // namespace zeroth::ZEROTH_ISA::model

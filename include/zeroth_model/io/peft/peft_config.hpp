// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/io/json_file.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The fields read from the adapter_config.json of a LoRA adapter as saved by Hugging Face PEFT.
struct PeftConfig {
  std::uint32_t rank = 0;
  double alpha = 0;
  /// Names of modules, or ends of names beginning at a dot. None if the file selects modules in another way (a regular
  /// expression, layers_to_transform, exclude_modules): the tensors then say which modules are adapted.
  std::optional<std::vector<std::string>> targets;
  std::string base_model;  ///< base_model_name_or_path; may be empty

  bool operator==(PeftConfig const&) const = default;

  /// Whether PEFT adapts the module of that name. Only with `targets`.
  [[nodiscard]] bool matches(std::string_view module) const {
    return std::any_of(targets->begin(), targets->end(),
                       [&](std::string const& target) { return module == target || module.ends_with("." + target); });
  }
};

namespace detail {

/// Keys that are read or do not affect what a saved adapter computes. Any other key might.
inline constexpr std::array<std::string_view, 23> known_peft_keys{
    "peft_type",
    "r",
    "lora_alpha",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "base_model_name_or_path",
    "bias",
    "init_lora_weights",
    "task_type",
    "peft_version",
    "revision",
    "auto_mapping",
    "inference_mode",
    "lora_dropout",
    "loftq_config",
    "eva_config",
    "corda_config",
    "lora_ga_config",
    "megatron_core",
    "qalora_group_size",
    "ensure_weight_tying",
};

/// Whether a value is one of PEFT's ways to say that a feature is unused.
inline bool is_unset(nlohmann::json const& value) {
  return value.is_null() || value == false || ((value.is_array() || value.is_object()) && value.empty());
}

/// Whether a key has a value of its own: not absent, null or empty.
inline bool is_set(JsonValue const& json, std::string_view key) {
  auto const value = json.find(key);
  return value && !is_unset(value->json());
}

}  // namespace detail

/// Reads adapter_config.json.
///
/// @throws InvalidFile naming file and key, if a key is missing or out of range, the adapter is not a LoRA, or it uses
///   what LoraAdapter lacks (rsLoRA, DoRA, ranks that differ, tuned biases, ...), including unknown keys.
[[nodiscard]] inline PeftConfig read_peft_config(JsonValue const& json) {
  if (json.get<std::string>("peft_type") != "LORA") throw json.get("peft_type").mismatch("\"LORA\"");
  for (JsonMember const& member : json.members())
    if (std::find(detail::known_peft_keys.begin(), detail::known_peft_keys.end(), member.key) ==
            detail::known_peft_keys.end() &&
        !detail::is_unset(member.value.json()))
      throw member.value.mismatch("null, false or empty: this feature is not supported");
  if (json.find<std::string>("bias").value_or("none") != "none")
    throw json.get("bias").mismatch("\"none\": tuned biases are not supported");
  if (json.find<std::string>("task_type").value_or("CAUSAL_LM") != "CAUSAL_LM")
    throw json.get("task_type").mismatch("\"CAUSAL_LM\"");
  if (auto const init = json.find("init_lora_weights"); init && !init->json().is_boolean()) {
    // The others subtract a part from the base's weights, so the adapter does not fit the base as published.
    auto const kind = init->as<std::string>();
    if (kind != "gaussian" && kind != "eva" && kind != "orthogonal")
      throw init->mismatch(
          "a boolean, \"gaussian\", \"eva\" or \"orthogonal\", which do not change the base's weights");
  }

  PeftConfig config;
  config.rank = json.get<std::uint32_t>("r");
  if (config.rank == 0 || config.rank > lora_rank_limit)
    throw json.get("r").mismatch("a rank from 1 to " + std::to_string(lora_rank_limit));
  config.alpha = json.get<double>("lora_alpha");
  if (!(config.alpha > 0) || !std::isfinite(config.alpha)) throw json.get("lora_alpha").mismatch("a number above 0");
  config.base_model = json.find<std::string>("base_model_name_or_path").value_or("");
  bool const listed = json.get("target_modules").json().is_array();
  if (listed && !detail::is_set(json, "layers_to_transform") && !detail::is_set(json, "exclude_modules"))
    config.targets = json.get_array<std::string>("target_modules");
  return config;
}

/// adapter_config.json for a new adapter, in the form that read_peft_config() reads.
/// @param config with targets
[[nodiscard]] inline nlohmann::ordered_json peft_config_json(PeftConfig const& config) {
  using Json = nlohmann::ordered_json;
  bool const whole = config.alpha == std::floor(config.alpha) && config.alpha < 1e9;
  return Json{
      {"peft_type", "LORA"},
      {"task_type", "CAUSAL_LM"},
      {"base_model_name_or_path", config.base_model.empty() ? Json(nullptr) : Json(config.base_model)},
      {"r", config.rank},
      {"lora_alpha", whole ? Json(static_cast<std::uint64_t>(config.alpha)) : Json(config.alpha)},
      {"target_modules", config.targets.value()},
      {"lora_dropout", 0.0},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"use_rslora", false},
      {"use_dora", false},
      {"rank_pattern", Json::object()},
      {"alpha_pattern", Json::object()},
      {"layers_to_transform", nullptr},
      {"layers_pattern", nullptr},
      {"modules_to_save", nullptr},
  };
}

}  // namespace zeroth::ZEROTH_ISA::model

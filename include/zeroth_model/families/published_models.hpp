// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <zeroth/error.hpp>
#include <zeroth_model/weights/decoder_config.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Models whose shape published_model() knows.
inline constexpr std::array<std::string_view, 6> published_models{"smollm2-135m", "llama-7b",   "llama-13b",
                                                                  "llama-30b",    "mistral-7b", "opt-13b"};

/// The configuration of a published model, for measurements with generated weights.
/// @throws InvalidArgument listing the known names, if there is no such name
[[nodiscard]] inline DecoderConfig published_model(std::string_view name) {
  auto llama = [](std::uint32_t layers, std::uint32_t hidden, std::uint32_t feed_forward, std::uint32_t heads) {
    DecoderConfig config;
    config.layers = layers;
    config.hidden = hidden;
    config.feed_forward = feed_forward;
    config.heads = heads;
    config.kv_heads = heads;
    config.head_dim = hidden / heads;
    config.vocabulary = 32000;
    config.context_length = 2048;
    config.norm_epsilon = 1e-6F;
    config.pairing = RotaryPairing::halves;
    return config;
  };
  if (name == "smollm2-135m") {
    DecoderConfig config = llama(30, 576, 1536, 9);
    config.kv_heads = 3;
    config.vocabulary = 49152;
    config.context_length = 8192;
    config.rope_theta = 100000;
    config.norm_epsilon = 1e-5F;
    config.tied_head = true;
    return config;
  }
  if (name == "llama-7b") return llama(32, 4096, 11008, 32);
  if (name == "llama-13b") return llama(40, 5120, 13824, 40);
  if (name == "llama-30b") return llama(60, 6656, 17920, 52);
  if (name == "mistral-7b") {
    DecoderConfig config = llama(32, 4096, 14336, 32);
    config.architecture = "mistral";
    config.kv_heads = 8;
    config.context_length = 32768;
    config.norm_epsilon = 1e-5F;
    config.sliding_window = 4096;
    return config;
  }
  if (name == "opt-13b") {
    DecoderConfig config = llama(40, 5120, 20480, 40);
    config.architecture = "opt";
    config.vocabulary = 50272;
    config.positions = Positions::learned;
    config.norm = Norm::layer;
    config.norm_epsilon = 1e-5F;
    config.mlp = Mlp::relu;
    config.query_key_value_bias = true;
    config.attention_out_bias = true;
    config.mlp_bias = true;
    config.tied_head = true;
    return config;
  }
  std::string list;
  for (std::string_view known : published_models) list += (list.empty() ? "" : ", ") + std::string(known);
  throw InvalidArgument("expected the name of a published model, one of " + list + ", found '" + std::string(name) +
                        "'");
}

}  // namespace zeroth::ZEROTH_ISA::model

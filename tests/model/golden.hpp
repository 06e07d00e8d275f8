// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "paths.hpp"
#include "zeroth/probe.hpp"
#include "zeroth_model/decoder/decoder.hpp"
#include "zeroth_model/io/gguf/load_gguf.hpp"

namespace zeroth_test {

using Tokens = std::vector<std::int32_t>;

inline constexpr std::array golden_models{"mha_tied", "gqa_separate", "gqa_odd_tied", "wide_heads", "quantized"};

/// The models under families/, each a Hugging Face folder; those in the second list also a GGUF file.
inline constexpr std::array golden_families{
    "llama3",  "llama_bias_linear", "mistral", "qwen2",  "qwen2_separate", "opt",    "opt_odd",     "qwen3",
    "smollm3", "smollm3_list",      "phi3",    "gemma2", "gemma2_types",   "gemma3", "gemma3_types"};
inline constexpr std::array golden_gguf_families{"llama3", "llama_bias_linear", "mistral", "qwen2",  "qwen2_separate",
                                                 "qwen3",  "smollm3",           "phi3",    "gemma2", "gemma3"};

inline std::string golden_file(std::string const& name) {
  return (tests_directory() / "golden" / name).string();
}

inline zeroth::model::DecoderWeights load_golden(std::string const& name) {
  return zeroth::model::load_gguf(zeroth::model::GgufFile(golden_file(name + ".gguf")));
}

struct GoldenSequence {
  Tokens tokens;
  std::vector<double> log_probs;  ///< of tokens[1], tokens[2], ...
};

inline std::vector<GoldenSequence> golden_sequences(std::string const& name) {
  std::ifstream file(golden_file(name + ".json"));
  auto const json = nlohmann::json::parse(file);
  std::vector<GoldenSequence> sequences;
  for (auto const& s : json.at("sequences"))
    sequences.push_back({s.at("tokens").get<Tokens>(), s.at("log_probs").get<std::vector<double>>()});
  return sequences;
}

/// Adds a sequence and requests the score of each of its tokens but the first.
inline void add_scored(zeroth::model::PackedBatch& batch, Tokens const& tokens) {
  std::size_t const begin = batch.rows();
  batch.add_segment(tokens);
  for (std::size_t i = 1; i < tokens.size(); ++i) batch.request(begin + i - 1, tokens[i]);
}

template <class Ops>
std::vector<double> score(zeroth::model::Decoder<Ops>& decoder, zeroth::model::PackedBatch const& batch,
                          zeroth::model::ScoreKind kind = zeroth::model::ScoreKind::log_probability) {
  std::vector<double> out(batch.requests().size());
  decoder.score(batch, kind, out);
  return out;
}

template <class Ops>
std::vector<double> score(zeroth::model::Decoder<Ops>& decoder, zeroth::model::PackedBatch const& batch,
                          zeroth::AnyProbe const& probe,
                          zeroth::model::ScoreKind kind = zeroth::model::ScoreKind::log_probability) {
  std::vector<double> out(batch.requests().size() * probe.points().size());
  decoder.score(batch, kind, probe, out);
  return out;
}

}  // namespace zeroth_test

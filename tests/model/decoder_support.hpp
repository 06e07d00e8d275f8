// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "paths.hpp"
#include "zeroth/model/decoder.hpp"
#include "zeroth/model/load_gguf.hpp"
#include "zeroth/model/ops_cpu.hpp"
#include "zeroth/probe.hpp"

namespace zeroth_test {

using CpuDecoder = zeroth::model::Decoder<zeroth::model::CpuOps>;
using Tokens = std::vector<std::int32_t>;

inline constexpr std::array golden_models{"mha_tied", "gqa_separate", "gqa_odd_tied", "wide_heads", "quantized"};

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

/// Adds a sequence and asks for the score of each of its tokens but the first.
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
  std::vector<double> out(batch.requests().size() * probe.lanes().size());
  decoder.score(batch, kind, probe, out);
  return out;
}

/// A probe whose noise is a hash of (sample, stream, index), so that tests need none of the optimizer.
class HashProbe {
 public:
  HashProbe(zeroth::ParameterSet const& parameters, std::vector<zeroth::Lane> lanes, float epsilon)
      : parameters_(parameters), lanes_(std::move(lanes)), epsilon_(epsilon) {}

  [[nodiscard]] std::span<zeroth::Lane const> lanes() const { return lanes_; }
  [[nodiscard]] std::uint64_t step() const { return 0; }
  [[nodiscard]] std::uint32_t micro_batch() const { return 0; }

  [[nodiscard]] float value(zeroth::Lane lane, std::size_t parameter, std::uint64_t index) const {
    zeroth::Parameter const& p = parameters_[parameter];
    std::uint64_t h = (index + 1) * 0x9e3779b97f4a7c15ULL + p.stream * 0xbf58476d1ce4e5b9ULL + lane.sample * 77777ULL;
    h = (h ^ (h >> 29)) * 0x94d049bb133111ebULL;
    h ^= h >> 32;
    float const noise = static_cast<float>(h & 0xffff) / 32768.0F - 1.0F;
    return static_cast<float const*>(p.data)[index] + static_cast<float>(lane.sign) * epsilon_ * noise;
  }

  void expand(std::size_t parameter, std::uint64_t first, std::uint64_t count, std::span<float* const> panels) const {
    for (std::size_t k = 0; k < lanes_.size(); ++k)
      for (std::uint64_t i = 0; i < count; ++i) panels[k][i] = value(lanes_[k], parameter, first + i);
  }

 private:
  zeroth::ParameterSet const& parameters_;
  std::vector<zeroth::Lane> lanes_;
  float epsilon_;
};

/// Weights in memory of their own, as lane `lane` of `probe` sees them.
inline zeroth::model::DecoderWeights perturbed(zeroth::model::DecoderWeights const& weights, HashProbe const& probe,
                                               zeroth::Lane lane) {
  zeroth::model::DecoderWeights copy(weights.config());
  for (std::size_t p = 0; p < weights.parameters().size(); ++p)
    for (std::size_t i = 0; i < copy.values(p).size(); ++i) copy.values(p)[i] = probe.value(lane, p, i);
  return copy;
}

}  // namespace zeroth_test

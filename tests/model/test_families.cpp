// SPDX-License-Identifier: MIT
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "zeroth/model/ops_eigen.hpp"

using namespace zeroth_test;
using zeroth::Lane;
using zeroth::model::DecoderWeights;
using zeroth::model::PackedBatch;
using zeroth::model::RotaryScaling;
using EigenDecoder = zeroth::model::Decoder<zeroth::model::EigenOps>;

namespace {

constexpr std::array gguf_families{"llama3", "llama_bias_linear", "mistral", "qwen2", "qwen2_separate"};

DecoderWeights load_family_gguf(std::string const& name) {
  return zeroth::model::load_gguf(zeroth::model::GgufFile(golden_file("families/" + name + "/model.gguf")));
}

template <class Decoder>
void check_log_probabilities(std::string const& name, DecoderWeights const& weights) {
  Decoder decoder(weights);
  auto const sequences = golden_sequences("families/" + name + "/golden");
  REQUIRE(sequences.size() == 5);
  for (GoldenSequence const& sequence : sequences) {
    PackedBatch batch;
    add_scored(batch, sequence.tokens);
    auto const found = score(decoder, batch);
    REQUIRE(found.size() == sequence.log_probs.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO(name << ", token " << i + 1 << " of " << sequence.tokens.size());
      CHECK(found[i] == Approx(sequence.log_probs[i]).margin(1e-4));
    }
  }
}

template <class Decoder>
void check_lanes(std::string const& name, DecoderWeights const& weights) {
  std::vector<Lane> const lanes{{0, 1}, {0, -1}, {3, 1}};
  HashProbe const probe(weights.parameters(), lanes, 1e-2F);
  Decoder decoder(weights);
  PackedBatch batch;
  for (GoldenSequence const& sequence : golden_sequences("families/" + name + "/golden"))
    add_scored(batch, sequence.tokens);
  auto const found = score(decoder, batch, probe);
  for (std::size_t k = 0; k < lanes.size(); ++k) {
    INFO(name << ", lane " << k);
    DecoderWeights const moved = perturbed(weights, probe, lanes[k]);
    Decoder reference(moved);
    auto const expected = score(reference, batch);
    CHECK(
        std::equal(expected.begin(), expected.end(), found.begin() + static_cast<std::ptrdiff_t>(k * expected.size())));
  }
}

}  // namespace

TEST_CASE("GGUF files of each family score as Hugging Face transformers does") {
  for (std::string name : gguf_families) {
    DecoderWeights const weights = load_family_gguf(name);
    check_log_probabilities<CpuDecoder>(name, weights);
    check_log_probabilities<EigenDecoder>(name, weights);
  }
}

TEST_CASE("each lane of a probe over each family is plain inference on perturbed weights, to the bit") {
  for (std::string name : gguf_families) {
    DecoderWeights const weights = load_family_gguf(name);
    check_lanes<CpuDecoder>(name, weights);
    check_lanes<EigenDecoder>(name, weights);
  }
}

TEST_CASE("a sliding window hides what lies further back") {
  DecoderWeights const weights = load_family_gguf("mistral");
  REQUIRE(weights.config().sliding_window == 9);
  CpuDecoder decoder(weights);
  // With two layers a row depends on the last 2 * (9 - 1) rows before it and on none further back.
  Tokens tokens;
  for (std::int32_t i = 0; i < 40; ++i) tokens.push_back(i * 7 % 97);
  auto last_score = [&](Tokens const& changed) {
    PackedBatch batch;
    batch.add_segment(changed);
    batch.request(39, 5);
    return score(decoder, batch)[0];
  };
  double const expected = last_score(tokens);
  for (std::size_t back : {17U, 20U, 39U}) {
    Tokens changed = tokens;
    changed[39 - back] = 96;
    CHECK(last_score(changed) == expected);
  }
  for (std::size_t back : {16U, 9U, 1U}) {
    Tokens changed = tokens;
    changed[39 - back] = 96;
    CHECK(last_score(changed) != expected);
  }
}

// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "executors.hpp"
#include "zeroth/model/ops_eigen.hpp"

using namespace zeroth_test;
using zeroth::Lane;
using zeroth::model::DecoderWeights;
using zeroth::model::EigenOps;
using zeroth::model::PackedBatch;
using zeroth::model::ScoreKind;
using EigenDecoder = zeroth::model::Decoder<EigenOps>;

namespace {

/// Every sequence of a golden model, and the log-probabilities that are to come out.
struct GoldenBatch {
  PackedBatch batch;
  std::vector<double> log_probs;
};

GoldenBatch golden_batch(std::string const& name) {
  GoldenBatch golden;
  for (GoldenSequence const& sequence : golden_sequences(name)) {
    add_scored(golden.batch, sequence.tokens);
    golden.log_probs.insert(golden.log_probs.end(), sequence.log_probs.begin(), sequence.log_probs.end());
  }
  return golden;
}

}  // namespace

TEST_CASE("Eigen's set gives the golden log-probabilities of Hugging Face transformers") {
  for (std::string name : golden_models) {
    INFO(name);
    DecoderWeights const weights = load_golden(name);
    EigenDecoder decoder(weights);
    GoldenBatch const golden = golden_batch(name);
    auto const found = score(decoder, golden.batch);
    REQUIRE(found.size() == golden.log_probs.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(golden.log_probs[i]).margin(1e-4));
  }
}

TEST_CASE("each lane of a probe through Eigen's set is plain inference on perturbed weights, to the bit") {
  std::vector<Lane> const lanes{{0, 1}, {0, -1}, {0, 0}, {3, 1}};
  for (std::string name : golden_models) {
    DecoderWeights const weights = load_golden(name);
    HashProbe const probe(weights.parameters(), lanes, 1e-2F);
    EigenDecoder decoder(weights);
    GoldenBatch const golden = golden_batch(name);
    for (ScoreKind kind : {ScoreKind::log_probability, ScoreKind::logit}) {
      auto const found = score(decoder, golden.batch, probe, kind);
      for (std::size_t k = 0; k < lanes.size(); ++k) {
        INFO(name << ", lane " << k);
        DecoderWeights const moved = perturbed(weights, probe, lanes[k]);
        EigenDecoder reference(moved);
        auto const expected = score(reference, golden.batch, kind);
        CHECK(std::equal(expected.begin(), expected.end(),
                         found.begin() + static_cast<std::ptrdiff_t>(k * expected.size())));
      }
    }
  }
}

TEST_CASE("Eigen's set gives the same bits whatever the executor does") {
  DecoderWeights const weights = load_golden("gqa_separate");
  HashProbe const probe(weights.parameters(), {{0, 1}, {0, -1}}, 1e-2F);
  GoldenBatch const golden = golden_batch("gqa_separate");
  ShuffledExecutor shuffled;
  ThreadExecutor threads;
  EigenDecoder serial(weights);
  EigenDecoder reordered(weights, EigenOps(shuffled));
  EigenDecoder threaded(weights, EigenOps(threads));
  auto const expected = score(serial, golden.batch, probe);
  CHECK(score(reordered, golden.batch, probe) == expected);
  CHECK(score(threaded, golden.batch, probe) == expected);
  CHECK(score(serial, golden.batch, probe) == expected);  // the workspace keeps nothing from call to call
}

TEST_CASE("Eigen's set agrees with the vector code on continuations of a shared prompt") {
  for (std::string name : golden_models) {
    DecoderWeights const weights = load_golden(name);
    PackedBatch batch;
    batch.add_segment(Tokens{5, 6});  // so that the prompt does not begin at row 0
    Tokens prompt;
    for (std::int32_t i = 0; i < 70; ++i) prompt.push_back(7 * i % 250);  // longer than a group of queries
    std::size_t const begin = batch.rows();
    std::size_t const segment = batch.add_segment(prompt);
    for (Tokens const& ending : {Tokens{1, 2, 3}, Tokens{200}}) {
      std::size_t const first = batch.rows();
      batch.add_segment(ending, segment);
      batch.request(begin + prompt.size() - 1, ending[0]);
      for (std::size_t i = 0; i < ending.size(); ++i) batch.request(first + i, 42);
    }
    EigenDecoder eigen(weights);
    CpuDecoder cpu(weights);
    auto const found = score(eigen, batch);
    auto const expected = score(cpu, batch);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-4));
  }
}

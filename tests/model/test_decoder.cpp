// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>

#include <zeroth/executor/thread_pool.hpp>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "executors.hpp"

using namespace zeroth_test;
using zeroth::InstructionSet;
using zeroth::Point;
using zeroth::model::CpuOps;
using zeroth::model::DecoderWeights;
using zeroth::model::PackedBatch;
using zeroth::model::ScoreKind;

TEST_CASE("log-probabilities of the golden models are those of Hugging Face transformers") {
  for (std::string name : golden_models) {
    INFO(name);
    DecoderWeights const weights = load_golden(name);
    CpuDecoder decoder(weights);
    auto const sequences = golden_sequences(name);
    REQUIRE(sequences.size() >= 8);
    for (GoldenSequence const& sequence : sequences) {
      PackedBatch batch;
      add_scored(batch, sequence.tokens);
      auto const found = score(decoder, batch);
      REQUIRE(found.size() == sequence.log_probs.size());
      for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(sequence.log_probs[i]).margin(1e-4));
    }
  }
}

TEST_CASE("a sequence scores the same to the bit by itself and packed among others") {
  for (std::string name : golden_models) {
    DecoderWeights const weights = load_golden(name);
    CpuDecoder decoder(weights);
    PackedBatch all;
    std::vector<double> alone;
    for (GoldenSequence const& sequence : golden_sequences(name)) {
      PackedBatch one;
      add_scored(one, sequence.tokens);
      for (double value : score(decoder, one)) alone.push_back(value);
      add_scored(all, sequence.tokens);
    }
    CHECK(score(decoder, all) == alone);
  }
}

TEST_CASE("continuations score the same to the bit with a shared prompt and with their own") {
  for (std::string name : golden_models) {
    DecoderWeights const weights = load_golden(name);
    CpuDecoder decoder(weights);
    for (std::size_t prompt_length : {1U, 15U, 16U, 17U, 40U}) {
      Tokens prompt;
      for (std::size_t i = 0; i < prompt_length; ++i) prompt.push_back(static_cast<std::int32_t>(7 * i % 250));
      std::vector<Tokens> const endings{{1, 2, 3}, {200}, {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}};
      PackedBatch shared;
      PackedBatch whole;
      shared.add_segment(Tokens{5, 6});  // so that the prompt does not begin at row 0
      std::size_t const begin = shared.rows();
      std::size_t const segment = shared.add_segment(prompt);
      for (Tokens const& ending : endings) {
        std::size_t const first = shared.rows();
        shared.add_segment(ending, segment);
        shared.request(begin + prompt_length - 1, ending[0]);
        for (std::size_t i = 0; i < ending.size(); ++i) shared.request(first + i, 42);

        Tokens both = prompt;
        both.insert(both.end(), ending.begin(), ending.end());
        std::size_t const row = whole.rows();
        whole.add_segment(both);
        whole.request(row + prompt_length - 1, ending[0]);
        for (std::size_t i = 0; i < ending.size(); ++i) whole.request(row + prompt_length + i, 42);
      }
      INFO(name << ", prompt of " << prompt_length);
      CHECK(score(decoder, shared) == score(decoder, whole));
    }
  }
}

TEST_CASE("each lane of a probe scores as a plain decoder on perturbed weights, to the bit") {
  std::vector<Point> const lanes{{0, 1}, {0, -1}, {0, 0}, {3, 1}};
  for (std::string name : golden_models) {
    DecoderWeights const weights = load_golden(name);
    HashProbe const probe(weights.parameters(), lanes, 1e-2F);
    CpuDecoder decoder(weights);
    PackedBatch batch;
    for (GoldenSequence const& sequence : golden_sequences(name)) add_scored(batch, sequence.tokens);
    for (ScoreKind kind : {ScoreKind::log_probability, ScoreKind::logit}) {
      auto const found = score(decoder, batch, probe, kind);
      auto const plain = score(decoder, batch, kind);
      for (std::size_t k = 0; k < lanes.size(); ++k) {
        INFO(name << ", lane " << k);
        DecoderWeights const moved = perturbed(weights, probe, lanes[k]);
        CpuDecoder reference(moved);
        auto const expected = score(reference, batch, kind);
        std::vector<double> const lane(found.begin() + static_cast<std::ptrdiff_t>(k * plain.size()),
                                       found.begin() + static_cast<std::ptrdiff_t>((k + 1) * plain.size()));
        CHECK(lane == expected);
        CHECK((lane == plain) == (lanes[k].sign == 0));
      }
    }
  }
}

TEST_CASE("scores have the same bits whatever the executor does") {
  DecoderWeights const weights = load_golden("gqa_separate");
  HashProbe const probe(weights.parameters(), {{0, 1}, {0, -1}}, 1e-2F);
  PackedBatch batch;
  for (GoldenSequence const& sequence : golden_sequences("gqa_separate")) add_scored(batch, sequence.tokens);
  ShuffledExecutor shuffled;
  zeroth::ThreadPool threads(4);
  CpuDecoder serial(weights);
  CpuDecoder reordered(weights, CpuOps(shuffled));
  CpuDecoder threaded(weights, CpuOps(threads));
  auto const expected = score(serial, batch, probe);
  CHECK(score(reordered, batch, probe) == expected);
  for (int i = 0; i < 3; ++i) CHECK(score(threaded, batch, probe) == expected);
  CHECK(score(serial, batch, probe) == expected);  // the workspace carries nothing over from call to call
}

TEST_CASE("every vector code gives the same bits, and the portable code the same within rounding") {
  DecoderWeights const weights = load_golden("gqa_odd_tied");
  PackedBatch batch;
  for (GoldenSequence const& sequence : golden_sequences("gqa_odd_tied")) add_scored(batch, sequence.tokens);
  CpuDecoder portable(weights, CpuOps({}, InstructionSet::portable));
  auto const expected = score(portable, batch);
  std::vector<double> fused;
  for (InstructionSet set : {InstructionSet::avx2, InstructionSet::avx512, InstructionSet::neon}) {
    if (!is_supported(set)) {
      CHECK_THROWS_WITH(CpuOps({}, set), contains_text("does not support the instruction set"));
      continue;
    }
    CpuDecoder decoder(weights, CpuOps({}, set));
    auto const found = score(decoder, batch);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-4));
    if (!fused.empty()) CHECK(found == fused);
    fused = found;
  }
}

TEST_CASE("logits differ from log-probabilities by one number a row") {
  DecoderWeights const weights = load_golden("mha_tied");
  CpuDecoder decoder(weights);
  PackedBatch batch;
  batch.add_segment(Tokens{3, 1, 4, 1, 5});
  for (std::size_t row : {4U, 1U})
    for (std::int32_t token : {9, 2, 6, 258, 0, 2}) batch.request(row, token);
  auto const logits = score(decoder, batch, ScoreKind::logit);
  auto const log_probabilities = score(decoder, batch, ScoreKind::log_probability);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    std::size_t const first = i / 6 * 6;
    CHECK(logits[i] - logits[first] == Approx(log_probabilities[i] - log_probabilities[first]).margin(1e-6));
  }
  CHECK(logits[0] - log_probabilities[0] != Approx(logits[6] - log_probabilities[6]).margin(1e-3));
}

TEST_CASE("probabilities of all tokens add up to one") {
  DecoderWeights const weights = load_golden("quantized");
  CpuDecoder decoder(weights);
  PackedBatch batch;
  batch.add_segment(Tokens{8, 250, 17});
  for (std::int32_t token = 0; token < 259; ++token) batch.request(2, token);
  double sum = 0;
  for (double value : score(decoder, batch)) sum += std::exp(value);
  CHECK(sum == Approx(1).margin(1e-5));
}

TEST_CASE("rows too long for one tile, and widths that the cache maps to one set, are multiplied right") {
  // Widths of 1024 take the padded panels, and 25 rows of a tile leave remainders of 12, 6 and 3.
  zeroth::model::DecoderConfig config;
  config.layers = 1;
  config.hidden = 1024;
  config.feed_forward = 1024;
  config.heads = 5;
  config.kv_heads = 5;
  config.head_dim = 10;
  config.vocabulary = 61;
  config.context_length = 64;
  DecoderWeights weights(config);
  for (std::size_t p = 0; p < weights.parameters().size(); ++p)
    for (std::size_t i = 0; i < weights.values(p).size(); ++i)
      weights.values(p)[i] = static_cast<float>((i * 2654435761U + p * 97) % 1000) / 16000.0F - 0.03F;
  HashProbe const probe(weights.parameters(), {{0, 1}, {0, -1}}, 1e-2F);
  PackedBatch batch;
  Tokens tokens;
  for (std::int32_t i = 0; i < 37; ++i) tokens.push_back(i * 7 % 61);
  add_scored(batch, tokens);
  CpuDecoder decoder(weights);
  auto const found = score(decoder, batch, probe);
  for (std::size_t k = 0; k < 2; ++k) {
    DecoderWeights const moved = perturbed(weights, probe, probe.points()[k]);
    CpuDecoder reference(moved);
    auto const expected = score(reference, batch);
    CHECK(std::equal(expected.begin(), expected.end(), found.begin() + static_cast<std::ptrdiff_t>(k * 36)));
    CpuDecoder portable(moved, CpuOps({}, InstructionSet::portable));
    auto const other = score(portable, batch);
    for (std::size_t i = 0; i < other.size(); ++i) CHECK(other[i] == Approx(expected[i]).margin(1e-4));
  }
}

TEST_CASE("weights that are not finite give scores that are not finite") {
  DecoderWeights weights = load_golden("mha_tied");
  weights.values(weights.tensors().layers[0].down.weight)[0] = std::numeric_limits<float>::quiet_NaN();
  CpuDecoder decoder(weights);
  PackedBatch batch;
  add_scored(batch, {1, 2, 3});
  for (double value : score(decoder, batch)) CHECK(std::isnan(value));
}

TEST_CASE("a batch that does not fit the model is rejected") {
  DecoderWeights const weights = load_golden("mha_tied");
  CpuDecoder decoder(weights);
  auto refused = [&](Tokens const& tokens, std::int32_t asked, std::size_t outputs) {
    PackedBatch batch;
    batch.add_segment(tokens);
    batch.request(0, asked);
    std::vector<double> out(outputs);
    try {
      decoder.score(batch, ScoreKind::logit, out);
    } catch (zeroth::InvalidArgument const& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(refused({1, 2}, 3, 1) == "accepted");
  CHECK(refused({1, 259}, 3, 1) == "token 259 is outside the vocabulary of 259");
  CHECK(refused({1, 2}, -1, 1) == "token -1 is outside the vocabulary of 259");
  CHECK(refused({1, 2}, 3, 2) == "decoder output must have 1 elements, got 2");
  CHECK(refused(Tokens(128, 1), 3, 1) == "accepted");
  CHECK(refused(Tokens(129, 1), 3, 1) == "a sequence of 129 tokens is longer than the model's context of 128");

  PackedBatch batch;
  CHECK_THROWS_WITH(batch.add_segment(Tokens{}), "segment 0 has no tokens");
  CHECK_THROWS_WITH(batch.add_segment(Tokens{1}, 0), contains_text("its prefix, segment 0, must be an earlier one"));
  batch.add_segment(Tokens{1});
  batch.add_segment(Tokens{1}, 0);
  CHECK_THROWS_WITH(batch.add_segment(Tokens{1}, 1), contains_text("that has no prefix itself"));
  CHECK_THROWS_WITH(batch.request(2, 1), contains_text("row 2 is not below the number of rows, 2"));
}

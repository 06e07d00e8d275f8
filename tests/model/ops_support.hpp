// SPDX-License-Identifier: MIT
// Requirements on every set of operations.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "executors.hpp"
#include "zeroth/executor.hpp"
#include "zeroth/executor/thread_pool.hpp"
#include "zeroth_model/ops/eigen/lane_matrix.hpp"

namespace zeroth_test {

/// The largest relative error of a number that is rounded to bf16, which has 8 bits of significand.
inline constexpr double bf16_roundoff = 0x1p-8;

/// How far log-probabilities and logits of the golden models may be off if factors are rounded to bf16. They are as
/// large as 13, and result from up to a dozen products with two roundings each: errors of up to 13 * 2^-8 = 0.05, half
/// of that on average and of either sign. 24 of these add up to about 0.13, and to little more than twice that in the
/// worst of a thousand numbers. One wrong block or lane is off by several units.
inline constexpr double bf16_margin = 0.3;

/// Every sequence of a golden model, and the expected log-probabilities.
struct GoldenBatch {
  zeroth::model::PackedBatch batch;
  std::vector<double> log_probs;
};

inline GoldenBatch golden_batch(std::string const& name) {
  GoldenBatch golden;
  for (GoldenSequence const& sequence : golden_sequences(name)) {
    add_scored(golden.batch, sequence.tokens);
    golden.log_probs.insert(golden.log_probs.end(), sequence.log_probs.begin(), sequence.log_probs.end());
  }
  return golden;
}

/// Checks the golden models' log-probabilities, each within `margin`. `make(executor)` makes the operations, here and
/// below.
template <class Make>
void check_golden(Make const& make, double margin) {
  for (std::string name : golden_models) {
    INFO(name);
    zeroth::model::DecoderWeights const weights = load_golden(name);
    zeroth::model::Decoder decoder(weights, make(zeroth::AnyExecutor{}));
    GoldenBatch const golden = golden_batch(name);
    auto const found = score(decoder, golden.batch);
    REQUIRE(found.size() == golden.log_probs.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(golden.log_probs[i]).margin(margin));
  }
}

/// Checks that each lane of a probe is plain inference on perturbed weights, to the bit.
template <class Make>
void check_lanes(Make const& make) {
  using zeroth::model::ScoreKind;
  std::vector<zeroth::Point> const lanes{{0, 1}, {0, -1}, {0, 0}, {3, 1}};
  for (std::string name : golden_models) {
    zeroth::model::DecoderWeights const weights = load_golden(name);
    HashProbe const probe(weights.parameters(), lanes, 1e-2F);
    zeroth::model::Decoder decoder(weights, make(zeroth::AnyExecutor{}));
    GoldenBatch const golden = golden_batch(name);
    for (ScoreKind kind : {ScoreKind::log_probability, ScoreKind::logit}) {
      auto const found = score(decoder, golden.batch, probe, kind);
      for (std::size_t k = 0; k < lanes.size(); ++k) {
        INFO(name << ", lane " << k);
        zeroth::model::DecoderWeights const moved = perturbed(weights, probe, lanes[k]);
        zeroth::model::Decoder reference(moved, make(zeroth::AnyExecutor{}));
        auto const expected = score(reference, golden.batch, kind);
        CHECK(std::equal(expected.begin(), expected.end(),
                         found.begin() + static_cast<std::ptrdiff_t>(k * expected.size())));
      }
    }
  }
}

/// Checks that the bits do not depend on the executor.
template <class Make>
void check_executors(Make const& make) {
  zeroth::model::DecoderWeights const weights = load_golden("gqa_separate");
  HashProbe const probe(weights.parameters(), {{0, 1}, {0, -1}}, 1e-2F);
  GoldenBatch const golden = golden_batch("gqa_separate");
  ShuffledExecutor shuffled;
  zeroth::ThreadPool threads(4);
  zeroth::model::Decoder serial(weights, make(zeroth::AnyExecutor{}));
  zeroth::model::Decoder reordered(weights, make(zeroth::AnyExecutor(shuffled)));
  zeroth::model::Decoder threaded(weights, make(zeroth::AnyExecutor(threads)));
  auto const expected = score(serial, golden.batch, probe);
  CHECK(score(reordered, golden.batch, probe) == expected);
  CHECK(score(threaded, golden.batch, probe) == expected);
  CHECK(score(serial, golden.batch, probe) == expected);  // the workspace carries nothing over from call to call
}

/// Checks that the set agrees with the f32 vector code on continuations of a shared prompt, within `margin`.
template <class Make>
void check_continuations(Make const& make, double margin) {
  for (std::string name : golden_models) {
    zeroth::model::DecoderWeights const weights = load_golden(name);
    zeroth::model::PackedBatch batch;
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
    zeroth::model::Decoder decoder(weights, make(zeroth::AnyExecutor{}));
    CpuDecoder cpu(weights);
    for (auto kind : {zeroth::model::ScoreKind::log_probability, zeroth::model::ScoreKind::logit}) {
      auto const found = score(decoder, batch, kind);
      auto const expected = score(cpu, batch, kind);
      for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(margin));
    }
  }
}

inline float& at(zeroth::model::LaneMatrix& matrix, std::size_t row, std::size_t feature) {
  return matrix.row(0, row)[feature];
}
inline float& at(zeroth::model::Activations& matrix, std::size_t row, std::size_t feature) {
  constexpr std::size_t block = zeroth::model::cpu::block_tokens;
  return matrix.block(0, row / block)[feature * block + row % block];
}

/// Checks that products are as accurate as their roundings allow: both factors by `roundoff`, and f32 sums.
template <class Ops>
void check_products(Ops ops, double roundoff) {
  for (std::size_t columns : {1U, 7U, 64U, 577U, 1024U, 2048U}) {
    for (std::size_t rows : {1U, 3U, 65U}) {
      INFO(rows << " rows, " << columns << " columns");
      constexpr std::size_t tokens = 33;
      std::vector<float> weights(rows * columns);
      for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = std::sin(0.7F * static_cast<float>(i) + 0.3F);
      zeroth::ParameterSet parameters;
      parameters.add({.name = "w", .shape = {rows, columns}, .data = weights.data()});
      typename Ops::Matrix in;
      in.resize(1, tokens, columns);
      for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t c = 0; c < columns; ++c)
          at(in, t, c) = std::cos(1.1F * static_cast<float>(t * columns + c) + 0.2F);
      typename Ops::Matrix out;
      std::vector const projections{zeroth::model::Projection<typename Ops::Matrix>{{0}, out}};
      std::vector const tensors = zeroth::model::weight_tensors(parameters);
      ops.linear({tensors}, in, projections);
      double const bound = 2 * roundoff + roundoff * roundoff + static_cast<double>(columns + 1) * 0x1p-24;
      for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t r = 0; r < rows; ++r) {
          double exact = 0;
          double magnitude = 0;
          for (std::size_t c = 0; c < columns; ++c) {
            double const product = static_cast<double>(at(in, t, c)) * static_cast<double>(weights[r * columns + c]);
            exact += product;
            magnitude += std::abs(product);
          }
          REQUIRE(std::abs(static_cast<double>(at(out, t, r)) - exact) <= bound * magnitude);
        }
      }
    }
  }
}

}  // namespace zeroth_test

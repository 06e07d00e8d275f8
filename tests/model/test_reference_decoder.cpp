// SPDX-License-Identifier: MIT
// The f64 decoder from which the benchmarks take gradients.

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth_model/weights/random_weights.hpp>

#include "../../bench/quality/reference_decoder.hpp"
#include "catch.hpp"
#include "decoder_support.hpp"

namespace {

using zeroth_bench::ReferenceDecoder;

TEST_CASE("the reference decoder of the benchmarks has the golden log-probabilities") {
  for (char const* name : zeroth_test::golden_models) {
    ReferenceDecoder const decoder(zeroth_test::load_golden(name));
    for (zeroth_test::GoldenSequence const& sequence : zeroth_test::golden_sequences(name)) {
      std::vector<double> const found = decoder.log_probabilities(sequence.tokens);
      REQUIRE(found.size() == sequence.log_probs.size());
      double largest = 0;
      for (std::size_t i = 0; i < found.size(); ++i)
        largest = std::max(largest, std::abs(found[i] - sequence.log_probs[i]));
      INFO(name << ": " << largest << " off");
      // The golden values are f32: transformers' own differ from the decoder's by as much.
      CHECK(largest < 1e-4);
    }
  }
}

TEST_CASE("its gradient by central differences predicts the loss nearby") {
  zeroth::model::DecoderConfig config = zeroth_test::load_golden("gqa_odd_tied").config();
  // Each weight takes two losses in f64.
  config.layers = 1;
  config.hidden = 16;
  config.feed_forward = 24;
  config.vocabulary = 12;
  zeroth::model::DecoderWeights weights(config);
  zeroth::model::fill_random(weights, zeroth::CpuBackend{}, 1);
  std::vector<ReferenceDecoder::Tokens> const texts = {{1, 2, 3, 4, 5}, {6, 7, 8}};
  ReferenceDecoder moved(weights);
  std::vector<double> const g = moved.gradient(texts, 2e-5, {});
  double const before = moved.loss(texts);
  double squared = 0;
  for (double slope : g) squared += slope * slope;
  constexpr double step = 1e-4;
  std::size_t at = 0;
  for (std::vector<double>& tensor : moved.weights())
    for (double& weight : tensor) weight -= step * g[at++];
  // Down the gradient by |step g|; the contribution of the curvature is of the order of the step.
  CHECK((before - moved.loss(texts)) / (step * squared) == Approx(1).epsilon(0.02));
}

}  // namespace

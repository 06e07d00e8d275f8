// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "golden.hpp"
#include "host_products.hpp"
#include "zeroth/mask/magnitude.hpp"
#include "zeroth/optimizer.hpp"
#include "zeroth/sampler/gaussian.hpp"
#include "zeroth_model/io/hugging_face/load_hugging_face.hpp"

namespace zeroth_test {

/// The results of steps on a model.
struct StepResult {
  std::vector<double> scores;
  std::vector<std::byte> weights;
  bool operator==(StepResult const&) const = default;
};

/// Takes steps of CUDA's set on a family's model and one batch, with each kind of score in turn and plain scores
/// between them; the larger matrices take more than one panel.
template <class Stream, class Products>
StepResult run_steps(std::string const& name, zeroth::DataType stored, zeroth::DataType computed, Stream const& stream,
                     Products const& products, std::size_t steps = 2) {
  zeroth::model::DecoderWeights const weights =
      zeroth::model::load_hugging_face(std::filesystem::path(golden_file("families/" + name)), stored);
  zeroth::model::PackedBatch batch;
  for (GoldenSequence const& sequence : golden_sequences("families/" + name + "/golden"))
    if (batch.rows() < 30) add_scored(batch, sequence.tokens);
  zeroth::model::Decoder decoder(weights,
                                 zeroth::model::cuda::BasicOps<Stream, Products>(
                                     stream, products, {.dtype = computed, .panel_bytes = 6000, .logits_bytes = 5000}));
  zeroth::cuda::BasicBackend<Stream> const backend(stream);
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75},
                                         backend, zeroth::Sgd{}, zeroth::CentralDifference{},
                                         {.epsilon = 1e-2F, .learning_rate = 1e-3});
  StepResult result;
  auto keep = [&](std::vector<double> const& scores) {
    result.scores.insert(result.scores.end(), scores.begin(), scores.end());
  };
  for (std::size_t step = 0; step < steps; ++step) {
    auto const kind = step % 2 == 0 ? zeroth::model::ScoreKind::log_probability : zeroth::model::ScoreKind::logit;
    optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
      keep(score(decoder, batch, probe, kind));
      for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = static_cast<double>(k);
    });
    keep(score(decoder, batch, kind));
  }
  backend.synchronize();
  result.weights.assign(weights.memory().begin(), weights.memory().end());
  return result;
}

}  // namespace zeroth_test

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/executor.hpp>
#include <zeroth_model/decoder/decoder.hpp>
#include <zeroth_model/decoder/scoring.hpp>
#include <zeroth_model/ops/cpu.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

#include "function.hpp"
#include "reference_decoder.hpp"

namespace zeroth_bench {

/// A small decoder of the LLaMA family with random weights: matrices normal with variance 1 / inputs, gains about 1.
[[nodiscard]] inline zeroth::model::DecoderWeights random_decoder(std::uint32_t hidden, std::uint32_t layers) {
  zeroth::model::DecoderConfig config;
  config.layers = layers;
  config.hidden = hidden;
  config.feed_forward = 2 * hidden;
  config.head_dim = 8;
  config.heads = hidden / config.head_dim;
  config.kv_heads = std::max(1U, config.heads / 2);
  config.vocabulary = 48;
  config.context_length = 32;
  config.tied_head = true;
  zeroth::model::DecoderWeights weights(config);
  for (std::size_t t = 0; t < weights.parameters().size(); ++t) {
    zeroth::Parameter const& p = weights.parameters()[t];
    std::vector<double> const z = normal_values(static_cast<std::size_t>(p.size()), 100 + t);
    bool const gain = p.role == zeroth::Role::vector;
    double const scale = gain ? 0.1 : 1 / std::sqrt(static_cast<double>(p.shape.columns));
    std::span<float> const values = weights.values(t);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((gain ? 1 : 0) + scale * z[i]);
  }
  return weights;
}

/// The loss of that decoder on random texts, computed as for the optimizer (zeroth::model::Decoder, f32), with a
/// gradient from the f64 reference.
class DecoderFunction : public Function {
 public:
  /// Width of the central differences; their error, a third of the change from doubling it, is 5e-9 of the gradient
  /// there.
  static constexpr double difference_width = 2e-5;

  DecoderFunction(std::uint32_t hidden, std::uint32_t layers, zeroth::AnyExecutor executor)
      : weights_(random_decoder(hidden, layers)),
        decoder_(weights_),
        scorer_(decoder_, {.loss = zeroth::model::Loss::language_model}),
        executor_(executor) {
    constexpr std::size_t text_count = 4;
    constexpr std::size_t length = 13;
    for (std::size_t t = 0; t < text_count; ++t) {
      ReferenceDecoder::Tokens text;
      for (std::size_t i = 0; i < length; ++i)
        text.push_back(
            static_cast<std::int32_t>(zeroth::draw_example(5, 0, t * length + i, weights_.config().vocabulary)));
      examples_.push_back({{text[0]}, {{text.begin() + 1, text.end()}}, 0});
      texts_.push_back(std::move(text));
    }
  }

  [[nodiscard]] zeroth::ParameterSet const& parameters() const override { return weights_.parameters(); }
  void losses(zeroth::AnyProbe const& probe, std::span<double> out) override {
    std::ranges::copy(scorer_.score(examples_, probe).losses, out.begin());
  }
  /// Computed once, at the weights of the first call.
  [[nodiscard]] std::vector<double> gradient() const override {
    if (gradient_.empty()) gradient_ = gradient(difference_width);
    return gradient_;
  }
  [[nodiscard]] std::vector<double> gradient(double width) const {
    return ReferenceDecoder(weights_).gradient(texts_, width, executor_);
  }

  /// The loss at the current weights, by the decoder and by the reference.
  [[nodiscard]] double loss() { return scorer_.score(examples_).losses[0]; }
  [[nodiscard]] double reference_loss() const { return ReferenceDecoder(weights_).loss(texts_); }

 private:
  zeroth::model::DecoderWeights weights_;
  zeroth::model::Decoder<zeroth::model::CpuOps> decoder_;
  zeroth::model::CandidateScorer<zeroth::model::Decoder<zeroth::model::CpuOps>> scorer_;
  zeroth::AnyExecutor executor_;
  std::vector<zeroth::model::Example> examples_;
  std::vector<ReferenceDecoder::Tokens> texts_;
  mutable std::vector<double> gradient_;
};

}  // namespace zeroth_bench

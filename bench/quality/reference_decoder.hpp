// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>
#include <zeroth_model/weights/rotary.hpp>

namespace zeroth_bench {

/// The loss of a decoder of the LLaMA family in f64, written as plainly as possible: the source of gradients by central
/// differences, for which the f32 of zeroth::model::Decoder would leave too few digits.
class ReferenceDecoder {
 public:
  using Tokens = std::vector<std::int32_t>;

  /// Takes a copy of the weights.
  /// @throws InvalidArgument if the decoder has biases, learned positions or a sliding window
  explicit ReferenceDecoder(zeroth::model::DecoderWeights const& weights)
      : config_(weights.config()), tensors_(weights.tensors()) {
    using namespace zeroth::model;
    if (config_.architecture != "llama" || config_.positions != Positions::rotary || config_.norm != Norm::rms ||
        config_.mlp != Mlp::gated_silu || config_.query_key_value_bias || config_.attention_out_bias ||
        config_.mlp_bias || config_.sliding_window != 0)
      throw zeroth::InvalidArgument("the reference decoder is for LLaMA without biases and windows");
    frequencies_ = rotary_frequencies(config_.head_dim, config_.rope_theta, config_.rope_scaling);
    for (std::size_t t = 0; t < weights.parameters().size(); ++t) {
      auto const values = weights.values(t);
      values_.emplace_back(values.begin(), values.end());
    }
  }

  [[nodiscard]] std::vector<std::vector<double>>& weights() noexcept { return values_; }

  /// Log-probabilities of tokens[1], tokens[2], ..., each given the tokens before it.
  [[nodiscard]] std::vector<double> log_probabilities(Tokens const& tokens) const {
    std::size_t const rows = tokens.size() - 1;
    std::size_t const hidden = config_.hidden;
    std::vector<double> x(rows * hidden);
    for (std::size_t t = 0; t < rows; ++t)
      for (std::size_t i = 0; i < hidden; ++i)
        x[t * hidden + i] = values_[tensors_.embedding][static_cast<std::size_t>(tokens[t]) * hidden + i];
    for (zeroth::model::LayerTensors const& layer : tensors_.layers) {
      attention(layer, rows, x);
      mlp(layer, x);
    }
    std::vector<double> const logits = linear(tensors_.head, norm(tensors_.output_norm, x));
    std::size_t const vocabulary = config_.vocabulary;
    std::vector<double> result;
    for (std::size_t t = 0; t < rows; ++t) {
      double largest = logits[t * vocabulary];
      for (std::size_t v = 1; v < vocabulary; ++v) largest = std::fmax(largest, logits[t * vocabulary + v]);
      double sum = 0;
      for (std::size_t v = 0; v < vocabulary; ++v) sum += std::exp(logits[t * vocabulary + v] - largest);
      result.push_back(logits[t * vocabulary + static_cast<std::size_t>(tokens[t + 1])] - largest - std::log(sum));
    }
    return result;
  }

  /// Mean of -log p over every token of the texts except the first of each.
  [[nodiscard]] double loss(std::span<Tokens const> texts) const {
    double sum = 0;
    std::size_t count = 0;
    for (Tokens const& text : texts)
      for (double p : log_probabilities(text)) {
        sum -= p;
        ++count;
      }
    return sum / static_cast<double>(count);
  }

  /// d loss / d weight by central differences of that width, all tensors one after the other.
  [[nodiscard]] std::vector<double> gradient(std::span<Tokens const> texts, double width,
                                             zeroth::AnyExecutor executor) const {
    std::vector<std::pair<std::size_t, std::size_t>> places;
    for (std::size_t t = 0; t < values_.size(); ++t)
      for (std::size_t i = 0; i < values_[t].size(); ++i) places.emplace_back(t, i);
    std::vector<double> result(places.size());
    constexpr std::size_t share = 256;
    executor.parallel_for((places.size() + share - 1) / share, [&](std::size_t task) {
      ReferenceDecoder moved(*this);
      for (std::size_t p = task * share; p < std::min(places.size(), (task + 1) * share); ++p) {
        double& weight = moved.values_[places[p].first][places[p].second];
        double const there = weight;
        weight = there + width;
        double const above = moved.loss(texts);
        weight = there - width;
        double const below = moved.loss(texts);
        weight = there;
        result[p] = (above - below) / (2 * width);
      }
    });
    return result;
  }

 private:
  /// Rows of x, each of the norm's width.
  [[nodiscard]] std::vector<double> norm(zeroth::model::NormTensors const& tensors, std::vector<double> x) const {
    std::vector<double> const& gain = values_[tensors.gain];
    for (std::size_t row = 0; row < x.size(); row += gain.size()) {
      double squares = 0;
      for (std::size_t i = 0; i < gain.size(); ++i) squares += x[row + i] * x[row + i];
      double const scale =
          1 / std::sqrt(squares / static_cast<double>(gain.size()) + static_cast<double>(config_.norm_epsilon));
      for (std::size_t i = 0; i < gain.size(); ++i) x[row + i] *= scale * gain[i];
    }
    return x;
  }

  /// x W^T for rows of x; the width of x follows from the sizes of both.
  [[nodiscard]] std::vector<double> linear(std::size_t tensor, std::vector<double> const& x) const {
    std::vector<double> const& w = values_[tensor];
    std::size_t const in = width_of(tensor);
    std::size_t const out = w.size() / in;
    std::vector<double> y(x.size() / in * out);
    for (std::size_t t = 0; t < x.size() / in; ++t)
      for (std::size_t o = 0; o < out; ++o) {
        double sum = 0;
        for (std::size_t i = 0; i < in; ++i) sum += w[o * in + i] * x[t * in + i];
        y[t * out + o] = sum;
      }
    return y;
  }

  [[nodiscard]] std::size_t width_of(std::size_t tensor) const {
    for (zeroth::model::LayerTensors const& layer : tensors_.layers) {
      if (tensor == layer.attention_out.weight) return std::size_t{config_.heads} * config_.head_dim;
      if (tensor == layer.down.weight) return config_.feed_forward;
    }
    return config_.hidden;
  }

  void rotate(std::size_t heads, std::vector<double>& x) const {
    std::size_t const dim = config_.head_dim;
    bool const adjacent = config_.pairing == zeroth::model::RotaryPairing::adjacent;
    for (std::size_t t = 0; t < x.size() / (heads * dim); ++t)
      for (std::size_t h = 0; h < heads; ++h)
        for (std::size_t i = 0; i < dim / 2; ++i) {
          double const angle = static_cast<double>(t) * frequencies_[i];
          std::size_t const base = (t * heads + h) * dim;
          double& a = x[base + (adjacent ? 2 * i : i)];
          double& b = x[base + (adjacent ? 2 * i + 1 : i + dim / 2)];
          double const turned = a * std::cos(angle) - b * std::sin(angle);
          b = a * std::sin(angle) + b * std::cos(angle);
          a = turned;
        }
  }

  void attention(zeroth::model::LayerTensors const& layer, std::size_t rows, std::vector<double>& x) const {
    std::size_t const dim = config_.head_dim;
    std::size_t const heads = config_.heads;
    std::size_t const kv_heads = config_.kv_heads;
    std::vector<double> const h = norm(layer.attention_norm, x);
    std::vector<double> q = linear(layer.query.weight, h);
    std::vector<double> k = linear(layer.key.weight, h);
    std::vector<double> const v = linear(layer.value.weight, h);
    rotate(heads, q);
    rotate(kv_heads, k);
    std::vector<double> mixed(rows * heads * dim, 0.0);
    std::vector<double> p(rows);
    for (std::size_t t = 0; t < rows; ++t)
      for (std::size_t head = 0; head < heads; ++head) {
        std::size_t const kv = head / (heads / kv_heads);
        double const* const query = &q[(t * heads + head) * dim];
        double largest = -1e300;
        for (std::size_t s = 0; s <= t; ++s) {
          double sum = 0;
          for (std::size_t i = 0; i < dim; ++i) sum += query[i] * k[(s * kv_heads + kv) * dim + i];
          p[s] = sum / std::sqrt(static_cast<double>(dim));
          largest = std::fmax(largest, p[s]);
        }
        double total = 0;
        for (std::size_t s = 0; s <= t; ++s) total += p[s] = std::exp(p[s] - largest);
        for (std::size_t s = 0; s <= t; ++s)
          for (std::size_t i = 0; i < dim; ++i)
            mixed[(t * heads + head) * dim + i] += p[s] / total * v[(s * kv_heads + kv) * dim + i];
      }
    add(linear(layer.attention_out.weight, mixed), x);
  }

  void mlp(zeroth::model::LayerTensors const& layer, std::vector<double>& x) const {
    std::vector<double> const h = norm(layer.mlp_norm, x);
    std::vector<double> gate = linear(layer.gate.weight, h);
    std::vector<double> const up = linear(layer.up.weight, h);
    for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
    add(linear(layer.down.weight, gate), x);
  }

  static void add(std::vector<double> const& y, std::vector<double>& x) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  zeroth::model::DecoderConfig config_;
  zeroth::model::DecoderTensors tensors_;
  std::vector<double> frequencies_;
  std::vector<std::vector<double>> values_;  // one per tensor
};

}  // namespace zeroth_bench

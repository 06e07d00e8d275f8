// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/decoder_ops.hpp>
#include <zeroth/model/decoder_weights.hpp>
#include <zeroth/model/packed_batch.hpp>
#include <zeroth/probe.hpp>

namespace zeroth::model {

/// What a score is.
enum class ScoreKind : std::uint8_t {
  log_probability,  ///< log p(token | what comes before): the whole head is read
  logit,            ///< that plus a number that is the same for all tokens at a row: only the rows asked for are read
};

/// A decoder-only transformer (see DecoderConfig): scores tokens in a packed batch, for theta or for all lanes of a
/// probe at once.
///
/// It refers to the weights, which must outlive it, and owns its workspace, so a decoder serves one caller at a time.
template <DecoderOps Ops>
class Decoder {
 public:
  explicit Decoder(DecoderWeights const& weights, Ops ops = Ops()) : weights_(&weights), ops_(std::move(ops)) {
    DecoderConfig const& config = weights.config();
    if (config.positions == Positions::rotary)
      frequencies_ = rotary_frequencies(config.head_dim, config.rope_theta, config.rope_scaling);
  }

  /// Scores of batch.requests(): out[i] is that of request i.
  /// @throws InvalidArgument if `out` is not of that size, a token is outside the vocabulary, or a sequence is longer
  ///   than the context.
  void score(PackedBatch const& batch, ScoreKind kind, std::span<double> out) { run(batch, kind, nullptr, out); }

  /// Scores for every lane of `probe`: out[lane * requests + i].
  /// @throws InvalidArgument as above.
  void score(PackedBatch const& batch, ScoreKind kind, AnyProbe const& probe, std::span<double> out) {
    run(batch, kind, &probe, out);
  }

  [[nodiscard]] DecoderWeights const& weights() const noexcept { return *weights_; }

 private:
  using Matrix = typename Ops::Matrix;

  void run(PackedBatch const& batch, ScoreKind kind, AnyProbe const* probe, std::span<double> out) {
    WeightView const view{weights_->parameters(), probe};
    check(batch, view, out);
    if (out.empty()) return;
    plan(batch);
    DecoderConfig const& config = weights_->config();
    DecoderTensors const& tensors = weights_->tensors();

    bool const rotary = config.positions == Positions::rotary;
    ops_.embed(view, tensors.embedding, batch.tokens(), x_);
    if (rotary)
      ops_.prepare_rotary(batch.positions(), frequencies_, rotary_);
    else
      ops_.add_rows(view, tensors.positions, position_rows_, x_);
    for (LayerTensors const& layer : tensors.layers) {
      bool const last = &layer == &tensors.layers.back();
      attention(view, batch, layer, last);
      mlp(view, layer);
    }
    normalise(view, tensors.output_norm);
    if (kind == ScoreKind::logit)
      ops_.logits(view, tensors.head, h_, requests_, out);
    else
      ops_.log_probabilities(view, tensors.head, h_, requests_, out);
  }

  /// h = norm(x).
  void normalise(WeightView const& view, NormTensors const& norm) {
    DecoderConfig const& config = weights_->config();
    if (config.norm == Norm::rms)
      ops_.rms_norm(view, norm, x_, config.norm_epsilon, h_);
    else
      ops_.layer_norm(view, norm, x_, config.norm_epsilon, h_);
  }

  /// x += attention(norm(x)). In the last layer every row still gives a key and a value, but only the scored rows ask:
  /// from there on x holds those rows alone.
  void attention(WeightView const& view, PackedBatch const& batch, LayerTensors const& layer, bool last) {
    DecoderConfig const& config = weights_->config();
    bool const rotary = config.positions == Positions::rotary;
    HeadShape const shape{config.heads, config.kv_heads, config.head_dim, config.sliding_window};
    normalise(view, layer.attention_norm);
    if (last) {
      linear(view, h_, Projection<Matrix>{layer.key, k_}, Projection<Matrix>{layer.value, v_});
      if (rotary) ops_.rotate(rotary_, config.pairing, config.kv_heads, k_);
      ops_.gather(h_, scored_, y_);
      std::swap(h_, y_);
      ops_.gather(x_, scored_, y_);
      std::swap(x_, y_);
      linear(view, h_, Projection<Matrix>{layer.query, q_});
      if (rotary) ops_.prepare_rotary(scored_positions_, frequencies_, rotary_);
    } else {
      linear(view, h_, Projection<Matrix>{layer.query, q_}, Projection<Matrix>{layer.key, k_},
             Projection<Matrix>{layer.value, v_});
      if (rotary) ops_.rotate(rotary_, config.pairing, config.kv_heads, k_);
    }
    if (rotary) ops_.rotate(rotary_, config.pairing, config.heads, q_);
    Queries const queries = last ? Queries{scored_, scored_spans_} : Queries{all_, all_spans_};
    ops_.attend(shape, batch.segments(), queries, q_, k_, v_, h_);
    linear(view, h_, Projection<Matrix>{layer.attention_out, y_});
    ops_.add(x_, y_);
  }

  /// x += mlp(norm(x)).
  void mlp(WeightView const& view, LayerTensors const& layer) {
    normalise(view, layer.mlp_norm);
    if (weights_->config().mlp == Mlp::gated_silu) {
      linear(view, h_, Projection<Matrix>{layer.gate, gate_}, Projection<Matrix>{layer.up, up_});
      ops_.swiglu(gate_, up_);
      linear(view, gate_, Projection<Matrix>{layer.down, y_});
    } else {
      linear(view, h_, Projection<Matrix>{layer.up, up_});
      ops_.relu(up_);
      linear(view, up_, Projection<Matrix>{layer.down, y_});
    }
    ops_.add(x_, y_);
  }

  template <class... P>
  void linear(WeightView const& view, Matrix const& in, P... projections) {
    std::array<Projection<Matrix>, sizeof...(P)> const list{projections...};
    ops_.linear(view, in, list);
  }

  void check(PackedBatch const& batch, WeightView const& view, std::span<double> out) const {
    DecoderConfig const& config = weights_->config();
    std::size_t const expected = batch.requests().size() * view.lanes();
    if (out.size() != expected)
      throw InvalidArgument("decoder output must have " + std::to_string(expected) + " elements, got " +
                            std::to_string(out.size()));
    auto check_token = [&](std::int32_t token) {
      if (token < 0 || static_cast<std::uint32_t>(token) >= config.vocabulary)
        throw InvalidArgument("token " + std::to_string(token) + " is outside the vocabulary of " +
                              std::to_string(config.vocabulary));
    };
    for (std::int32_t token : batch.tokens()) check_token(token);
    for (ScoreRequest const& request : batch.requests()) check_token(request.token);
    for (Segment const& segment : batch.segments())
      if (segment.prefix_length + segment.length > config.context_length)
        throw InvalidArgument("a sequence of " + std::to_string(segment.prefix_length + segment.length) +
                              " tokens is longer than the model's context of " + std::to_string(config.context_length));
  }

  /// Which rows ask in which layer, and the requests in terms of the scored rows.
  void plan(PackedBatch const& batch) {
    std::span<Segment const> const segments = batch.segments();
    all_.resize(batch.rows());
    std::iota(all_.begin(), all_.end(), std::size_t{0});
    all_spans_.clear();
    for (std::size_t s = 0; s < segments.size(); ++s) all_spans_.push_back({s, segments[s].begin, segments[s].length});

    position_rows_.clear();
    if (weights_->config().positions == Positions::learned)
      for (std::size_t position : batch.positions())
        position_rows_.push_back(position + DecoderConfig::learned_position_offset);

    scored_.clear();
    for (ScoreRequest const& request : batch.requests()) scored_.push_back(request.row);
    std::sort(scored_.begin(), scored_.end());
    scored_.erase(std::unique(scored_.begin(), scored_.end()), scored_.end());
    scored_positions_.clear();
    for (std::size_t row : scored_) scored_positions_.push_back(batch.positions()[row]);
    scored_spans_.clear();
    std::size_t next = 0;
    for (std::size_t s = 0; s < segments.size(); ++s) {
      std::size_t const first = next;
      while (next < scored_.size() && scored_[next] < segments[s].begin + segments[s].length) ++next;
      if (next > first) scored_spans_.push_back({s, first, next - first});
    }
    requests_.clear();
    for (ScoreRequest const& request : batch.requests()) {
      auto const at = std::lower_bound(scored_.begin(), scored_.end(), request.row);
      requests_.push_back({static_cast<std::size_t>(at - scored_.begin()), request.token});
    }
  }

  DecoderWeights const* weights_;
  Ops ops_;

  // The workspace. Rows: tokens of the batch, from the last layer's queries on the scored rows.
  Matrix x_;          // residual stream, hidden
  Matrix h_;          // normed input or attention's output, hidden or heads * head_dim
  Matrix y_;          // what is added to x, hidden
  Matrix q_, k_, v_;  // heads * head_dim, kv_heads * head_dim twice
  Matrix gate_, up_;  // feed_forward
  typename Ops::Rotary rotary_;
  std::vector<double> frequencies_;  // rotary, one a pair
  std::vector<std::size_t> all_, scored_, scored_positions_, position_rows_;
  std::vector<QuerySpan> all_spans_, scored_spans_;
  std::vector<ScoreRequest> requests_;
};

}  // namespace zeroth::model

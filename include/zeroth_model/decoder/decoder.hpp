// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/probe.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/decoder/batch_plan.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/decoder/packed_batch.hpp>
#include <zeroth_model/decoder/pass_sizes.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The kinds of scores.
enum class ScoreKind : std::uint8_t {
  log_probability,  ///< log p(token | what comes before): reads the whole head
  logit,            ///< the same plus a number that all tokens of a row share: reads only the requested rows
};

/// Parameters that are tuned instead of a decoder's weights: SparseDelta, BlockScales.
template <class T>
concept TunedBeside = !std::same_as<T, LoraAdapter> && requires(T const& tuned) {
  { tuned.parameters() } -> std::same_as<ParameterSet const&>;
  { tuned.weight_tensors() } -> std::same_as<std::span<WeightTensor const>>;
};

/// A decoder-only transformer (see DecoderConfig): scores tokens in a packed batch, for theta or for all lanes of a
/// probe at once.
///
/// With a LoraAdapter, theta is the adapter's weights: a probe perturbs those, and all lanes share the decoder's own
/// weights, each of which is read once for all lanes.
///
/// With a SparseDelta or BlockScales, theta is what these have of the weights, and the rest is shared likewise.
///
/// Refers to the weights, which must outlive it, and owns its workspace, so a decoder serves one caller at a time.
template <DecoderOps Ops>
class Decoder {
 public:
  /// @throws InvalidArgument if the weights are held as stored and the operations need them in a device's memory.
  explicit Decoder(DecoderWeights const& weights, Ops ops = Ops())
      : weights_(&weights), tensors_(weights.weight_tensors()), ops_(std::move(ops)) {
    if (sizes_ahead && weights.is_stored())
      throw InvalidArgument("decoder: expected numbers in the device's memory, found weights held as stored");
    DecoderConfig const& config = weights.config();
    if (config.positions == Positions::rotary)
      frequencies_ = rotary_frequencies(config.rotated_dim(), config.rope_theta, config.rope_scaling);
    if (config.positions == Positions::rotary && config.local_rope_theta != 0)
      local_frequencies_ = rotary_frequencies(config.rotated_dim(), config.local_rope_theta, {});
  }

  /// @throws InvalidArgument if the adapter does not belong to these weights.
  Decoder(DecoderWeights const& weights, LoraAdapter const& adapter, Ops ops = Ops())
      : Decoder(weights, std::move(ops)) {
    adapter.check(weights);
    adapter_ = &adapter;
  }

  /// @param tuned what is tuned of the weights; must outlive the decoder
  /// @throws InvalidArgument if it does not belong to these weights.
  template <TunedBeside Beside>
  Decoder(DecoderWeights const& weights, Beside const& tuned, Ops ops = Ops()) : Decoder(weights, std::move(ops)) {
    tensors_ = tuned.weight_tensors();
    auto const is_same = [](WeightTensor const& a, WeightTensor const& b) {
      return a.name == b.name && a.shape == b.shape && a.data == b.data;
    };
    std::span<WeightTensor const> const own = weights.weight_tensors();
    if (!std::equal(own.begin(), own.end(), tensors_.begin(), tensors_.end(), is_same))
      throw InvalidArgument("decoder: expected tuned values of these weights, found those of others");
  }

  /// Allocates for the largest batch to come, if the operations allocate ahead (CudaOps): scores within the limits then
  /// allocate nothing. Without this call, the first pass that needs more memory allocates it.
  void reserve(BatchLimits const& limits) {
    if constexpr (sizes_ahead) {
      PassSizes sizes = model_sizes(std::max<std::size_t>(limits.lanes, 1), limits.lanes != 0);
      sizes.rows = limits.tokens;
      sizes.spans = limits.segments == 0 ? limits.tokens : limits.segments;
      sizes.requests = limits.requests;
      sizes.scored = std::min(limits.tokens, limits.requests);
      ops_.reserve(sizes);
    }
  }

  /// Scores batch.requests(): out[i] is the score of request i.
  /// @throws InvalidArgument if `out` has another size, a token is outside the vocabulary, or a sequence is longer
  ///   than the context.
  void score(PackedBatch const& batch, ScoreKind kind, std::span<double> out) { run(batch, kind, nullptr, out); }

  /// Scores for every lane of `probe`, which perturbs the weights or, if there is one, the adapter: out[lane * requests
  /// + i].
  /// @throws InvalidArgument as above, and if there is nothing to perturb: no adapter, and weights held as stored.
  void score(PackedBatch const& batch, ScoreKind kind, AnyProbe const& probe, std::span<double> out) {
    auto const is_tuned = [](WeightTensor const& t) { return t.tuned != Tuned::nothing; };
    if (adapter_ == nullptr && std::none_of(tensors_.begin(), tensors_.end(), is_tuned))
      throw InvalidArgument("decoder: expected weights or an adapter that a probe can perturb, found only weights " +
                            std::string("held as stored"));
    run(batch, kind, &probe, out);
  }

  /// Drops the sequence that next() has built.
  void restart() noexcept { kept_rows_ = 0; }

  /// Appends tokens to a sequence that the decoder keeps, and scores the next token: logits[t] is the logit of token t.
  ///
  /// The decoder keeps the sequence's keys and values, so a call costs only the work of its own tokens: 2 * layers *
  /// kv_heads * head_dim floats per token. Other scores do not affect the sequence.
  /// @throws InvalidArgument if there are no tokens, one is outside the vocabulary, the size of `logits` is not that of
  ///   the vocabulary, or the sequence is longer than the context; the sequence is then unchanged.
  void next(std::span<std::int32_t const> tokens, std::span<double> logits) {
    DecoderConfig const& config = weights_->config();
    if (tokens.empty()) throw InvalidArgument("decoder: expected at least one token to continue with, found none");
    for (std::int32_t token : tokens) check_token(token);
    check_length(kept_rows_ + tokens.size());
    check_output(logits, config.vocabulary);
    kept_keys_.resize(config.layers);
    kept_values_.resize(config.layers);
    plan_.set_continuation(tokens, kept_rows_, config.vocabulary);
    forward(views(nullptr), ScoreKind::logit, logits, /*keep=*/true);
    kept_rows_ += tokens.size();
  }

  [[nodiscard]] DecoderWeights const& weights() const noexcept { return *weights_; }

 private:
  using Matrix = typename Ops::Matrix;

  static constexpr bool sizes_ahead = requires(Ops & ops, PassSizes const& sizes) {
    ops.begin(sizes);
    ops.reserve(sizes);
  };

  /// The weights that a forward pass reads: the decoder's own, and its adapter's if there is one.
  struct Views {
    WeightView weights;
    WeightView adapter;
  };

  [[nodiscard]] Views views(AnyProbe const* probe) const noexcept {
    WeightView const tuned{adapter_ == nullptr ? tensors_ : adapter_->weight_tensors(), probe};
    if (adapter_ == nullptr) return {tuned, tuned};
    return {{tensors_, nullptr, tuned.lanes()}, tuned};
  }

  void run(PackedBatch const& batch, ScoreKind kind, AnyProbe const* probe, std::span<double> out) {
    Views const view = views(probe);
    check_output(out, batch.requests().size() * view.weights.lanes());
    for (std::int32_t token : batch.tokens()) check_token(token);
    for (ScoreRequest const& request : batch.requests()) check_token(request.token);
    for (Segment const& segment : batch.segments()) check_length(segment.prefix_length + segment.length);
    if (out.empty()) return;
    plan_.set(batch);
    forward(view, kind, out, /*keep=*/false);
  }

  /// The sizes that every pass needs; a batch adds its own.
  [[nodiscard]] PassSizes model_sizes(std::size_t lanes, bool has_probe) {
    DecoderConfig const& config = weights_->config();
    std::size_t const hidden = config.hidden;
    std::size_t const of_queries = config.heads * config.head_dim;
    std::size_t const of_keys = config.kv_heads * config.head_dim;
    std::size_t const rank = adapter_ == nullptr ? 0 : adapter_->rank();
    widths_ = {hidden, hidden, hidden, of_queries, of_keys, of_keys, config.feed_forward};
    if (config.mlp != Mlp::relu) widths_.push_back(config.feed_forward);
    // x, h and y are swapped, and h takes attention's output.
    if (of_queries > hidden) widths_.insert(widths_.end(), 2, of_queries);
    widths_.insert(widths_.end(), low_rank_.size(), rank);
    PassSizes sizes;
    sizes.lanes = lanes;
    sizes.pairs = frequencies_.size();
    sizes.rotary_tables = local_frequencies_.empty() ? 1 : 2;
    sizes.widths = widths_;
    sizes.weight_dtype = weights_->dtype();
    sizes.probe = has_probe;
    sizes.by_floats = has_probe;
    sizes.columns = std::max({hidden, of_queries, std::size_t{config.feed_forward}, rank});
    sizes.longest_vector = sizes.columns;
    sizes.vocabulary = config.vocabulary;
    return sizes;
  }

  void begin(Views const& view) {
    PassSizes sizes = model_sizes(view.weights.lanes(), view.adapter.probe != nullptr);
    sizes.rows = plan_.tokens.size();
    sizes.spans = plan_.spans.size();
    sizes.scored = plan_.scored.size();
    sizes.requests = plan_.requests.size();
    sizes.by_floats = sizes.probe && !view.adapter.probe->has_panels();
    ops_.begin(sizes);
  }

  /// Runs the plan. `keep`: it continues the sequence with stored keys and values.
  void forward(Views const& view, ScoreKind kind, std::span<double> out, bool keep) {
    if constexpr (sizes_ahead) begin(view);
    DecoderTensors const& tensors = weights_->tensors();
    ops_.embed(view.weights, tensors.embedding, plan_.tokens, x_);
    if (weights_->config().embedding_scale != 1) ops_.scale(x_, weights_->config().embedding_scale);
    if (weights_->config().positions == Positions::rotary) {
      ops_.prepare_rotary(plan_.positions, frequencies_, rotary_);
      if (!local_frequencies_.empty()) ops_.prepare_rotary(plan_.positions, local_frequencies_, local_rotary_);
    } else {
      position_rows_ = plan_.positions;
      for (std::size_t& row : position_rows_) row += DecoderConfig::learned_position_offset;
      ops_.add_rows(view.weights, tensors.positions, position_rows_, x_);
    }
    for (std::size_t l = 0; l < tensors.layers.size(); ++l) {
      attention(view, l, keep);
      mlp(view, tensors.layers[l]);
    }
    normalise(view, tensors.output_norm);
    float const soft_cap = weights_->config().logit_soft_cap;
    if (kind != ScoreKind::logit)
      return ops_.log_probabilities(view.weights, tensors.head, h_, soft_cap, plan_.requests, out);
    ops_.logits(view.weights, tensors.head, h_, plan_.requests, out);
    auto const cap = static_cast<double>(soft_cap);
    if (soft_cap != 0)
      for (double& logit : out) logit = cap * std::tanh(logit / cap);
  }

  /// h = norm(x).
  void normalise(Views const& view, NormTensors const& norm) {
    DecoderConfig const& config = weights_->config();
    if (config.norm == Norm::rms)
      ops_.rms_norm(view.weights, norm, x_, config.norm_epsilon, h_);
    else
      ops_.layer_norm(view.weights, norm, x_, config.norm_epsilon, h_);
  }

  /// Normalises x, or each head of it, in place, if the decoder has that norm.
  void normalise(Views const& view, NormTensors const& norm, Matrix& x) {
    if (norm) ops_.rms_norm(view.weights, norm, x, weights_->config().norm_epsilon, x);
  }

  /// x += attention(norm(x)). In the last layer every row still yields a key and a value, but only the scored rows are
  /// queries: from there on x holds only those rows.
  void attention(Views const& view, std::size_t index, bool keep) {
    DecoderConfig const& config = weights_->config();
    LayerTensors const& layer = weights_->tensors().layers[index];
    bool const last = index + 1 == config.layers;
    bool const rotary = config.rotates(index);
    bool const local = config.rotates_locally(index);
    typename Ops::Rotary& angles = local ? local_rotary_ : rotary_;
    normalise(view, layer.attention_norm);
    if (last) {
      linear(view, h_, Projection<Matrix>{layer.key, k_}, Projection<Matrix>{layer.value, v_});
      normalise(view, layer.key_norm, k_);
      if (rotary) ops_.rotate(angles, config.pairing, config.kv_heads, k_);
      ops_.gather(h_, plan_.scored, y_);
      std::swap(h_, y_);
      ops_.gather(x_, plan_.scored, y_);
      std::swap(x_, y_);
      linear(view, h_, Projection<Matrix>{layer.query, q_});
      if (rotary) ops_.prepare_rotary(plan_.scored_positions, local ? local_frequencies_ : frequencies_, angles);
    } else {
      linear(view, h_, Projection<Matrix>{layer.query, q_}, Projection<Matrix>{layer.key, k_},
             Projection<Matrix>{layer.value, v_});
      normalise(view, layer.key_norm, k_);
      if (rotary) ops_.rotate(angles, config.pairing, config.kv_heads, k_);
    }
    normalise(view, layer.query_norm, q_);
    if (rotary) ops_.rotate(angles, config.pairing, config.heads, q_);
    if (keep) {
      ops_.put_rows(k_, kept_rows_, kept_keys_[index]);
      ops_.put_rows(v_, kept_rows_, kept_values_[index]);
    }
    double const scalar = config.query_scalar != 0 ? config.query_scalar : config.head_dim;
    HeadShape const shape{config.heads,
                          config.kv_heads,
                          config.head_dim,
                          config.window(index),
                          1.0F / std::sqrt(static_cast<float>(scalar)),
                          config.attention_soft_cap};
    Queries const queries = last ? Queries{plan_.scored_rows, plan_.scored_spans} : Queries{plan_.rows, plan_.spans};
    ops_.attend(shape, plan_.segments, queries, q_, keep ? kept_keys_[index] : k_, keep ? kept_values_[index] : v_, h_);
    linear(view, h_, Projection<Matrix>{layer.attention_out, y_});
    normalise(view, layer.attention_post_norm, y_);
    ops_.add(x_, y_);
  }

  /// x += mlp(norm(x)).
  void mlp(Views const& view, LayerTensors const& layer) {
    normalise(view, layer.mlp_norm);
    Mlp const kind = weights_->config().mlp;
    if (kind != Mlp::relu) {
      linear(view, h_, Projection<Matrix>{layer.gate, gate_}, Projection<Matrix>{layer.up, up_});
      if (kind == Mlp::gated_silu)
        ops_.swiglu(gate_, up_);
      else
        ops_.geglu(gate_, up_);
      linear(view, gate_, Projection<Matrix>{layer.down, y_});
    } else {
      linear(view, h_, Projection<Matrix>{layer.up, up_});
      ops_.relu(up_);
      linear(view, up_, Projection<Matrix>{layer.down, y_});
    }
    normalise(view, layer.mlp_post_norm, y_);
    ops_.add(x_, y_);
  }

  /// out = W in + bias, plus scale B (A in) if W has an adapter.
  template <class... P>
  void linear(Views const& view, Matrix const& in, P... projections) {
    std::array<Projection<Matrix>, sizeof...(P)> const list{projections...};
    ops_.linear(view.weights, in, list);
    if (adapter_ == nullptr) return;
    std::array<LoraPair const*, sizeof...(P)> pairs{};
    std::array<Matrix const*, sizeof...(P)> inward{};
    downward_.clear();
    for (std::size_t i = 0; i < list.size(); ++i) {
      pairs[i] = adapter_->find(list[i].tensors.weight);
      // Parts of one weight share A x.
      bool const shared = i > 0 && pairs[i] == pairs[i - 1];
      inward[i] = shared ? inward[i - 1] : &low_rank_[i];
      if (pairs[i] != nullptr && !shared) downward_.push_back({{pairs[i]->a}, low_rank_[i]});
    }
    if (downward_.empty()) return;
    ops_.linear(view.adapter, in, downward_);
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (pairs[i] == nullptr) continue;
      LinearTensors const rows{pairs[i]->b, no_tensor, list[i].tensors.first, list[i].tensors.rows};
      ops_.add_linear(view.adapter, rows, adapter_->scale(), *inward[i], list[i].out);
    }
  }

  static void check_output(std::span<double> out, std::size_t expected) {
    if (out.size() != expected)
      throw InvalidArgument("decoder output must have " + std::to_string(expected) + " elements, got " +
                            std::to_string(out.size()));
  }

  void check_token(std::int32_t token) const {
    std::uint32_t const vocabulary = weights_->config().vocabulary;
    if (token < 0 || static_cast<std::uint32_t>(token) >= vocabulary)
      throw InvalidArgument("token " + std::to_string(token) + " is outside the vocabulary of " +
                            std::to_string(vocabulary));
  }

  void check_length(std::size_t tokens) const {
    std::uint32_t const context = weights_->config().context_length;
    if (tokens > context)
      throw InvalidArgument("a sequence of " + std::to_string(tokens) +
                            " tokens is longer than the model's context of " + std::to_string(context));
  }

  DecoderWeights const* weights_;
  std::span<WeightTensor const> tensors_;  // what is read
  LoraAdapter const* adapter_ = nullptr;
  Ops ops_;

  // The workspace. Rows: tokens of the batch, from the last layer's queries on the scored rows.
  Matrix x_;                                  // residual stream, hidden
  Matrix h_;                                  // normed input or attention's output, hidden or heads * head_dim
  Matrix y_;                                  // summand of x, hidden
  Matrix q_, k_, v_;                          // heads * head_dim, kv_heads * head_dim twice
  Matrix gate_, up_;                          // feed_forward
  std::array<Matrix, 3> low_rank_;            // A x of the projections that share an input, rank
  std::vector<Projection<Matrix>> downward_;  // into low_rank_
  std::vector<std::size_t> widths_;           // of all matrices above: see PassSizes
  typename Ops::Rotary rotary_, local_rotary_;
  std::vector<double> frequencies_, local_frequencies_;  // rotary, one per pair; the latter for layers with a window
  BatchPlan plan_;
  std::vector<std::size_t> position_rows_;  // rows in the table of learned positions

  // The sequence of next(): keys and values of each layer.
  std::vector<Matrix> kept_keys_, kept_values_;
  std::size_t kept_rows_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA::model

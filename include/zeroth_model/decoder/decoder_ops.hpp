// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/probe.hpp>
#include <zeroth_model/decoder/packed_batch.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The weights of a forward pass: theta itself, or all lanes of a probe around it.
struct WeightView {
  std::span<WeightTensor const> tensors;
  AnyProbe const* probe = nullptr;  ///< null: theta
  std::size_t frozen_lanes = 1;     ///< without a probe: number of lanes that share theta, which is read once for all

  [[nodiscard]] WeightTensor const& operator[](std::size_t tensor) const noexcept { return tensors[tensor]; }
  [[nodiscard]] std::size_t lanes() const noexcept { return probe == nullptr ? frozen_lanes : probe->points().size(); }

  /// Whether all lanes read the same values of a tensor.
  [[nodiscard]] bool shares(std::size_t tensor) const noexcept {
    return probe == nullptr || tensors[tensor].tuned == Tuned::nothing;
  }
};

/// One output of a linear layer: its weight or some rows of it, its bias, and the destination of the product.
template <class Matrix>
struct Projection {
  LinearTensors tensors;
  Matrix& out;
};

/// Sizes of the heads, how far back queries see, and how scores are scaled and capped.
struct HeadShape {
  std::size_t heads;
  std::size_t kv_heads;
  std::size_t head_dim;
  std::size_t window;  ///< the most keys that a query sees, including its own; 0: no limit
  float scale;         ///< of scores
  float soft_cap = 0;  ///< c: a scaled score becomes c tanh(score / c); 0: no cap

  /// The first key that a query sees, out of `visible` keys of which the last is its own.
  [[nodiscard]] std::size_t first_seen(std::size_t visible) const noexcept {
    return window != 0 && visible > window ? visible - window : 0;
  }
};

/// Consecutive query rows that lie in one segment.
struct QuerySpan {
  std::size_t segment;
  std::size_t first;  ///< row of the query matrix
  std::size_t count;
};

/// The rows that are queries of an attention: query row i is row `rows[i]` of the packed batch. `rows` ascends.
struct Queries {
  std::span<std::size_t const> rows;
  std::span<QuerySpan const> spans;
};

/// The operations on which Decoder is built. CpuOps is zeroth's own vector code, EigenOps uses Eigen.
///
/// 1. `Ops::Matrix` holds the activations of all lanes, lanes x rows x features, in its own layout. It is default
///    constructible and keeps its memory between uses. Operations resize what they write.
/// 2. `Ops::Rotary` holds the cosines and sines of some rows; `prepare_rotary(positions, frequencies, rotary)` fills it
///    with those of position * frequency, one frequency per pair.
/// 3. `embed(weights, parameter, tokens, out)`: row t is row tokens[t] of the table.
///    `add_rows(weights, parameter, rows, x)`: row t of x += row rows[t] of the table.
///    `scale(x, factor)`: x *= factor.
/// 4. `rms_norm(weights, norm, in, epsilon, out)`: in / sqrt(mean of its squares + epsilon), times gain + norm.offset,
///    for each run of as many features as the gain has. `out` may be `in`.
///    `layer_norm`, with the same arguments: (in - its mean) / sqrt(its variance + epsilon), times the gain, plus the
///    bias.
/// 5. `linear(weights, in, projections)`: out = in W^T, plus the bias if there is one, for each projection. W is the
///    rows of the weight that the projection takes. Each element of W is expanded once, for all lanes together; no W is
///    ever held whole.
/// 6. `add_linear(weights, tensors, factor, in, out)`: out += factor * in W^T; W is treated as in 5.
/// 7. `rotate(rotary, pairing, heads, x)`: rotates pairs of elements of every head, in place: its first elements, as
///    many as `rotary` has per head.
/// 8. `attend(shape, segments, queries, q, k, v, out)`: softmax(scores) v over each query's prefix and its segment up
///    to the query itself, limited to the last shape.window keys if that is not 0. Scores are shape.scale q k^T, capped
///    if shape.soft_cap is not 0; k and v have one row per row of the batch, q and out one per query.
/// 9. `swiglu(gate, up)`: gate = silu(gate) * up. `geglu(gate, up)`: gate = gelu(gate) * up, GELU by tanh.
///    `relu(x)`: x = max(x, 0), NaN stays. `add(x, y)`: x += y.
/// 10. `gather(in, rows, out)`: out's row i is in's row rows[i].
///    `put_rows(in, at, x)`, for one lane: replaces the rows of x from `at` on with the rows of `in`; earlier rows are
///    kept. Memory grows by a factor, not row by row.
/// 11. `logits(weights, head, in, requests, out)`: out[lane * requests.size() + i] is row requests[i].row of `in` times
///    row requests[i].token of the head; only the requested rows of the head are expanded.
/// 12. `log_probabilities(weights, head, in, soft_cap, requests, out)`: the same, capped if soft_cap is not 0, minus
///    the logarithm of the sum of exponentials over the whole vocabulary; a row's logits are never all held.
/// 13. The same inputs give the same bits with any executor and any number of threads; each lane's bits are those of
///    plain inference on its weights.
/// 14. Theta is only read. Once sizes have settled, no operation allocates.
/// 15. `begin(sizes)` is optional: called before each forward pass with the most that the pass needs (PassSizes); the
///    contents of matrices are lost, except those that put_rows keeps. It comes with `reserve(sizes)`, which allocates
///    for passes to come.
template <class T>
concept DecoderOps = requires(T& ops, typename T::Matrix& m, typename T::Matrix const& c, typename T::Rotary& r,
                              typename T::Rotary const& cr, WeightView const& weights, std::size_t n,
                              std::span<std::int32_t const> tokens, std::span<std::size_t const> rows,
                              std::span<Segment const> segments, std::span<ScoreRequest const> requests,
                              std::span<Projection<typename T::Matrix> const> projections, Queries const& queries,
                              HeadShape const& shape, RotaryPairing pairing, NormTensors const& norm,
                              LinearTensors const& linear, std::span<double const> frequencies, std::span<double> out) {
  requires std::default_initializable<typename T::Matrix>;
  requires std::default_initializable<typename T::Rotary>;
  ops.prepare_rotary(rows, frequencies, r);
  ops.embed(weights, n, tokens, m);
  ops.add_rows(weights, n, rows, m);
  ops.rms_norm(weights, norm, c, float{}, m);
  ops.layer_norm(weights, norm, c, float{}, m);
  ops.linear(weights, c, projections);
  ops.add_linear(weights, linear, float{}, c, m);
  ops.rotate(cr, pairing, n, m);
  ops.attend(shape, segments, queries, c, c, c, m);
  ops.swiglu(m, c);
  ops.geglu(m, c);
  ops.scale(m, float{});
  ops.relu(m);
  ops.add(m, c);
  ops.gather(c, rows, m);
  ops.put_rows(c, n, m);
  ops.logits(weights, n, c, requests, out);
  ops.log_probabilities(weights, n, c, float{}, requests, out);
};

}  // namespace zeroth::ZEROTH_ISA::model

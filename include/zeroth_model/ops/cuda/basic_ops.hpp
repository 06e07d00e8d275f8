// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth/error.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/decoder/pass_sizes.hpp>
#include <zeroth_model/ops/cuda/attention.hpp>
#include <zeroth_model/ops/cuda/copy_rows.hpp>
#include <zeroth_model/ops/cuda/device_head.hpp>
#include <zeroth_model/ops/cuda/device_memory.hpp>
#include <zeroth_model/ops/cuda/elementwise.hpp>
#include <zeroth_model/ops/cuda/norm.hpp>
#include <zeroth_model/ops/cuda/products.hpp>
#include <zeroth_model/ops/cuda/rotary.hpp>
#include <zeroth_model/ops/cuda/weight_panels.hpp>
#include <zeroth_model/ops/cuda/workspace.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// How the operations on a device compute, and the sizes of their workspaces.
struct OpsOptions {
  DataType dtype = DataType::f32;  ///< of activations and of both sides of products; sums are f32
  /// Bytes of a panel of expanded weights, all lanes together; two are held if they overlap. 0: a third of the device's
  /// cache, so that both fit, with a third for the activations that a product reads and writes.
  std::size_t panel_bytes = 0;
  bool overlap = true;                               ///< write a panel while products of the previous one run
  std::size_t logits_bytes = std::size_t{32} << 20;  ///< bytes of logits held at once
};

/// DecoderOps on device memory. Everything but the stream and the products is the same on a GPU and in the tests.
///
/// The weights that the operations read lie in device memory, as do the panels that a probe writes: its backend must
/// use the same stream. Kernels are queued; operations that return scores wait for them. Everything that a pass writes
/// lies in one block, which `begin` enlarges to what the pass needs, before it queues anything, and keeps.
template <zeroth::cuda::Stream Device, Products P>
class BasicOps {
 public:
  using Matrix = DeviceMatrix;

  /// Cosines and sines: see RotaryTableKernel.
  struct Rotary {
    Piece table;
    std::uint64_t pairs = 0;
  };

  BasicOps(Device device, P products, OpsOptions options = {})
      : device_(device),
        products_(std::move(products)),
        memory_(std::make_shared<Workspace<Device>>(std::move(device))),
        panels_(*memory_, options.dtype, panel_bytes(options), options.overlap),
        head_(*memory_, options.logits_bytes) {}

  /// Allocates for passes of that size; no pass may be in progress.
  void reserve(PassSizes const& sizes) {
    PassSizes other = sizes;
    other.by_floats = false;
    memory_->reserve(std::max(bytes(sizes), bytes(other)));
  }

  /// See DecoderOps, as for all that follows.
  void begin(PassSizes const& sizes) {
    memory_->reserve(bytes(sizes));
    memory_->begin_pass();
    if constexpr (requires { device_.collect(); }) device_.collect();
    panels_.begin(sizes);
  }

  /// Current bytes of device memory of the workspace.
  [[nodiscard]] std::size_t bytes() const noexcept { return memory_->bytes(); }

  void prepare_rotary(std::span<std::size_t const> positions, std::span<double const> frequencies, Rotary& rotary) {
    rotary.pairs = frequencies.size();
    std::size_t const values = positions.size() * frequencies.size();
    auto* const table =
        reinterpret_cast<float*>(rotary.table.reserve(*memory_, 2 * values * sizeof(float), "rotary table"));
    launch(RotaryTableKernel{rows_on_device(positions), lists().get(*memory_, frequencies), positions.size(),
                             rotary.pairs, table},
           values, "rotary table");
  }

  void embed(WeightView const& weights, std::size_t parameter, std::span<std::int32_t const> tokens, Matrix& out) {
    index_.assign(tokens.begin(), tokens.end());
    out.resize(*memory_, dtype(), weights.lanes(), tokens.size(), weights[parameter].shape.columns);
    panels_.gather(weights, parameter, index_, out.view(), /*adds=*/false);
  }

  void add_rows(WeightView const& weights, std::size_t parameter, std::span<std::size_t const> rows, Matrix& x) {
    index_.assign(rows.begin(), rows.end());
    panels_.gather(weights, parameter, index_, x.view(), /*adds=*/true);
  }

  void rms_norm(WeightView const& weights, NormTensors const& norm, Matrix const& in, float epsilon, Matrix& out) {
    resize_like(in, out);
    // Treats each run of features as a row of its own.
    std::uint64_t const width = weights[norm.gain].shape.columns;
    LaneRows const x = in.view().with_features(width);
    device_.launch(
        RmsNormKernel{x, out.view().with_features(width), panels_.vector(weights, norm.gain, 0), epsilon, norm.offset},
        x.lanes * x.rows, what("norm", weights, norm.gain));
  }

  void layer_norm(WeightView const& weights, NormTensors const& norm, Matrix const& in, float epsilon, Matrix& out) {
    resize_like(in, out);
    LaneRows const& x = in.view();
    device_.launch(LayerNormKernel{x, out.view(), panels_.vector(weights, norm.gain, 0),
                                   panels_.vector(weights, norm.bias, 1), epsilon},
                   x.lanes * x.rows, what("norm", weights, norm.gain));
  }

  void linear(WeightView const& weights, Matrix const& in, std::span<Projection<Matrix> const> projections) {
    for (Projection<Matrix> const& p : projections) {
      p.out.resize(*memory_, dtype(), in.view().lanes, in.view().rows, p.tensors.outputs(weights.tensors));
      multiply(weights, p.tensors, in.view(), p.out.view(), 1, 0);
      if (p.tensors.bias == no_tensor) continue;
      LaneRows const& out = p.out.view();
      copy_rows({panels_.vector(weights, p.tensors.bias, 0), 0, nullptr, 0, out, out.rows * out.features, out.features,
                 /*adds=*/true},
                what("bias", weights, p.tensors.bias));
    }
  }

  void add_linear(WeightView const& weights, LinearTensors const& tensors, float factor, Matrix const& in,
                  Matrix& out) {
    multiply(weights, tensors, in.view(), out.view(), factor, 1);
  }

  void rotate(Rotary const& rotary, RotaryPairing pairing, std::size_t heads, Matrix& x) {
    std::uint64_t const dim = x.view().features / heads;
    launch(RotateKernel{reinterpret_cast<float const*>(rotary.table.data()), rotary.pairs, pairing, x.view(), dim},
           x.view().size() / dim * rotary.pairs, "rotary embedding");
  }

  /// @throws InvalidArgument if heads are longer than 256
  void attend(HeadShape const& shape, std::span<Segment const> segments, Queries const& queries, Matrix const& q,
              Matrix const& k, Matrix const& v, Matrix& out) {
    resize_like(q, out);
    if (shape.head_dim <= 64) return attend<64>(shape, segments, queries, q, k, v, out);
    if (shape.head_dim <= 128) return attend<128>(shape, segments, queries, q, k, v, out);
    if (shape.head_dim <= 256) return attend<256>(shape, segments, queries, q, k, v, out);
    throw InvalidArgument("attention on CUDA takes heads of at most 256 elements, got " +
                          std::to_string(shape.head_dim));
  }

  void swiglu(Matrix& gate, Matrix const& up) {
    each(ElementwiseKernel<SwiGlu>{gate.view(), up.view().data}, "swiglu");
  }
  void geglu(Matrix& gate, Matrix const& up) { each(ElementwiseKernel<GeGlu>{gate.view(), up.view().data}, "geglu"); }
  void scale(Matrix& x, float factor) { each(ElementwiseKernel<Scale>{x.view(), nullptr, {factor}}, "scale"); }
  void relu(Matrix& x) { each(ElementwiseKernel<Relu>{x.view(), nullptr}, "relu"); }
  void add(Matrix& x, Matrix const& y) { each(ElementwiseKernel<Add>{x.view(), y.view().data}, "add"); }

  void gather(Matrix const& in, std::span<std::size_t const> rows, Matrix& out) {
    LaneRows const& from = in.view();
    out.resize(*memory_, from.dtype, from.lanes, rows.size(), from.features);
    copy_rows({{from.data, from.dtype, from.rows * from.features},
               from.features,
               rows_on_device(rows),
               0,
               out.view(),
               rows.size() * from.features,
               from.features,
               /*adds=*/false},
              "gather");
  }

  void put_rows(Matrix const& in, std::size_t at, Matrix& x) {
    LaneRows from = in.view();
    x.extend(device_, from.dtype, at + from.rows, at, from.features);
    LaneRows to = from;
    to.data = advanced(from.dtype, x.view().data, at * from.features);
    copy_rows({{from.data, from.dtype, 0}, from.features, nullptr, 0, to, 0, from.features, /*adds=*/false},
              "keys and values");
  }

  void logits(WeightView const& weights, std::size_t head, Matrix const& in, std::span<ScoreRequest const> requests,
              std::span<double> out) {
    head_.logits(products_, panels_, weights, head, in.view(), requests, out);
  }

  void log_probabilities(WeightView const& weights, std::size_t head, Matrix const& in, float soft_cap,
                         std::span<ScoreRequest const> requests, std::span<double> out) {
    head_.log_probabilities(products_, panels_, weights, head, in.view(), soft_cap, requests, out);
  }

  [[nodiscard]] DataType dtype() const noexcept { return panels_.dtype(); }

 private:
  [[nodiscard]] std::size_t panel_bytes(OpsOptions const& options) const {
    if (options.panel_bytes != 0) return options.panel_bytes;
    if constexpr (zeroth::cuda::StreamWithSide<Device>)
      return device_.cache_bytes() / 3;
    else
      return std::size_t{16} << 20;
  }

  static std::string what(char const* operation, WeightView const& weights, std::size_t parameter) {
    return std::string(operation) + " of '" + weights[parameter].name + "'";
  }

  [[nodiscard]] UploadedLists& lists() noexcept { return panels_.lists(); }

  /// Bytes of the workspace that a pass needs.
  [[nodiscard]] std::size_t bytes(PassSizes const& sizes) const noexcept {
    std::size_t result = panels_.bytes(sizes) + head_.bytes(sizes);
    auto add = [&](std::size_t piece) { result += Workspace<Device>::piece_bytes(piece); };
    for (std::size_t width : sizes.widths) add(sizes.lanes * sizes.rows * width * size_of(dtype()));
    for (std::size_t t = 0; t < sizes.rotary_tables; ++t) add(2 * sizes.rows * sizes.pairs * sizeof(float));
    // Lists: positions, rows and tiles of all rows and of the scored ones; tokens, frequencies, rows of the head.
    constexpr std::size_t least_queries = AttentionKernel<256>::queries;
    auto add_lists = [&](std::size_t rows) {
      result += rows * 3 * sizeof(std::uint64_t) + (rows / least_queries + sizes.spans) * sizeof(AttentionTile);
    };
    add_lists(sizes.rows);
    add_lists(sizes.scored);
    result += (sizes.rows + sizes.rotary_tables * sizes.pairs + sizes.requests) * sizeof(std::uint64_t);
    // A dozen lists, and those of the head's rows, each at an aligned start.
    return result + (16 + std::min(sizes.requests, UploadedLists::kept_lists)) * Workspace<Device>::piece_bytes(1);
  }

  [[nodiscard]] std::uint64_t const* rows_on_device(std::span<std::size_t const> rows) {
    index_.assign(rows.begin(), rows.end());
    return lists().get(*memory_, std::span<std::uint64_t const>(index_));
  }

  void resize_like(Matrix const& in, Matrix& out) {
    LaneRows const& x = in.view();
    out.resize(*memory_, x.dtype, x.lanes, x.rows, x.features);
  }

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t threads, std::string const& what) {
    device_.launch(kernel, (threads + block_threads - 1) / block_threads, what);
  }
  template <class Operation>
  void each(ElementwiseKernel<Operation> const& kernel, char const* what) {
    constexpr std::uint64_t of_thread = ElementwiseKernel<Operation>::size;
    launch(kernel, (kernel.x.size() + of_thread - 1) / of_thread, what);
  }
  void copy_rows(CopyRowsKernel const& kernel, std::string const& what) { launch(kernel, kernel.to.size(), what); }

  /// out = alpha in W^T + beta out, one panel of W at a time.
  void multiply(WeightView const& weights, LinearTensors const& tensors, LaneRows const& in, LaneRows const& out,
                float alpha, float beta) {
    std::size_t const parameter = tensors.weight;
    std::string const name = what("product", weights, parameter);
    std::uint64_t const height = panels_.height(weights, parameter);
    for (std::uint64_t first = 0; first < out.features; first += height) {
      std::uint64_t const rows = std::min(height, out.features - first);
      LaneWeights const panel = panels_.rows(weights, parameter, tensors.first + first, rows);
      // Lanes with the same weights form one product.
      bool const same = panel.lane_stride == 0;
      products_.run({.batch = same ? 1 : in.lanes,
                     .rows = same ? in.lanes * in.rows : in.rows,
                     .outputs = rows,
                     .columns = in.features,
                     .dtype = in.dtype,
                     .out_dtype = out.dtype,
                     .in = in.data,
                     .in_stride = in.rows * in.features,
                     .weights = panel.data,
                     .weights_stride = panel.lane_stride,
                     .out = advanced(out.dtype, out.data, first),
                     .out_stride = out.rows * out.features,
                     .out_row = out.features,
                     .alpha = alpha,
                     .beta = beta},
                    name);
    }
  }

  template <unsigned most_dim>
  void attend(HeadShape const& shape, std::span<Segment const> segments, Queries const& queries, Matrix const& q,
              Matrix const& k, Matrix const& v, Matrix& out) {
    using Kernel = AttentionKernel<most_dim>;
    tiles_.clear();
    for (QuerySpan const& span : queries.spans) {
      Segment const& segment = segments[span.segment];
      for (std::size_t first = 0; first < span.count; first += Kernel::queries)
        tiles_.push_back({span.first + first, std::min<std::size_t>(Kernel::queries, span.count - first), segment.begin,
                          segment.prefix_begin, segment.prefix_length});
    }
    Kernel const kernel{q.view(),
                        k.view(),
                        v.view(),
                        out.view(),
                        lists().get(*memory_, std::span<AttentionTile const>(tiles_)),
                        tiles_.size(),
                        rows_on_device(queries.rows),
                        shape.heads,
                        shape.kv_heads,
                        static_cast<unsigned>(shape.head_dim),
                        shape.window,
                        shape.scale,
                        shape.soft_cap};
    device_.launch(kernel, q.view().lanes * shape.heads * tiles_.size(), "attention");
  }

  Device device_;
  P products_;
  std::shared_ptr<Workspace<Device>> memory_;  // shared by copies of the operations, one pass at a time
  WeightPanels<Device> panels_;
  DeviceHead<Device, P> head_;
  std::vector<std::uint64_t> index_;
  std::vector<AttentionTile> tiles_;
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

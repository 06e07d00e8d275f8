// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/cpu/activations.hpp>
#include <zeroth_model/ops/cpu/attention.hpp>
#include <zeroth_model/ops/cpu/head.hpp>
#include <zeroth_model/ops/cpu/kernels.hpp>
#include <zeroth_model/ops/cpu/panels.hpp>
#include <zeroth_model/ops/cpu/products.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// DecoderOps on the CPU without a library: products in registers over blocks of 16 tokens. Everything is f32 except
/// the factors of products with weights, which may be bf16; see cpu::Products.
///
/// Results have the same bits with every executor and, in f32, with AVX2 and AVX-512; the portable code may round
/// differently if the target has no fused multiply-add.
class CpuOps {
 public:
  using Matrix = Activations;

  /// Cosines and sines: for each block of 16 rows and each pair, 16 cosines, then 16 sines.
  struct Rotary {
    AlignedFloats table;
    std::size_t rows = 0;
    std::size_t pairs = 0;
  };

  /// @param compute factor type of products with weights, f32 or bf16; sums are f32
  /// @throws InvalidArgument if this processor does not support `set`, or if `compute` is f16.
  explicit CpuOps(AnyExecutor executor = {}, InstructionSet set = best_instruction_set(),
                  DataType compute = DataType::f32)
      : executor_(executor),
        kernels_(cpu::kernels_for(set)),
        pool_(std::make_unique<ScratchPool>()),
        products_(set, compute) {
    if (!is_supported(set))
      throw InvalidArgument("this processor does not support the instruction set " + std::string(to_string(set)));
  }

  /// See DecoderOps, as for all that follows.
  void prepare_rotary(std::span<std::size_t const> positions, std::span<double const> frequencies, Rotary& rotary) {
    rotary.rows = positions.size();
    rotary.pairs = frequencies.size();
    std::size_t const blocks = (rotary.rows + tokens - 1) / tokens;
    float* const table = rotary.table.reserve(blocks * rotary.pairs * 2 * tokens);
    executor_.parallel_for(blocks, [&](std::size_t b) {
      for (std::size_t i = 0; i < rotary.pairs; ++i) {
        float* const at = table + (b * rotary.pairs + i) * 2 * tokens;
        for (std::size_t t = 0; t < tokens; ++t) {
          std::size_t const row = std::min(b * tokens + t, rotary.rows - 1);
          double const angle = static_cast<double>(positions[row]) * frequencies[i];
          at[t] = static_cast<float>(std::cos(angle));
          at[tokens + t] = static_cast<float>(std::sin(angle));
        }
      }
    });
  }

  void embed(WeightView const& weights, std::size_t parameter, std::span<std::int32_t const> ids, Matrix& out) {
    auto const columns = static_cast<std::size_t>(weights[parameter].shape.columns);
    out.resize(weights.lanes(), ids.size(), columns);
    executor_.parallel_for(out.blocks(), [&](std::size_t b) {
      ScratchPool::Lease scratch(*pool_);
      for (std::size_t t = 0; t < tokens; ++t) {
        std::size_t const row = std::min(b * tokens + t, ids.size() - 1);
        cpu::Panel const panel = cpu::read_panel(weights, parameter, static_cast<std::size_t>(ids[row]), 1, *scratch);
        for (std::size_t lane = 0; lane < out.lanes(); ++lane) {
          float* const to = out.block(lane, b) + t;
          for (std::size_t f = 0; f < columns; ++f) to[f * tokens] = panel.lanes[lane][f];
        }
      }
    });
  }

  void add_rows(WeightView const& weights, std::size_t parameter, std::span<std::size_t const> rows, Matrix& x) {
    executor_.parallel_for(x.blocks(), [&](std::size_t b) {
      ScratchPool::Lease scratch(*pool_);
      for (std::size_t t = 0; t < tokens; ++t) {
        std::size_t const row = std::min(b * tokens + t, rows.size() - 1);
        cpu::Panel const panel = cpu::read_panel(weights, parameter, rows[row], 1, *scratch);
        for (std::size_t lane = 0; lane < x.lanes(); ++lane) {
          float* const to = x.block(lane, b) + t;
          for (std::size_t f = 0; f < x.features(); ++f) to[f * tokens] += panel.lanes[lane][f];
        }
      }
    });
  }

  void rms_norm(WeightView const& weights, NormTensors const& norm, Matrix const& in, float epsilon, Matrix& out) {
    out.resize(in.lanes(), in.rows(), in.features());
    ScratchPool::Lease scratch(*pool_);
    cpu::Panel const gain = cpu::read_panel(weights, norm.gain, 0, 1, *scratch);
    auto const width = static_cast<std::size_t>(weights[norm.gain].shape.columns);
    for_each_block(in, [&](std::size_t lane, std::size_t b) {
      float const* const gains = gain.lanes[lane];
      for (std::size_t first = 0; first < in.features(); first += width) {
        float const* const from = in.block(lane, b) + first * tokens;
        float* const to = out.block(lane, b) + first * tokens;
        float scale[tokens] = {};
        for (std::size_t f = 0; f < width; ++f)
          for (std::size_t t = 0; t < tokens; ++t) scale[t] += from[f * tokens + t] * from[f * tokens + t];
        for (std::size_t t = 0; t < tokens; ++t)
          scale[t] = 1.0F / std::sqrt(scale[t] / static_cast<float>(width) + epsilon);
        for (std::size_t f = 0; f < width; ++f) {
          float const factor = gains[f] + norm.offset;
          for (std::size_t t = 0; t < tokens; ++t) to[f * tokens + t] = from[f * tokens + t] * scale[t] * factor;
        }
      }
    });
  }

  void layer_norm(WeightView const& weights, NormTensors const& norm, Matrix const& in, float epsilon, Matrix& out) {
    out.resize(in.lanes(), in.rows(), in.features());
    ScratchPool::Lease gain_scratch(*pool_);
    ScratchPool::Lease bias_scratch(*pool_);
    cpu::Panel const gain = cpu::read_panel(weights, norm.gain, 0, 1, *gain_scratch);
    cpu::Panel const bias = cpu::read_panel(weights, norm.bias, 0, 1, *bias_scratch);
    auto const features = static_cast<float>(in.features());
    for_each_block(in, [&](std::size_t lane, std::size_t b) {
      float const* const from = in.block(lane, b);
      float* const to = out.block(lane, b);
      float mean[tokens] = {};
      float scale[tokens] = {};
      for (std::size_t f = 0; f < in.features(); ++f)
        for (std::size_t t = 0; t < tokens; ++t) mean[t] += from[f * tokens + t];
      for (std::size_t t = 0; t < tokens; ++t) mean[t] /= features;
      for (std::size_t f = 0; f < in.features(); ++f) {
        for (std::size_t t = 0; t < tokens; ++t) {
          float const centred = from[f * tokens + t] - mean[t];
          scale[t] += centred * centred;
        }
      }
      for (std::size_t t = 0; t < tokens; ++t) scale[t] = 1.0F / std::sqrt(scale[t] / features + epsilon);
      for (std::size_t f = 0; f < in.features(); ++f)
        for (std::size_t t = 0; t < tokens; ++t)
          to[f * tokens + t] = (from[f * tokens + t] - mean[t]) * scale[t] * gain.lanes[lane][f] + bias.lanes[lane][f];
    });
  }

  void linear(WeightView const& weights, Matrix const& in, std::span<Projection<Matrix> const> projections) {
    auto rows_of = [&](Projection<Matrix> const& p) { return p.tensors.outputs(weights.tensors); };
    std::size_t const height = products_.panel_rows(in.features());
    auto panels = [&](Projection<Matrix> const& p) { return (rows_of(p) + height - 1) / height; };
    std::size_t tasks = 0;
    for (Projection<Matrix> const& p : projections) {
      p.out.resize(in.lanes(), in.rows(), rows_of(p));
      tasks += panels(p);
    }
    products_.begin(executor_, in);
    executor_.parallel_for(tasks, [&](std::size_t task) {
      auto projection = projections.begin();
      while (task >= panels(*projection)) task -= panels(*projection++);
      Matrix& out = projection->out;
      std::size_t const first = task * height;
      std::size_t const rows = std::min(height, out.features() - first);
      ScratchPool::Lease scratch(*pool_);
      LinearTensors const& tensors = projection->tensors;
      cpu::Panel const panel = products_.panel(weights, tensors.weight, tensors.first + first, rows, *scratch);
      for (std::size_t lane = 0; lane < in.lanes(); ++lane)
        products_.multiply(panel, rows, lane, 0, in.blocks(), out.block(lane, 0) + first * tokens, out.block_size());
      if (tensors.bias != no_tensor) add_bias(weights, tensors.bias, first, rows, *scratch, out);
    });
  }

  void add_linear(WeightView const& weights, LinearTensors const& tensors, float factor, Matrix const& in,
                  Matrix& out) {
    std::size_t const height = products_.panel_rows(in.features());
    products_.begin(executor_, in);
    executor_.parallel_for((out.features() + height - 1) / height, [&](std::size_t task) {
      std::size_t const first = task * height;
      std::size_t const rows = std::min(height, out.features() - first);
      ScratchPool::Lease scratch(*pool_);
      cpu::Panel const panel = products_.panel(weights, tensors.weight, tensors.first + first, rows, *scratch,
                                               blocks_at_once * rows * tokens);
      float* const products = scratch->values.data();
      for (std::size_t lane = 0; lane < in.lanes(); ++lane) {
        for (std::size_t block = 0; block < in.blocks(); block += blocks_at_once) {
          std::size_t const blocks = std::min(blocks_at_once, in.blocks() - block);
          products_.multiply(panel, rows, lane, block, blocks, products, rows * tokens);
          for (std::size_t b = 0; b < blocks; ++b) {
            float const* const from = products + b * rows * tokens;
            float* const to = out.block(lane, block + b) + first * tokens;
            for (std::size_t i = 0; i < rows * tokens; ++i) to[i] += factor * from[i];
          }
        }
      }
    });
  }

  void rotate(Rotary const& rotary, RotaryPairing pairing, std::size_t heads, Matrix& x) {
    std::size_t const step = pairing == RotaryPairing::adjacent ? 2 : 1;             // from one pair to the next
    std::size_t const mate = pairing == RotaryPairing::adjacent ? 1 : rotary.pairs;  // from an element to its partner
    std::size_t const dim = x.features() / heads;
    for_each_block(x, [&](std::size_t lane, std::size_t b) {
      for (std::size_t head = 0; head < heads; ++head) {
        float* const base = x.block(lane, b) + head * dim * tokens;
        for (std::size_t i = 0; i < rotary.pairs; ++i) {
          float const* const angle = rotary.table.data() + (b * rotary.pairs + i) * 2 * tokens;
          float* const one = base + i * step * tokens;
          float* const two = one + mate * tokens;
          for (std::size_t t = 0; t < tokens; ++t) {
            float const u = one[t];
            float const w = two[t];
            one[t] = u * angle[t] - w * angle[tokens + t];
            two[t] = w * angle[t] + u * angle[tokens + t];
          }
        }
      }
    });
  }

  void attend(HeadShape const& shape, std::span<Segment const> segments, Queries const& queries, Matrix const& q,
              Matrix const& k, Matrix const& v, Matrix& out) {
    out.resize(q.lanes(), q.rows(), q.features());
    std::size_t const each = q.lanes() * shape.kv_heads;
    executor_.parallel_for(queries.spans.size() * each, [&](std::size_t task) {
      QuerySpan const& span = queries.spans[task / each];
      ScratchPool::Lease scratch(*pool_);
      cpu::AttentionTask const attention(kernels_, shape, segments[span.segment],
                                         queries.rows.subspan(span.first, span.count), span.first);
      attention.run(task % each / shape.kv_heads, task % shape.kv_heads, q, k, v, *scratch, out);
    });
  }

  void swiglu(Matrix& gate, Matrix const& up) {
    for_each_block(gate, [&](std::size_t lane, std::size_t b) {
      kernels_.gated_silu(gate.block_size(), gate.block(lane, b), up.block(lane, b));
    });
  }

  void geglu(Matrix& gate, Matrix const& up) {
    for_each_block(gate, [&](std::size_t lane, std::size_t b) {
      kernels_.gated_gelu(gate.block_size(), gate.block(lane, b), up.block(lane, b));
    });
  }

  void scale(Matrix& x, float factor) {
    for_each_block(x, [&](std::size_t lane, std::size_t b) {
      float* const values = x.block(lane, b);
      for (std::size_t i = 0; i < x.block_size(); ++i) values[i] *= factor;
    });
  }

  void relu(Matrix& x) {
    for_each_block(x, [&](std::size_t lane, std::size_t b) {
      float* const values = x.block(lane, b);
      for (std::size_t i = 0; i < x.block_size(); ++i) values[i] = values[i] < 0.0F ? 0.0F : values[i];
    });
  }

  void add(Matrix& x, Matrix const& y) {
    for_each_block(x, [&](std::size_t lane, std::size_t b) {
      float* const to = x.block(lane, b);
      float const* const from = y.block(lane, b);
      for (std::size_t i = 0; i < x.block_size(); ++i) to[i] += from[i];
    });
  }

  void gather(Matrix const& in, std::span<std::size_t const> rows, Matrix& out) {
    out.resize(in.lanes(), rows.size(), in.features());
    for_each_block(out, [&](std::size_t lane, std::size_t b) {
      for (std::size_t t = 0; t < tokens; ++t) {
        std::size_t const row = rows[std::min(b * tokens + t, rows.size() - 1)];
        float const* const from = in.block(lane, row / tokens) + row % tokens;
        float* const to = out.block(lane, b) + t;
        for (std::size_t f = 0; f < in.features(); ++f) to[f * tokens] = from[f * tokens];
      }
    });
  }

  void put_rows(Matrix const& in, std::size_t at, Matrix& x) {
    x.extend(at + in.rows(), at, in.features());
    for (std::size_t r = 0; r < in.rows(); ++r) {
      float const* const from = in.block(0, r / tokens) + r % tokens;
      float* const to = x.block(0, (at + r) / tokens) + (at + r) % tokens;
      for (std::size_t f = 0; f < in.features(); ++f) to[f * tokens] = from[f * tokens];
    }
  }

  void logits(WeightView const& weights, std::size_t head, Matrix const& in, std::span<ScoreRequest const> requests,
              std::span<double> out) {
    head_.logits(executor_, products_, *pool_, weights, head, in, requests, out);
  }

  void log_probabilities(WeightView const& weights, std::size_t head, Matrix const& in, float soft_cap,
                         std::span<ScoreRequest const> requests, std::span<double> out) {
    head_.log_probabilities(executor_, kernels_, products_, *pool_, weights, head, in, soft_cap, requests, out);
  }

 private:
  static constexpr std::size_t tokens = cpu::block_tokens;
  static constexpr std::size_t blocks_at_once = 8;  // blocks whose products add_linear holds in the first-level cache

  /// Adds those elements of a vector to features [first, first + count) of out.
  static void add_bias(WeightView const& weights, std::size_t parameter, std::size_t first, std::size_t count,
                       ScratchPool::Piece& scratch, Matrix& out) {
    cpu::Panel const bias = cpu::read_elements(weights, parameter, first, count, scratch);
    for (std::size_t lane = 0; lane < out.lanes(); ++lane) {
      for (std::size_t b = 0; b < out.blocks(); ++b) {
        float* const to = out.block(lane, b) + first * tokens;
        for (std::size_t f = 0; f < count; ++f)
          for (std::size_t t = 0; t < tokens; ++t) to[f * tokens + t] += bias.lanes[lane][f];
      }
    }
  }

  /// Calls body(lane, block) for every block of `x`.
  template <class Body>
  void for_each_block(Matrix const& x, Body const& body) {
    executor_.parallel_for(x.lanes() * x.blocks(),
                           [&](std::size_t task) { body(task / x.blocks(), task % x.blocks()); });
  }

  AnyExecutor executor_;
  cpu::Kernels kernels_;
  std::unique_ptr<ScratchPool> pool_;
  cpu::Products products_;
  cpu::Head head_;
};

static_assert(DecoderOps<CpuOps>);

}  // namespace zeroth::ZEROTH_ISA::model

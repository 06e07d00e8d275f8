// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <zeroth/executor.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/eigen/attention.hpp>
#include <zeroth_model/ops/eigen/head.hpp>
#include <zeroth_model/ops/eigen/lane_matrix.hpp>
#include <zeroth_model/ops/eigen/panel.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// DecoderOps on row-major activations, written with Eigen; products with weights are those of a Gemm: see EigenGemm.
/// EigenOps and OneDnnOps are its two instances.
///
/// Work is divided as a function of shapes only and each piece is one single-threaded product, so results have the same
/// bits with every executor. They may differ between builds for different instruction sets, as Eigen's products do.
/// Programs compiled with OpenMP should define EIGEN_DONT_PARALLELIZE; otherwise Eigen starts threads of its own under
/// an executor that uses none.
template <class Gemm>
class RowMajorOps {
 public:
  using Matrix = LaneMatrix;

  /// Cosine and sine for each row and pair: [rows x pairs] each.
  struct Rotary {
    std::vector<float> cosines;
    std::vector<float> sines;
    std::size_t pairs = 0;
  };

  explicit RowMajorOps(AnyExecutor executor = {}, Gemm gemm = {})
      : executor_(executor), pool_(std::make_unique<ScratchPool>()), gemm_(std::move(gemm)) {}

  /// See DecoderOps, as for all that follows.
  void prepare_rotary(std::span<std::size_t const> positions, std::span<double const> frequencies, Rotary& rotary) {
    rotary.pairs = frequencies.size();
    rotary.cosines.resize(positions.size() * rotary.pairs);
    rotary.sines.resize(rotary.cosines.size());
    executor_.parallel_for(rotary.pairs, [&](std::size_t i) {
      for (std::size_t r = 0; r < positions.size(); ++r) {
        double const angle = static_cast<double>(positions[r]) * frequencies[i];
        rotary.cosines[r * rotary.pairs + i] = static_cast<float>(std::cos(angle));
        rotary.sines[r * rotary.pairs + i] = static_cast<float>(std::sin(angle));
      }
    });
  }

  void embed(WeightView const& weights, std::size_t parameter, std::span<std::int32_t const> tokens, Matrix& out) {
    auto const columns = static_cast<std::size_t>(weights[parameter].shape.columns);
    out.resize(weights.lanes(), tokens.size(), columns);
    for_each_group(tokens.size(), [&](std::size_t first, std::size_t count) {
      ScratchPool::Lease scratch(*pool_);
      for (std::size_t r = first; r < first + count; ++r) {
        WeightPanel const panel(weights, parameter, static_cast<std::size_t>(tokens[r]), 1, *scratch);
        for (std::size_t lane = 0; lane < out.lanes(); ++lane) out.block(lane, r, 1) = panel.lane(lane);
      }
    });
  }

  void add_rows(WeightView const& weights, std::size_t parameter, std::span<std::size_t const> rows, Matrix& x) {
    for_each_group(x.rows(), [&](std::size_t first, std::size_t count) {
      ScratchPool::Lease scratch(*pool_);
      for (std::size_t r = first; r < first + count; ++r) {
        WeightPanel const panel(weights, parameter, rows[r], 1, *scratch);
        for (std::size_t lane = 0; lane < x.lanes(); ++lane) x.block(lane, r, 1) += panel.lane(lane);
      }
    });
  }

  void rms_norm(WeightView const& weights, NormTensors const& norm, Matrix const& in, float epsilon, Matrix& out) {
    out.resize(in.lanes(), in.rows(), in.features());
    ScratchPool::Lease scratch(*pool_);
    WeightPanel const gain(weights, norm.gain, 0, 1, *scratch);
    Eigen::Index const width = gain.lane(0).cols();
    for_each_row(in, [&](std::size_t lane, std::size_t r) {
      for (Eigen::Index first = 0; first < static_cast<Eigen::Index>(in.features()); first += width) {
        ConstMatrixMap const x(in.row(lane, r) + first, 1, width);
        MatrixMap to(out.row(lane, r) + first, 1, width);
        float const scale = 1.0F / std::sqrt(x.array().square().mean() + epsilon);
        to.array() = x.array() * scale * (gain.lane(lane).array() + norm.offset);
      }
    });
  }

  void layer_norm(WeightView const& weights, NormTensors const& norm, Matrix const& in, float epsilon, Matrix& out) {
    out.resize(in.lanes(), in.rows(), in.features());
    ScratchPool::Lease gain_scratch(*pool_);
    ScratchPool::Lease bias_scratch(*pool_);
    WeightPanel const gain(weights, norm.gain, 0, 1, *gain_scratch);
    WeightPanel const bias(weights, norm.bias, 0, 1, *bias_scratch);
    for_each_row(in, [&](std::size_t lane, std::size_t r) {
      auto const x = in.block(lane, r, 1).array();
      float const mean = ordered_sum(in.row(lane, r), in.features()) / static_cast<float>(in.features());
      float const scale = 1.0F / std::sqrt((x - mean).square().mean() + epsilon);
      out.block(lane, r, 1).array() = (x - mean) * scale * gain.lane(lane).array() + bias.lane(lane).array();
    });
  }

  void linear(WeightView const& weights, Matrix const& in, std::span<Projection<Matrix> const> projections) {
    auto rows_of = [&](Projection<Matrix> const& p) { return p.tensors.outputs(weights.tensors); };
    auto height_of = [&](Projection<Matrix> const& p) { return gemm_.panel_rows(rows_of(p), in.features()); };
    auto panels_of = [&](Projection<Matrix> const& p) { return (rows_of(p) + height_of(p) - 1) / height_of(p); };
    std::size_t tasks = 0;
    for (Projection<Matrix> const& p : projections) {
      p.out.resize(in.lanes(), in.rows(), rows_of(p));
      tasks += panels_of(p);
    }
    gemm_.begin(executor_, in);
    executor_.parallel_for(tasks, [&](std::size_t task) {
      auto p = projections.begin();
      while (task >= panels_of(*p)) task -= panels_of(*p++);
      std::size_t const first = task * height_of(*p);
      std::size_t const rows = std::min(height_of(*p), rows_of(*p) - first);
      ScratchPool::Lease scratch(*pool_);
      auto columns = [&](std::size_t lane) {
        return p->out.lane(lane).middleCols(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(rows));
      };
      {
        auto const panel = gemm_.panel(weights, p->tensors.weight, p->tensors.first + first, rows, *scratch);
        for (std::size_t lane = 0; lane < in.lanes(); ++lane)
          gemm_.multiply(in, lane, 0, in.rows(), panel, *scratch, columns(lane));
      }
      if (p->tensors.bias == no_tensor) return;
      WeightPanel const bias = WeightPanel::elements(weights, p->tensors.bias, first, rows, *scratch);
      for (std::size_t lane = 0; lane < in.lanes(); ++lane) columns(lane).rowwise() += bias.lane(lane).row(0);
    });
  }

  void add_linear(WeightView const& weights, LinearTensors const& tensors, float factor, Matrix const& in,
                  Matrix& out) {
    std::size_t const height = gemm_.panel_rows(out.features(), in.features());
    gemm_.begin(executor_, in);
    executor_.parallel_for((out.features() + height - 1) / height, [&](std::size_t task) {
      std::size_t const first = task * height;
      std::size_t const rows = std::min(height, out.features() - first);
      ScratchPool::Lease scratch(*pool_);
      auto const panel = gemm_.panel(weights, tensors.weight, tensors.first + first, rows, *scratch);
      for (std::size_t lane = 0; lane < in.lanes(); ++lane)
        gemm_.add(in, lane, factor, panel, *scratch,
                  out.lane(lane).middleCols(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(rows)));
    });
  }

  void rotate(Rotary const& rotary, RotaryPairing pairing, std::size_t heads, Matrix& x) {
    std::size_t const step = pairing == RotaryPairing::adjacent ? 2 : 1;             // from one pair to the next
    std::size_t const mate = pairing == RotaryPairing::adjacent ? 1 : rotary.pairs;  // from an element to its partner
    std::size_t const dim = x.features() / heads;
    for_each_group(x.rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t lane = 0; lane < x.lanes(); ++lane) {
        for (std::size_t r = first; r < first + count; ++r) {
          float const* const cosines = rotary.cosines.data() + r * rotary.pairs;
          float const* const sines = rotary.sines.data() + r * rotary.pairs;
          for (std::size_t head = 0; head < heads; ++head) {
            float* const values = x.row(lane, r) + head * dim;
            for (std::size_t i = 0; i < rotary.pairs; ++i) {
              float& a = values[i * step];
              float& b = values[i * step + mate];
              float const turned = a * cosines[i] - b * sines[i];
              b = b * cosines[i] + a * sines[i];
              a = turned;
            }
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
      EigenAttention const attention(shape, segments[span.segment], queries, span);
      attention.run(task % each / shape.kv_heads, task % shape.kv_heads, q, k, v, scratch->values, out);
    });
  }

  void swiglu(Matrix& gate, Matrix const& up) {
    for_each_group(gate.rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t lane = 0; lane < gate.lanes(); ++lane) {
        auto g = gate.block(lane, first, count).array();
        g = g / (1.0F + (-g).exp()) * up.block(lane, first, count).array();
      }
    });
  }

  void geglu(Matrix& gate, Matrix const& up) {
    for_each_group(gate.rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t lane = 0; lane < gate.lanes(); ++lane) {
        auto g = gate.block(lane, first, count).array();
        // 2 sqrt(2 / pi) (x + 0.044715 x^3)
        g = g / (1.0F + (-g * (g * g * 0.0713548163F + 1.5957691216F)).exp()) * up.block(lane, first, count).array();
      }
    });
  }

  void scale(Matrix& x, float factor) {
    for_each_group(x.rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t lane = 0; lane < x.lanes(); ++lane) x.block(lane, first, count) *= factor;
    });
  }

  void relu(Matrix& x) {
    for_each_group(x.rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t lane = 0; lane < x.lanes(); ++lane) {
        float* const values = x.row(lane, first);
        for (std::size_t i = 0; i < count * x.features(); ++i) values[i] = values[i] < 0.0F ? 0.0F : values[i];
      }
    });
  }

  void add(Matrix& x, Matrix const& y) {
    for_each_group(x.rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t lane = 0; lane < x.lanes(); ++lane) x.block(lane, first, count) += y.block(lane, first, count);
    });
  }

  void gather(Matrix const& in, std::span<std::size_t const> rows, Matrix& out) {
    out.resize(in.lanes(), rows.size(), in.features());
    for_each_group(rows.size(), [&](std::size_t first, std::size_t count) {
      for (std::size_t lane = 0; lane < in.lanes(); ++lane)
        for (std::size_t r = first; r < first + count; ++r) out.block(lane, r, 1) = in.block(lane, rows[r], 1);
    });
  }

  void put_rows(Matrix const& in, std::size_t at, Matrix& x) {
    x.extend(at + in.rows(), at, in.features());
    x.block(0, at, in.rows()) = in.lane(0);
  }

  void logits(WeightView const& weights, std::size_t head, Matrix const& in, std::span<ScoreRequest const> requests,
              std::span<double> out) {
    head_.logits(executor_, gemm_, *pool_, weights, head, in, requests, out);
  }

  void log_probabilities(WeightView const& weights, std::size_t head, Matrix const& in, float soft_cap,
                         std::span<ScoreRequest const> requests, std::span<double> out) {
    head_.log_probabilities(executor_, gemm_, *pool_, weights, head, in, soft_cap, requests, out);
  }

 private:
  /// Rows per task of an elementwise operation.
  static constexpr std::size_t group = 32;

  /// Calls body(first, count) for groups of rows.
  template <class Body>
  void for_each_group(std::size_t rows, Body const& body) {
    executor_.parallel_for((rows + group - 1) / group,
                           [&](std::size_t task) { body(task * group, std::min(group, rows - task * group)); });
  }

  /// Calls body(lane, row) for each row of each lane.
  template <class Body>
  void for_each_row(Matrix const& x, Body const& body) {
    for_each_group(x.rows(), [&](std::size_t first, std::size_t count) {
      for (std::size_t lane = 0; lane < x.lanes(); ++lane)
        for (std::size_t r = first; r < first + count; ++r) body(lane, r);
    });
  }

  AnyExecutor executor_;
  std::unique_ptr<ScratchPool> pool_;
  Gemm gemm_;
  EigenHead head_;
};

}  // namespace zeroth::ZEROTH_ISA::model

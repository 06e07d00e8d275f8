// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include <Eigen/Core>

#include <zeroth_model/decoder/scratch.hpp>

namespace zeroth::ZEROTH_ISA::model {

using RowMajorMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixMap = Eigen::Map<RowMajorMatrix>;
using ConstMatrixMap = Eigen::Map<RowMajorMatrix const>;

/// Activations of all lanes of a probe: lanes x rows x features, row-major. Keeps its memory between uses.
class LaneMatrix {
 public:
  /// Sets the sizes; the contents are undefined afterwards.
  void resize(std::size_t lanes, std::size_t rows, std::size_t features) {
    lanes_ = lanes;
    rows_ = rows;
    features_ = features;
    values_.reserve(lanes * rows * features);
  }

  /// One lane of `rows` rows; keeps the contents of the first `kept`.
  void extend(std::size_t rows, std::size_t kept, std::size_t features) {
    lanes_ = 1;
    rows_ = rows;
    features_ = features;
    values_.extend(rows * features, kept * features);
  }

  [[nodiscard]] std::size_t lanes() const noexcept { return lanes_; }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t features() const noexcept { return features_; }

  [[nodiscard]] float* row(std::size_t lane, std::size_t r) noexcept {
    return values_.data() + (lane * rows_ + r) * features_;
  }
  [[nodiscard]] float const* row(std::size_t lane, std::size_t r) const noexcept {
    return values_.data() + (lane * rows_ + r) * features_;
  }

  /// Rows [first, first + count) of a lane, [count x features].
  [[nodiscard]] MatrixMap block(std::size_t lane, std::size_t first, std::size_t count) noexcept {
    return {row(lane, first), static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(features_)};
  }
  [[nodiscard]] ConstMatrixMap block(std::size_t lane, std::size_t first, std::size_t count) const noexcept {
    return {row(lane, first), static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(features_)};
  }

  /// A whole lane, [rows x features].
  [[nodiscard]] MatrixMap lane(std::size_t lane) noexcept { return block(lane, 0, rows_); }
  [[nodiscard]] ConstMatrixMap lane(std::size_t lane) const noexcept { return block(lane, 0, rows_); }

 private:
  AlignedFloats values_;
  std::size_t lanes_ = 0;
  std::size_t rows_ = 0;
  std::size_t features_ = 0;
};

/// The sum of `count` values, in an order that does not depend on their address: Eigen's own sum of values in memory
/// begins its vectors at an aligned address, so rows of odd length would round differently from lane to lane.
[[nodiscard]] inline float ordered_sum(float const* values, std::size_t count) noexcept {
  constexpr std::size_t width = 16;
  float partial[width] = {};
  std::size_t i = 0;
  for (; i + width <= count; i += width)
    for (std::size_t k = 0; k < width; ++k) partial[k] += values[i + k];
  for (std::size_t k = 0; i + k < count; ++k) partial[k] += values[i + k];
  float sum = 0;
  for (float value : partial) sum += value;
  return sum;
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth_model/weights/decoder_weights.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// Calls write(span of floats) with the rows of a tensor one after the other; row r is row `stored_row(r)` of the
/// parameter. For a vector there is one call with all elements; element r is its element `stored_row(r)` plus `added`.
template <class StoredRow, class Write>
void for_each_row(DecoderWeights const& weights, std::size_t parameter, StoredRow const& stored_row, Write const& write,
                  float added = 0) {
  WeightTensor const& p = weights.weight_tensors()[parameter];
  std::vector<float> row(static_cast<std::size_t>(p.shape.columns));
  if (p.role != Role::vector) {
    for (std::uint64_t r = 0; r < p.shape.rows; ++r) {
      weights.read(parameter, stored_row(static_cast<std::size_t>(r)) * p.shape.columns, row);
      write(std::span<float const>(row));
    }
    return;
  }
  std::vector<float> values(row.size());
  weights.read(parameter, 0, values);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = values[stored_row(i)];
  if (added != 0)  // adding 0 would change a negative zero
    for (float& value : row) value += added;
  write(std::span<float const>(row));
}

}  // namespace zeroth::ZEROTH_ISA::model::detail

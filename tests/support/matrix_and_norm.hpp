// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "tensors.hpp"

namespace zeroth_test {

/// A small model to tune: a matrix of 300 weights and a vector of 9.
struct MatrixAndNorm {
  Tensors tensors;
  MatrixAndNorm() {
    tensors.add("w", normal_weights(300, 1));
    tensors.add("norm", zeroth::Role::vector, normal_weights(9, 2, 1.0F));
  }
  [[nodiscard]] zeroth::ParameterSet const& parameters() const { return tensors.parameters; }
  [[nodiscard]] std::vector<std::uint32_t> bits() const { return zeroth_test::bits(tensors.all()); }
};

}  // namespace zeroth_test

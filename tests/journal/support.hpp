// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>

#include "objectives.hpp"
#include "tensors.hpp"

namespace zeroth_test {

/// A few small tensors, a loss over them, and optimizers that tune them.
struct SmallRun {
  Tensors tensors;

  SmallRun() {
    tensors.add("blk.0.w", normal_weights(201, 1));
    tensors.add("blk.0.norm", zeroth::Role::vector, normal_weights(9, 2, 1.0F));
    tensors.add("blk.1.w", normal_weights(130, 3));
  }
  [[nodiscard]] zeroth::ParameterSet const& parameters() const { return tensors.parameters; }
  [[nodiscard]] std::vector<std::uint32_t> bits() const { return zeroth_test::bits(tensors.all()); }

  static double loss(std::span<float const> theta) {
    double sum = 0;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      double const t = double{theta[i]} - 0.01 * static_cast<double>(i % 7);
      sum += t * t + 0.1 * t;
    }
    return sum;
  }
  [[nodiscard]] auto fused() const { return zeroth_test::fused(parameters(), loss); }
  [[nodiscard]] auto in_place() const { return zeroth_test::in_place(parameters(), loss); }

  using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::SmallestMagnitude, zeroth::CpuBackend>;
  static zeroth::Options options() { return {.learning_rate = 1e-3, .samples = 2, .seed = 8}; }
};

}  // namespace zeroth_test

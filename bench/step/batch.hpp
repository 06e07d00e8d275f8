// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <zeroth/random/data_order.hpp>
#include <zeroth_model/decoder/scoring.hpp>

#include "case.hpp"

namespace zeroth_bench {

/// A batch of random tokens, each sequence with two candidates of one token. Special tokens are unsuitable: those that
/// a model was not trained with may have equal rows in the head, and the loss would carry no information.
[[nodiscard]] inline std::vector<zeroth::model::Example> random_batch(std::size_t tokens, std::uint32_t vocabulary) {
  std::vector<zeroth::model::Example> result;
  std::size_t const length = tokens / batch_size;
  for (std::size_t i = 0; i < batch_size; ++i) {
    zeroth::model::Example example{{}, {{1000}, {2000}}, 0};
    for (std::size_t t = 0; t < length; ++t)
      example.prompt.push_back(static_cast<std::int32_t>(zeroth::draw_example(1, 0, i * length + t, vocabulary)));
    result.push_back(std::move(example));
  }
  return result;
}

}  // namespace zeroth_bench

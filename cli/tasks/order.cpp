// SPDX-License-Identifier: MIT
#include "order.hpp"

#include <numeric>
#include <utility>

#include <zeroth/random/data_order.hpp>

namespace zeroth::cli {

std::vector<std::uint32_t> permutation(std::uint64_t seed, std::uint32_t epoch, std::uint32_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  for (std::uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[draw_example(seed, epoch, i, i)]);
  return order;
}

std::vector<std::uint32_t> batch_of_step(std::uint64_t seed, std::uint64_t step, std::uint32_t batch_size,
                                         std::uint32_t count) {
  std::vector<std::uint32_t> batch;
  batch.reserve(batch_size);
  while (batch.size() < batch_size) {
    std::uint64_t const position = step * batch_size + batch.size();
    // Recomputed at each step, which takes microseconds: no state that could go wrong.
    std::vector<std::uint32_t> const order = permutation(seed, static_cast<std::uint32_t>(position / count), count);
    for (std::uint64_t i = position % count; i < count && batch.size() < batch_size; ++i) batch.push_back(order[i]);
  }
  return batch;
}

}  // namespace zeroth::cli

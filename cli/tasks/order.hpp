// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace zeroth::cli {

/// A permutation of [0, count) that is a pure function of its arguments (Fisher-Yates over Philox).
[[nodiscard]] std::vector<std::uint32_t> permutation(std::uint64_t seed, std::uint32_t epoch, std::uint32_t count);

/// The examples of batch `step`, indices into `count` training examples: the pass over a sequence of permutations, one
/// an epoch, that `step` batches of `batch_size` before it have left off at. A pure function of its arguments.
[[nodiscard]] std::vector<std::uint32_t> batch_of_step(std::uint64_t seed, std::uint64_t step, std::uint32_t batch_size,
                                                       std::uint32_t count);

}  // namespace zeroth::cli

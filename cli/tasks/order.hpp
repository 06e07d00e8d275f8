// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace zeroth::cli {

/// A permutation of [0, count) that is a pure function of its arguments (Fisher-Yates over Philox).
[[nodiscard]] std::vector<std::uint32_t> permutation(std::uint64_t seed, std::uint32_t epoch, std::uint32_t count);

/// The examples of batch `step`, as indices into `count` training examples: batches run through a sequence of
/// permutations, one per epoch, and each continues where the one before ended. A pure function of its arguments.
[[nodiscard]] std::vector<std::uint32_t> batch_of_step(std::uint64_t seed, std::uint64_t step, std::uint32_t batch_size,
                                                       std::uint32_t count);

}  // namespace zeroth::cli

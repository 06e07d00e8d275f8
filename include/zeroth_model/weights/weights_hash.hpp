// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/executor.hpp>
#include <zeroth/journal/weight_hash.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The hash of all weights in host memory, as f32: that of hash_weights() of their parameters, whether they are numbers
/// or held as stored.
[[nodiscard]] inline std::uint64_t hash_weights(DecoderWeights const& weights, AnyExecutor executor) {
  constexpr std::uint64_t chunk = std::uint64_t{1} << 16;
  std::uint64_t hash = 0;
  for (WeightTensor const& tensor : weights.weight_tensors()) {
    std::uint32_t const stream = stream_of(tensor.name);
    std::vector<std::uint64_t> sums(static_cast<std::size_t>((tensor.size() + chunk - 1) / chunk), 0);
    executor.parallel_for(sums.size(), [&](std::size_t i) {
      std::uint64_t element = i * chunk;
      std::vector<float> values(static_cast<std::size_t>(std::min(chunk, tensor.size() - element)));
      decode_values(tensor, element, values);
      for (float value : values) sums[i] += weight_hash(stream, element++, bits_of(value));
    });
    for (std::uint64_t sum : sums) hash += sum;
  }
  return hash;
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// Decodes a whole tensor of a file into a parameter: in place if the parameter is f32 on the host, otherwise part by
/// part, so that the tensor is never held twice.
/// @throws InvalidFile naming `source` and the tensor, if a value is out of the parameter's range
inline void load_tensor(TensorType type, std::span<std::byte const> bytes, DecoderWeights& weights,
                        std::size_t parameter, std::string const& source) {
  Parameter const& p = weights.parameters()[parameter];
  if (p.dtype == DataType::f32 && weights.on_host()) return dequantize(type, bytes, weights.values(parameter));
  TensorTypeTraits const traits = *find_tensor_type(static_cast<std::uint32_t>(type));
  // Multiples of every block size; parts for a device are larger because each copy has a fixed cost.
  std::size_t const part_values = weights.on_host() ? 16384 : std::size_t{1} << 20;
  std::vector<float> part(static_cast<std::size_t>(std::min<std::uint64_t>(part_values, p.size())));
  for (std::uint64_t first = 0; first < p.size(); first += part_values) {
    auto const values =
        std::span(part).first(static_cast<std::size_t>(std::min<std::uint64_t>(part_values, p.size() - first)));
    std::size_t const blocks = values.size() / traits.block_values * traits.block_bytes;
    dequantize(type, bytes.subspan(first / traits.block_values * traits.block_bytes, blocks), values);
    try {
      weights.write(parameter, first, values);
    } catch (InvalidArgument const& error) {
      throw InvalidFile(source + ": " + error.what());
    }
  }
}

}  // namespace zeroth::ZEROTH_ISA::model::detail

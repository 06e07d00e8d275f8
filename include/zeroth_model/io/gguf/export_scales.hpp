// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth_model/adapter/block_scales.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// A copy of a tensor's blocks with these scales, each rounded to the block's own precision.
/// @throws InvalidArgument naming the tensor, if a scale is out of a half's range
inline std::vector<std::byte> with_scales(WeightTensor const& tensor, std::span<float const> scales) {
  TensorTypeTraits const traits = *find_tensor_type(tensor.type);
  auto const* const stored = static_cast<std::byte const*>(tensor.data);
  std::vector<std::byte> blocks(stored, stored + tensor.bytes());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    std::byte* const scale = blocks.data() + i * traits.block_bytes + traits.scale_at;
    if (tensor.type == TensorType::q8_k) {
      std::memcpy(scale, &scales[i], sizeof(float));
      continue;
    }
    std::uint16_t const half = float_to_half(scales[i]);
    if (std::abs(scales[i]) >= 65520.0F)
      throw InvalidArgument("tensor '" + tensor.name + "': expected scales in the range of f16, found " +
                            number_text(static_cast<double>(scales[i])));
    std::memcpy(scale, &half, sizeof half);
  }
  return blocks;
}

}  // namespace detail

/// Writes a copy of a GGUF file with other scales: a file of the same size and types, which everything that runs the
/// one runs. Each scale is rounded to nearest half, as blocks hold it.
/// @param source the file, in one part, that the weights under the scales were mapped from
/// @throws InvalidFile if it cannot be written; InvalidArgument if the model is in several parts, or a scale is out of
///   a half's range
inline void save_scales_gguf(std::string const& path, GgufFile const& source, BlockScales const& scales) {
  if (source.parts() != 1)
    throw InvalidArgument(path + ": expected scales of a model in one file, found " + std::to_string(source.parts()) +
                          " in " + source.path() + "; llama.cpp's gguf-split joins them");
  std::span<std::byte const> const bytes = source.file_bytes();
  std::vector<WeightTensor const*> tuned;
  for (WeightTensor const& tensor : scales.weight_tensors())
    if (tensor.tuned == Tuned::scales) tuned.push_back(&tensor);
  std::sort(tuned.begin(), tuned.end(), [](auto const* a, auto const* b) { return a->data < b->data; });
  AtomicFile file(path);
  std::byte const* next = bytes.data();
  for (WeightTensor const* tensor : tuned) {
    auto const* const stored = static_cast<std::byte const*>(tensor->data);
    file.write(std::span(next, stored));
    std::vector<std::byte> const blocks = detail::with_scales(*tensor, scales.values(tensor->parameter));
    file.write(std::span<std::byte const>(blocks));
    next = stored + blocks.size();
  }
  file.write(std::span(next, bytes.data() + bytes.size()));
  file.commit();
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/model/decoder_weights.hpp>
#include <zeroth/model/format/gguf.hpp>
#include <zeroth/model/format/gguf_writer.hpp>
#include <zeroth/model/load_gguf.hpp>

namespace zeroth::model {

/// Writes `weights` to `path` as a GGUF file of F32 tensors with the metadata (tokenizer included) of `source`, the
/// file they were loaded from. Loading it gives the same bits. `path` may be the source's own.
///
/// @throws InvalidFile if it cannot be written, InvalidArgument if `source` is of another configuration.
inline void save_gguf(std::string path, GgufFile const& source, DecoderWeights const& weights) {
  if (read_decoder_config(source) != weights.config())
    throw InvalidArgument(path + ": the metadata of " + source.path() + " describe a decoder of another configuration");
  GgufWriter writer(std::move(path));
  writer.copy_metadata(source);
  for (Parameter const& p : weights.parameters()) {
    std::array<std::uint64_t, 2> const dims{p.shape.columns, p.shape.rows};
    writer.add_tensor(p.name, std::span(dims).first(p.role == Role::vector ? 1 : 2));
  }
  for (std::size_t i = 0; i < weights.parameters().size(); ++i)
    writer.write(weights.parameters()[i].name, weights.values(i));
  writer.commit();
}

}  // namespace zeroth::model

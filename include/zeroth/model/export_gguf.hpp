// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/model/decoder_weights.hpp>
#include <zeroth/model/format/gguf.hpp>
#include <zeroth/model/format/gguf_writer.hpp>
#include <zeroth/model/format/tensor_type.hpp>
#include <zeroth/model/load_gguf.hpp>

namespace zeroth::model {

/// Writes `weights` to `path` as one GGUF file with the metadata (tokenizer included) of `source`, the file they were
/// loaded from. `path` may be the source's own.
///
/// @param type of the matrices: f32, f16 or bf16; vectors (of norms) are F32 in any case, as llama.cpp wants them.
///   Loading an F32 file gives the same bits; for the others each weight is rounded to nearest even.
/// @throws InvalidFile if it cannot be written, InvalidArgument if `source` is of another configuration, `type` is
///   another one, or a weight is out of its range.
inline void save_gguf(std::string path, GgufFile const& source, DecoderWeights const& weights,
                      TensorType type = TensorType::f32) {
  if (read_decoder_config(source) != weights.config())
    throw InvalidArgument(path + ": the metadata of " + source.path() + " describe a decoder of another configuration");
  GgufWriter writer(std::move(path));
  writer.copy_metadata(source);
  writer.set("general.file_type", gguf_file_type(type));
  for (Parameter const& p : weights.parameters()) {
    std::array<std::uint64_t, 2> const dims{p.shape.columns, p.shape.rows};
    bool const vector = p.role == Role::vector;
    writer.add_tensor(p.name, std::span(dims).first(vector ? 1 : 2), vector ? TensorType::f32 : type);
  }
  for (std::size_t i = 0; i < weights.parameters().size(); ++i)
    writer.write(weights.parameters()[i].name, weights.values(i));
  writer.commit();
}

}  // namespace zeroth::model

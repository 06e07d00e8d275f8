// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/io/gguf/gguf_writer.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_tensors.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Writes an adapter of `base` to `path` as a GGUF file that llama.cpp loads onto the same model (`--lora`): A and B as
/// F32, rows of B in llama.cpp's order.
///
/// @throws InvalidFile if it cannot be written; InvalidArgument if the adapter does not belong to that decoder, or GGUF
///   has no form for its architecture
inline void save_lora_gguf(std::string path, LoraAdapter const& adapter, DecoderWeights const& base) {
  adapter.check(base);
  DecoderConfig const& config = base.config();
  Family const& family = config.family();
  if (family.gguf.empty())
    throw InvalidArgument(path + ": GGUF has no form for architecture '" + config.architecture + "'");
  GgufWriter writer(std::move(path));
  writer.set("general.type", std::string("adapter"));
  writer.set("general.architecture", std::string(family.gguf));
  writer.set("adapter.type", std::string("lora"));
  writer.set("adapter.lora.alpha", static_cast<float>(adapter.alpha()));
  for (Parameter const& p : adapter.parameters())
    writer.add_tensor(p.name, std::array<std::uint64_t, 2>{p.shape.columns, p.shape.rows});

  std::vector<bool> permuted(base.weight_tensors().size());
  for (HuggingFaceTensor const& tensor : hugging_face_tensors(config, base.tensors()))
    permuted[tensor.parameter] = tensor.rotary && config.pairing != family.gguf_pairing;
  std::size_t const rank = adapter.rank();
  for (LoraPair const& pair : adapter.pairs()) {
    writer.write(adapter.parameters()[pair.a].name, adapter.values(pair.a));
    std::span<float const> const b = adapter.values(pair.b);
    for (std::size_t row = 0; row < b.size() / rank; ++row) {
      std::size_t const stored = permuted[pair.weight] ? halves_rotary_row(row, config.head_dim) : row;
      writer.write(adapter.parameters()[pair.b].name, b.subspan(stored * rank, rank));
    }
  }
  writer.commit();
}

}  // namespace zeroth::ZEROTH_ISA::model

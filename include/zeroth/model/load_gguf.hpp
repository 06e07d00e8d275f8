// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/decoder_config.hpp>
#include <zeroth/model/decoder_weights.hpp>
#include <zeroth/model/format/gguf.hpp>

namespace zeroth::model {

namespace detail {

/// Keys under "llama." that are read, or that change nothing. Any other might change what the model computes.
inline constexpr std::array<std::string_view, 19> known_llama_keys{
    "vocab_size",
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "tensor_data_layout",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scale_linear",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "attention.key_length",
    "attention.value_length",
    "expert_count",
};

inline std::string shape_text(Shape shape) {
  return std::to_string(shape.rows) + " x " + std::to_string(shape.columns);
}

/// Refuses what the decoder would silently compute wrongly.
inline void refuse_unknown_llama_features(GgufFile const& file, std::uint32_t head_dim) {
  auto refuse = [&](std::string_view key, std::string const& why) {
    throw InvalidFile(file.path() + ": metadata key 'llama." + std::string(key) + "': " + why);
  };
  constexpr std::string_view prefix = "llama.";
  for (GgufEntry const& entry : file.metadata()) {
    if (!entry.key.starts_with(prefix)) continue;
    std::string_view const rest = entry.key.substr(prefix.size());
    if (std::find(known_llama_keys.begin(), known_llama_keys.end(), rest) == known_llama_keys.end())
      refuse(printable(rest), "this feature is not supported");
  }
  if (auto const type = file.find<std::string_view>("llama.rope.scaling.type"); type && *type != "none")
    refuse("rope.scaling.type", "rope scaling is not supported: expected 'none', found '" + printable(*type) + "'");
  for (std::string_view key : {"rope.scaling.factor", "rope.scale_linear"})
    if (auto const factor = file.find<float>(std::string(prefix) + std::string(key)); factor && *factor != 1.0F)
      refuse(key, "rope scaling is not supported: expected 1, found " + std::to_string(*factor));
  if (auto const experts = file.find<std::uint32_t>("llama.expert_count"); experts && *experts != 0)
    refuse("expert_count", "mixtures of experts are not supported: expected 0, found " + std::to_string(*experts));
  for (std::string_view key : {"rope.dimension_count", "attention.value_length"})
    if (auto const size = file.find<std::uint32_t>(std::string(prefix) + std::string(key)); size && *size != head_dim)
      refuse(key, "expected the size of a head, " + std::to_string(head_dim) + ", found " + std::to_string(*size));
}

/// A tensor's shape as rows x columns, or nothing if it has more than two dimensions.
inline std::optional<Shape> matrix_shape(GgufTensor const& tensor) {
  if (tensor.dims.size() > 2) return std::nullopt;
  return Shape{tensor.dims.size() == 2 ? tensor.dims[1] : 1, tensor.dims[0]};
}

}  // namespace detail

/// The configuration of the decoder in a GGUF file.
///
/// @throws InvalidFile naming file and key, if a key is missing or out of range, the architecture is not "llama", or
///   the file asks for a feature that the decoder lacks (rope scaling, experts, partial rotary, ...).
[[nodiscard]] inline DecoderConfig read_decoder_config(GgufFile const& file) {
  DecoderConfig config;
  config.architecture = std::string(file.get<std::string_view>("general.architecture"));
  if (config.architecture != "llama") config.check(file.path());
  config.layers = file.get<std::uint32_t>("llama.block_count");
  config.hidden = file.get<std::uint32_t>("llama.embedding_length");
  config.feed_forward = file.get<std::uint32_t>("llama.feed_forward_length");
  config.heads = file.get<std::uint32_t>("llama.attention.head_count");
  config.kv_heads = file.find<std::uint32_t>("llama.attention.head_count_kv").value_or(config.heads);
  if (auto const size = file.find<std::uint32_t>("llama.attention.key_length")) {
    config.head_dim = *size;
  } else {
    if (config.heads == 0 || config.hidden % config.heads != 0)
      throw InvalidFile(file.path() + ": metadata key 'llama.attention.head_count': expected a divisor of " +
                        std::to_string(config.hidden) + ", found " + std::to_string(config.heads));
    config.head_dim = config.hidden / config.heads;
  }
  config.context_length = file.get<std::uint32_t>("llama.context_length");
  config.rope_theta = file.find<double>("llama.rope.freq_base").value_or(10000.0);
  config.norm_epsilon = file.get<float>("llama.attention.layer_norm_rms_epsilon");
  config.tied_head = file.find_tensor("output.weight") == nullptr;
  config.pairing = RotaryPairing::adjacent;

  auto const embedding = detail::matrix_shape(file.tensor("token_embd.weight"));
  auto const stated = file.find<std::uint32_t>("llama.vocab_size");
  std::uint64_t const rows = embedding ? embedding->rows : 0;
  if (stated && *stated != rows)
    throw InvalidFile(file.path() + ": metadata key 'llama.vocab_size': expected the rows of token_embd.weight, " +
                      std::to_string(rows) + ", found " + std::to_string(*stated));
  config.vocabulary = static_cast<std::uint32_t>(std::min<std::uint64_t>(rows, UINT32_MAX));

  detail::refuse_unknown_llama_features(file, config.head_dim);
  config.check(file.path());
  return config;
}

/// Loads the decoder of a GGUF file, dequantised to f32 tensor by tensor; the file's pages do not stay in memory.
///
/// @throws InvalidFile as read_decoder_config does, and if a tensor is missing, has another shape ("FILE: tensor
///   'blk.3.attn_k.weight': expected 192 x 576, found 576 x 192") or a type that cannot be decoded, or if the file has
///   a tensor that the decoder does not know (a bias, scaled rotary frequencies, ...).
[[nodiscard]] inline DecoderWeights load_gguf(GgufFile const& file) {
  DecoderConfig config = read_decoder_config(file);
  std::vector<TensorSpec> const specs = tensor_specs(config);
  std::unordered_set<std::string_view> known;
  for (TensorSpec const& spec : specs) {
    GgufTensor const& tensor = file.tensor(spec.name);
    auto refuse = [&](std::string const& found) {
      throw InvalidFile(file.path() + ": tensor '" + spec.name + "': expected " + detail::shape_text(spec.shape) +
                        ", found " + found);
    };
    auto const shape = detail::matrix_shape(tensor);
    if (!shape) refuse(std::to_string(tensor.dims.size()) + " dimensions");
    if (*shape != spec.shape) refuse(detail::shape_text(*shape));
    known.insert(spec.name);
  }
  for (GgufTensor const& tensor : file.tensors())
    if (!known.contains(tensor.name))
      throw InvalidFile(file.path() + ": tensor '" + detail::printable(tensor.name) +
                        "' is not part of a LLaMA decoder that is supported (no biases, no scaled rotary frequencies)");

  DecoderWeights weights(std::move(config), file.path());
  for (std::size_t i = 0; i < specs.size(); ++i) file.read(file.tensor(specs[i].name), weights.values(i));
  return weights;
}

}  // namespace zeroth::model

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
#include <zeroth_model/families/families.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/load_tensor.hpp>
#include <zeroth_model/weights/decoder_config.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Keys under "ARCHITECTURE." that are read or have no effect. Any other key might change what the model computes.
inline constexpr std::array<std::string_view, 20> known_decoder_keys{
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
    "attention.sliding_window",
    "expert_count",
};

/// The tensor that reduces LLaMA-3.1's rotary frequencies, one value per pair.
inline constexpr std::string_view rotary_factors_name = "rope_freqs.weight";

inline std::string shape_text(Shape shape) {
  return std::to_string(shape.rows) + " x " + std::to_string(shape.columns);
}

/// A tensor's shape as rows x columns, or nothing if it has more than two dimensions.
inline std::optional<Shape> matrix_shape(GgufTensor const& tensor) {
  if (tensor.dims.size() > 2) return std::nullopt;
  return Shape{tensor.dims.size() == 2 ? tensor.dims[1] : 1, tensor.dims[0]};
}

/// The metadata of one architecture in a GGUF file.
class GgufDecoderKeys {
 public:
  GgufDecoderKeys(GgufFile const& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  template <class T>
  [[nodiscard]] T get(std::string_view key) const {
    return file_.get<T>(prefix_ + std::string(key));
  }
  template <class T>
  [[nodiscard]] std::optional<T> find(std::string_view key) const {
    return file_.find<T>(prefix_ + std::string(key));
  }
  [[noreturn]] void refuse(std::string_view key, std::string const& why) const {
    throw InvalidFile(file_.path() + ": metadata key '" + prefix_ + std::string(key) + "': " + why);
  }

  /// Rejects features that the decoder would otherwise compute wrongly without notice.
  void refuse_unknown_features(std::uint32_t head_dim, Family const& family) const {
    for (GgufEntry const& entry : file_.metadata()) {
      if (!entry.key.starts_with(prefix_)) continue;
      std::string_view const rest = entry.key.substr(prefix_.size());
      auto const is_among = [&](auto const& keys) { return std::find(keys.begin(), keys.end(), rest) != keys.end(); };
      if (!is_among(known_decoder_keys) && !is_among(family.gguf_keys))
        refuse(printable(rest), "this feature is not supported");
    }
    if (auto const experts = find<std::uint32_t>("expert_count"); experts && *experts != 0)
      refuse("expert_count", "mixtures of experts are not supported: expected 0, found " + std::to_string(*experts));
    for (std::string_view key : {"rope.dimension_count", "attention.key_length", "attention.value_length"}) {
      bool const may_be_less = family.partial_rotary && key == "rope.dimension_count";
      if (auto const size = find<std::uint32_t>(key); size && (may_be_less ? *size > head_dim : *size != head_dim))
        refuse(key, std::string("expected ") + (may_be_less ? "at most " : "") + "the size of a head, " +
                        std::to_string(head_dim) + ", found " + std::to_string(*size));
    }
  }

  /// How rotary frequencies are scaled, by metadata or by a tensor of factors.
  [[nodiscard]] RotaryScaling rotary_scaling(std::uint32_t rotary_dim) const {
    RotaryScaling scaling;
    auto const type = find<std::string_view>("rope.scaling.type");
    if (type && *type != "none" && *type != "linear")
      refuse("rope.scaling.type", "expected 'none' or 'linear', found '" + printable(*type) + "'");
    auto const factor = find<double>("rope.scaling.factor");
    scaling.factor = factor ? *factor : find<double>("rope.scale_linear").value_or(1.0);
    // As in llama.cpp: without a type, a factor is a linear one.
    bool const linear = scaling.factor != 1 && (!type || *type == "linear");
    if (linear)
      scaling.kind = RotaryScaling::Kind::linear;
    else
      scaling.factor = 1;

    GgufTensor const* const factors = file_.find_tensor(rotary_factors_name);
    if (factors == nullptr) return scaling;
    auto const shape = matrix_shape(*factors);
    if (linear || !shape || *shape != Shape{1, rotary_dim / 2})
      throw InvalidFile(file_.path() + ": tensor '" + std::string(rotary_factors_name) + "': expected " +
                        (linear ? "none with a linear rope.scaling.factor" : shape_text({1, rotary_dim / 2})) +
                        ", found " +
                        (shape ? shape_text(*shape) : std::to_string(factors->dims.size()) + " dimensions"));
    scaling.kind = RotaryScaling::Kind::factors;
    scaling.factors.resize(rotary_dim / 2);
    file_.read(*factors, scaling.factors);
    return scaling;
  }

 private:
  GgufFile const& file_;
  std::string prefix_;
};

}  // namespace detail

/// The configuration of the decoder in a GGUF file, whose family `general.architecture` names.
///
/// @throws InvalidFile naming file and key, if a key is missing or out of range, the architecture is unknown, or the
///   file uses a feature that the decoder lacks (other rope scaling, experts, partial rotary, ...).
[[nodiscard]] inline DecoderConfig read_decoder_config(GgufFile const& file) {
  DecoderConfig config;
  std::string const architecture = detail::printable(file.get<std::string_view>("general.architecture"));
  detail::GgufDecoderKeys const keys(file, architecture);
  bool const windowed = file.find<std::uint32_t>(architecture + ".attention.sliding_window").value_or(0) != 0;
  Family const& family = find_gguf_family(file.path(), architecture, windowed);
  config.architecture = family.name;
  config.layers = keys.get<std::uint32_t>("block_count");
  if (config.layers > file.tensors().size())
    keys.refuse("block_count", "expected no more layers than tensors, " + std::to_string(file.tensors().size()) +
                                   ", found " + std::to_string(config.layers));
  config.hidden = keys.get<std::uint32_t>("embedding_length");
  config.feed_forward = keys.get<std::uint32_t>("feed_forward_length");
  config.heads = keys.get<std::uint32_t>("attention.head_count");
  config.kv_heads = keys.find<std::uint32_t>("attention.head_count_kv").value_or(config.heads);
  if (auto const size = keys.find<std::uint32_t>("attention.key_length")) {
    config.head_dim = *size;
  } else {
    if (config.heads == 0 || config.hidden % config.heads != 0)
      keys.refuse("attention.head_count",
                  "expected a divisor of " + std::to_string(config.hidden) + ", found " + std::to_string(config.heads));
    config.head_dim = config.hidden / config.heads;
  }
  config.context_length = keys.get<std::uint32_t>("context_length");
  config.rope_theta = keys.find<double>("rope.freq_base").value_or(10000.0);
  config.norm_epsilon = keys.get<float>("attention.layer_norm_rms_epsilon");
  config.sliding_window = keys.find<std::uint32_t>("attention.sliding_window").value_or(0);
  auto const has = [&](std::string const& name) { return file.find_tensor(name) != nullptr; };
  auto const has_bias = [&](TensorName const& name) { return has("blk.0." + std::string(name.gguf) + ".bias"); };
  config.tied_head = !has(std::string(family.names.head.gguf) + ".weight");
  config.pairing = family.gguf_pairing;
  config.embedding_scale = embedding_scale_of(family, config.hidden);
  if (family.config.window == WindowRule::layer_types) {
    config.sliding_window = keys.find<std::uint32_t>("attention.sliding_window").value_or(family.gguf_default_window);
    std::uint32_t const interval =
        keys.find<std::uint32_t>("attention.sliding_window_pattern").value_or(family.full_interval);
    if (config.sliding_window != 0) config.windowed_layers = windowed_layers_of(config.layers, interval);
    double const local = family.config.default_local_rope_theta;
    if (local != 0 && config.sliding_window != 0)
      config.local_rope_theta = keys.find<double>("rope.freq_base_swa").value_or(local);
    if (local != 0 && config.sliding_window != 0 && !(config.local_rope_theta > 0))
      keys.refuse("rope.freq_base_swa", "expected more than 0, found " + std::to_string(config.local_rope_theta));
  }
  if (family.gguf_scalar_layers == config.layers && config.heads != 0)
    config.query_scalar = static_cast<double>(config.hidden / config.heads);
  if (config.query_scalar == config.head_dim) config.query_scalar = 0;
  ConfigKeys const& defaults = family.config;
  if (defaults.attention_soft_cap)
    config.attention_soft_cap =
        keys.find<float>("attn_logit_softcapping").value_or(defaults.default_attention_soft_cap);
  if (defaults.logit_soft_cap)
    config.logit_soft_cap = keys.find<float>("final_logit_softcapping").value_or(defaults.default_logit_soft_cap);
  config.rotary_layers = rotary_layers_of(config.layers, family.unrotated_interval);
  config.positions = family.positions;
  config.norm = family.norm;
  config.mlp = family.mlp;
  config.query_key_value_bias = has_bias(family.names.query);
  config.attention_out_bias = has_bias(family.names.attention_out);
  config.mlp_bias = has_bias(family.names.down);

  auto const embedding = detail::matrix_shape(file.tensor("token_embd.weight"));
  auto const stated = keys.find<std::uint32_t>("vocab_size");
  std::uint64_t const rows = embedding ? embedding->rows : 0;
  if (stated && *stated != rows)
    keys.refuse("vocab_size", "expected the rows of token_embd.weight, " + std::to_string(rows) + ", found " +
                                  std::to_string(*stated));
  config.vocabulary = static_cast<std::uint32_t>(std::min<std::uint64_t>(rows, UINT32_MAX));

  keys.refuse_unknown_features(config.head_dim, family);
  if (family.partial_rotary) {
    config.rotary_dim = keys.find<std::uint32_t>("rope.dimension_count").value_or(0);
    if (config.rotary_dim == config.head_dim) config.rotary_dim = 0;
  }
  if (config.head_dim <= DecoderConfig::most) config.rope_scaling = keys.rotary_scaling(config.rotated_dim());
  config.check(file.path());
  return config;
}

namespace detail {

/// Checks that the file has the tensors of that decoder and no others.
inline void require_tensors(GgufFile const& file, std::vector<TensorSpec> const& specs, DecoderConfig const& config) {
  std::unordered_set<std::string_view> known{rotary_factors_name};
  for (TensorSpec const& spec : specs) {
    GgufTensor const& tensor = file.tensor(spec.name);
    auto refuse = [&](std::string const& found) {
      throw InvalidFile(file.path() + ": tensor '" + spec.name + "': expected " + shape_text(spec.shape) + ", found " +
                        found);
    };
    auto const shape = matrix_shape(tensor);
    if (!shape) refuse(std::to_string(tensor.dims.size()) + " dimensions");
    if (*shape != spec.shape) refuse(shape_text(*shape));
    known.insert(spec.name);
  }
  for (GgufTensor const& tensor : file.tensors())
    if (!known.contains(tensor.name))
      throw InvalidFile(file.path() + ": tensor '" + printable(tensor.name) +
                        "' is not part of a decoder of architecture '" + config.architecture + "' that is supported");
}

}  // namespace detail

/// Loads the decoder of a GGUF file, part by part, dequantised to f32 and, for matrices of another type, rounded to
/// nearest; the file's pages do not stay in memory.
///
/// @param dtype of the matrices, see DecoderWeights
/// @param memory where the weights lie
/// @throws InvalidFile as read_decoder_config does, and if a tensor is missing, has another shape ("FILE: tensor
///   'blk.3.attn_k.weight': expected 192 x 576, found 576 x 192") or a type that cannot be decoded, or if the file has
///   a tensor that the decoder does not know.
[[nodiscard]] inline DecoderWeights load_gguf(GgufFile const& file, DataType dtype = DataType::f32,
                                              WeightMemory memory = {}) {
  DecoderConfig config = read_decoder_config(file);
  std::vector<TensorSpec> const specs = tensor_specs(config);
  detail::require_tensors(file, specs, config);
  DecoderWeights weights(std::move(config), file.path(), dtype, std::move(memory));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    GgufTensor const& tensor = file.tensor(specs[i].name);
    detail::load_tensor(tensor.type, file.bytes(tensor), weights, i, file.path());
    file.release(tensor);
  }
  return weights;
}

/// The decoder of a GGUF file with its weights held as the file stores them: nothing is decoded or copied, and
/// processes that map the same file share its pages.
/// @param file must outlive the weights; it may be moved
/// @throws InvalidFile as load_gguf does
[[nodiscard]] inline DecoderWeights map_gguf(GgufFile const& file) {
  DecoderConfig config = read_decoder_config(file);
  std::vector<TensorSpec> const specs = tensor_specs(config);
  detail::require_tensors(file, specs, config);
  std::vector<StoredValues> stored;
  for (TensorSpec const& spec : specs) {
    GgufTensor const& tensor = file.tensor(spec.name);
    stored.push_back({tensor.type, file.bytes(tensor)});
  }
  return {std::move(config), file.path(), stored};
}

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/model/decoder_config.hpp>
#include <zeroth/model/page_buffer.hpp>
#include <zeroth/parameters.hpp>

namespace zeroth::model {

/// Name, role and shape of a tensor that a decoder has.
struct TensorSpec {
  std::string name;
  Role role;
  Shape shape;
};

/// Where the tensors of a layer stand in DecoderWeights::parameters().
struct LayerTensors {
  std::size_t attention_norm;  // 1 x hidden
  std::size_t query;           // heads * head_dim x hidden
  std::size_t key;             // kv_heads * head_dim x hidden
  std::size_t value;           // kv_heads * head_dim x hidden
  std::size_t attention_out;   // hidden x heads * head_dim
  std::size_t mlp_norm;        // 1 x hidden
  std::size_t gate;            // feed_forward x hidden
  std::size_t up;              // feed_forward x hidden
  std::size_t down;            // hidden x feed_forward
};

/// Where the tensors of a decoder stand in DecoderWeights::parameters(). A tied head is the embedding's index.
struct DecoderTensors {
  std::size_t embedding = 0;    // vocabulary x hidden
  std::size_t output_norm = 0;  // 1 x hidden
  std::size_t head = 0;         // vocabulary x hidden
  std::vector<LayerTensors> layers;
};

/// The tensors of a decoder, in the order in which DecoderWeights holds them, under their GGUF names.
///
/// If `tensors` is given, it receives their indices in that list.
[[nodiscard]] inline std::vector<TensorSpec> tensor_specs(DecoderConfig const& config,
                                                          DecoderTensors* tensors = nullptr) {
  std::vector<TensorSpec> specs;
  auto add = [&](std::string name, Role role, std::uint64_t rows, std::uint64_t columns) {
    specs.push_back({std::move(name), role, {rows, columns}});
    return specs.size() - 1;
  };
  std::uint64_t const hidden = config.hidden;
  std::uint64_t const query = std::uint64_t{config.heads} * config.head_dim;
  std::uint64_t const key = std::uint64_t{config.kv_heads} * config.head_dim;

  DecoderTensors result;
  result.embedding = add("token_embd.weight", Role::embedding, config.vocabulary, hidden);
  for (std::uint32_t l = 0; l < config.layers; ++l) {
    std::string const prefix = "blk." + std::to_string(l) + ".";
    LayerTensors layer{};
    layer.attention_norm = add(prefix + "attn_norm.weight", Role::vector, 1, hidden);
    layer.query = add(prefix + "attn_q.weight", Role::matrix, query, hidden);
    layer.key = add(prefix + "attn_k.weight", Role::matrix, key, hidden);
    layer.value = add(prefix + "attn_v.weight", Role::matrix, key, hidden);
    layer.attention_out = add(prefix + "attn_output.weight", Role::matrix, hidden, query);
    layer.mlp_norm = add(prefix + "ffn_norm.weight", Role::vector, 1, hidden);
    layer.gate = add(prefix + "ffn_gate.weight", Role::matrix, config.feed_forward, hidden);
    layer.up = add(prefix + "ffn_up.weight", Role::matrix, config.feed_forward, hidden);
    layer.down = add(prefix + "ffn_down.weight", Role::matrix, hidden, config.feed_forward);
    result.layers.push_back(layer);
  }
  result.output_norm = add("output_norm.weight", Role::vector, 1, hidden);
  result.head = config.tied_head ? result.embedding : add("output.weight", Role::head, config.vocabulary, hidden);
  if (tensors != nullptr) *tensors = std::move(result);
  return specs;
}

/// All weights of a decoder in one page-aligned allocation, f32, each tensor in the row order of the file it came from.
///
/// The memory stays where it is when the object is moved, so parameters() stays valid.
class DecoderWeights {
 public:
  /// Zeros. Throws InvalidFile if `config` is not valid (`source` is named in the message), Error if memory is short.
  explicit DecoderWeights(DecoderConfig config, std::string const& source = "decoder configuration")
      : config_(std::move(config)) {
    config_.check(source);
    std::vector<TensorSpec> specs = tensor_specs(config_, &tensors_);
    std::size_t bytes = 0;
    for (TensorSpec const& spec : specs) bytes += slot(spec);
    pages_ = PageBuffer(bytes);
    std::byte* next = pages_.data();
    for (TensorSpec& spec : specs) {
      std::size_t const step = slot(spec);
      parameters_.add(std::move(spec.name), spec.role, spec.shape,
                      {reinterpret_cast<float*>(next), static_cast<std::size_t>(spec.shape.size())});
      next += step;
    }
  }

  [[nodiscard]] DecoderConfig const& config() const noexcept { return config_; }
  [[nodiscard]] DecoderTensors const& tensors() const noexcept { return tensors_; }

  /// What an optimizer tunes. Its tensors lie in memory() and are f32.
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }

  /// The values of a tensor, row-major.
  [[nodiscard]] std::span<float> values(std::size_t parameter) noexcept {
    Parameter const& p = parameters_[parameter];
    return {static_cast<float*>(p.data), static_cast<std::size_t>(p.size())};
  }
  [[nodiscard]] std::span<float const> values(std::size_t parameter) const noexcept {
    Parameter const& p = parameters_[parameter];
    return {static_cast<float const*>(p.data), static_cast<std::size_t>(p.size())};
  }

  /// The one allocation that holds every weight and nothing else; it begins on a page and has its pages for itself.
  [[nodiscard]] std::span<std::byte> memory() const noexcept { return {pages_.data(), pages_.bytes()}; }

 private:
  /// Bytes from a tensor to the next: whole cache lines, so that no two tensors share one.
  static std::size_t slot(TensorSpec const& spec) noexcept {
    constexpr std::size_t line = 64;
    return (static_cast<std::size_t>(spec.shape.size()) * size_of(DataType::f32) + line - 1) / line * line;
  }

  DecoderConfig config_;
  DecoderTensors tensors_;
  PageBuffer pages_;
  ParameterSet parameters_;
};

}  // namespace zeroth::model

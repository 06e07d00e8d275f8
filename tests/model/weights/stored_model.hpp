// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "zeroth/storage/narrow.hpp"
#include "zeroth_model/encoding/dequantize.hpp"
#include "zeroth_model/weights/decoder_weights.hpp"

namespace zeroth_test {

/// A small decoder with weights in the blocks of a type: made of random bytes with scales that keep the weights small.
class StoredModel {
 public:
  explicit StoredModel(zeroth::model::TensorType matrices, std::uint32_t hidden = 256) {
    using zeroth::model::TensorType;
    config.layers = 2;
    config.hidden = hidden;
    config.feed_forward = 512;
    config.heads = 4;
    config.kv_heads = 2;
    config.head_dim = hidden / 4;
    config.vocabulary = 67;
    config.context_length = 64;
    config.tied_head = true;
    std::mt19937 random(11);
    for (zeroth::model::TensorSpec const& spec : tensor_specs(config)) {
      bool const vector = spec.role == zeroth::Role::vector;
      types_.push_back(vector ? TensorType::f32 : matrices);
      auto const traits = *zeroth::model::find_tensor_type(types_.back());
      // One byte more, so that nothing is aligned.
      std::vector<std::byte> bytes(static_cast<std::size_t>(traits.bytes_of(spec.shape.size())) + 1);
      for (std::size_t at = 1; at < bytes.size(); at += traits.block_bytes)
        fill(traits, bytes.data() + at, vector, random);
      bytes_.push_back(std::move(bytes));
    }
  }

  /// The weights held as stored; they lie in this object.
  [[nodiscard]] zeroth::model::DecoderWeights stored() const {
    std::vector<zeroth::model::StoredValues> values;
    for (std::size_t i = 0; i < types_.size(); ++i) values.push_back({types_[i], std::span(bytes_[i]).subspan(1)});
    return {config, "stored", values};
  }

  /// The same weights as floats.
  [[nodiscard]] zeroth::model::DecoderWeights decoded() const {
    zeroth::model::DecoderWeights weights(config);
    for (std::size_t i = 0; i < types_.size(); ++i)
      dequantize(types_[i], std::span(bytes_[i]).subspan(1), weights.values(i));
    return weights;
  }

  zeroth::model::DecoderConfig config;

 private:
  static void fill(zeroth::model::TensorTypeTraits const& traits, std::byte* block, bool vector, std::mt19937& random) {
    using zeroth::model::TensorType;
    float const value = vector ? 1.0F : std::ldexp(static_cast<float>(random() % 2001) - 1000.0F, -14);
    std::uint16_t const half = zeroth::float_to_half(std::ldexp(1 + std::abs(value), -9));
    for (std::size_t i = 0; i < traits.block_bytes; ++i) block[i] = static_cast<std::byte>(random());
    if (traits.type == TensorType::f32) {
      std::memcpy(block, &value, sizeof value);
    } else if (traits.type == TensorType::f16 || traits.type == TensorType::bf16) {
      std::uint16_t const bits =
          traits.type == TensorType::f16 ? zeroth::float_to_half(value) : zeroth::float_to_bfloat16(value);
      std::memcpy(block, &bits, sizeof bits);
    } else if (traits.type == TensorType::q8_k) {
      float const scale = std::ldexp(1.0F + value, -11);
      std::memcpy(block, &scale, sizeof scale);
    } else {
      std::memcpy(block + traits.scale_at, &half, sizeof half);
      if (traits.has_minimum) std::memcpy(block + traits.scale_at + 2, &half, sizeof half);
    }
  }

  std::vector<zeroth::model::TensorType> types_;
  std::vector<std::vector<std::byte>> bytes_;
};

}  // namespace zeroth_test

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/model/decoder_config.hpp>
#include <zeroth/model/decoder_tensors.hpp>
#include <zeroth/model/page_buffer.hpp>
#include <zeroth/parameters.hpp>

namespace zeroth::model {

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

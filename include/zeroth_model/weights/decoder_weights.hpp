// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/weights/decoder_config.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>
#include <zeroth_model/weights/page_buffer.hpp>
#include <zeroth_model/weights/weight_memory.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Values as a file stores them: whole blocks, at any address.
struct StoredValues {
  TensorType type;
  std::span<std::byte const> bytes;
};

/// All weights of a decoder; each tensor keeps the row order of the file that it came from. In one of two forms:
///
/// - numbers to tune, in one allocation, page-aligned on the host. Matrices have one type: f32, bf16 or f16. Vectors
///   (norm gains, biases) are always f32: they are few, tuned densely, and of a size at which 16 bits cannot represent
///   a small update; llama.cpp stores them as f32 too;
/// - held as they are stored, in memory that belongs to others, such as a mapped file. Such weights are only read, a
/// few
///   rows at a time are decoded to f32, and what is tuned lies beside them: see LoraAdapter.
///
/// The memory stays in place when the object is moved, so parameters() stays valid.
class DecoderWeights {
 public:
  /// All zeros. Throws InvalidFile if `config` is not valid (the message names `source`), Error if memory runs out.
  /// @param dtype of the matrices
  /// @param memory where the weights lie
  explicit DecoderWeights(DecoderConfig config, std::string const& source = "decoder configuration",
                          DataType dtype = DataType::f32, WeightMemory memory = {})
      : config_(std::move(config)), dtype_(dtype), elsewhere_(std::move(memory)) {
    config_.check(source);
    std::vector<TensorSpec> specs = tensor_specs(config_, &tensors_);
    std::size_t bytes = 0;
    for (TensorSpec const& spec : specs) bytes += slot(spec, dtype);
    bytes_ = bytes;
    if (on_host())
      pages_ = PageBuffer(bytes);
    else
      device_memory_ = elsewhere_.allocate(bytes);
    std::byte* next = this->memory().data();
    for (TensorSpec& spec : specs) {
      std::size_t const step = slot(spec, dtype);
      parameters_.add(std::move(spec.name), spec.role, spec.shape, dtype_of(spec.role, dtype), next);
      next += step;
    }
    weight_tensors_ = model::weight_tensors(parameters_);
  }

  /// Weights held as stored, of which nothing is copied.
  /// @param stored the values of each of tensor_specs(config), in that order; they must outlive this object
  /// @throws InvalidFile if `config` is not valid, InvalidArgument if the stored values do not fit it
  DecoderWeights(DecoderConfig config, std::string const& source, std::span<StoredValues const> stored)
      : config_(std::move(config)), is_stored_(true) {
    config_.check(source);
    std::vector<TensorSpec> specs = tensor_specs(config_, &tensors_);
    if (stored.size() != specs.size())
      throw InvalidArgument(source + ": expected the values of " + std::to_string(specs.size()) + " tensors, got " +
                            std::to_string(stored.size()));
    for (std::size_t i = 0; i < specs.size(); ++i) {
      WeightTensor tensor{std::move(specs[i].name), specs[i].role, specs[i].shape, stored[i].type};
      auto const traits = find_tensor_type(tensor.type);
      if (!traits || tensor.shape.columns % traits->block_values != 0 || tensor.bytes() != stored[i].bytes.size())
        throw InvalidArgument("tensor '" + tensor.name + "': " + std::to_string(stored[i].bytes.size()) + " bytes " +
                              (traits ? "of type " + std::string(traits->name) : "of an unknown type") + " cannot be " +
                              to_string(tensor.shape) + " values");
      // Nothing writes tensors that are no parameters.
      tensor.data = const_cast<std::byte*>(stored[i].bytes.data());
      weight_tensors_.push_back(std::move(tensor));
    }
  }

  [[nodiscard]] DecoderConfig const& config() const noexcept { return config_; }
  [[nodiscard]] DecoderTensors const& tensors() const noexcept { return tensors_; }

  /// All tensors, in the order of tensor_specs(config()), to which indices of tensors refer everywhere.
  [[nodiscard]] std::span<WeightTensor const> weight_tensors() const noexcept { return weight_tensors_; }

  /// Lets read() give values with what is tuned beside the weights, for a model that is to be saved.
  /// @param tensors of the same weights, see SparseDelta and BlockScales; what they refer to must outlive the reading
  void read_through(std::span<WeightTensor const> tensors) { weight_tensors_.assign(tensors.begin(), tensors.end()); }

  /// Whether the weights are held as they are stored.
  [[nodiscard]] bool is_stored() const noexcept { return is_stored_; }

  /// Number of weights.
  [[nodiscard]] std::uint64_t size() const noexcept {
    std::uint64_t total = 0;
    for (WeightTensor const& tensor : weight_tensors_) total += tensor.size();
    return total;
  }

  /// Bytes of all weights, without what aligns them.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (WeightTensor const& tensor : weight_tensors_) total += tensor.bytes();
    return total;
  }

  /// The type of the matrices; f32 if they are held as stored.
  [[nodiscard]] DataType dtype() const noexcept { return dtype_; }

  /// The type of a tensor with that role, if matrices have type `dtype`.
  [[nodiscard]] static constexpr DataType dtype_of(Role role, DataType dtype) noexcept {
    return role == Role::vector ? DataType::f32 : dtype;
  }

  /// The parameters to tune, one a tensor. Their tensors lie in memory(). None if the weights are held as stored.
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }

  /// Whether they lie in host memory, not in a backend's.
  [[nodiscard]] bool on_host() const noexcept { return !elsewhere_; }

  /// The values of an f32 tensor on the host, row-major.
  /// @throws InvalidArgument if it has another type or lies elsewhere: see read() and write()
  [[nodiscard]] std::span<float> values(std::size_t parameter) {
    Parameter const& p = of_floats(parameter);
    return {static_cast<float*>(p.data), static_cast<std::size_t>(p.size())};
  }
  [[nodiscard]] std::span<float const> values(std::size_t parameter) const {
    Parameter const& p = of_floats(parameter);
    return {static_cast<float const*>(p.data), static_cast<std::size_t>(p.size())};
  }

  /// Copies values of a tensor of any type, from its element `first` on.
  void read(std::size_t parameter, std::uint64_t first, std::span<float> out) const {
    if (on_host()) return read_values(weight_tensors_[parameter], first, out);
    Parameter const& p = parameters_[parameter];
    std::vector<std::byte> stored(out.size() * size_of(p.dtype));
    elsewhere_.transfer(stored.data(), address(p, first), stored.size());
    widen_values(p.dtype, stored.data(), out);
  }

  /// Sets values of a tensor of any type, from its element `first` on, each rounded to nearest.
  /// @throws InvalidArgument naming the tensor, if rounding makes a finite value infinite, or if it is held as stored
  void write(std::size_t parameter, std::uint64_t first, std::span<float const> values) {
    Parameter const& p = of_numbers(parameter);
    if (on_host()) {
      narrow_values(p.dtype, values, address(p, first));
    } else {
      std::vector<std::byte> stored(values.size() * size_of(p.dtype));
      narrow_values(p.dtype, values, stored.data());
      elsewhere_.transfer(address(p, first), stored.data(), stored.size());
    }
    if (p.dtype != DataType::f16) return;
    auto const too_large = [](float value) { return is_finite(value) && std::abs(value) >= 65520.0F; };
    auto const found = std::find_if(values.begin(), values.end(), too_large);
    if (found != values.end())
      throw InvalidArgument("tensor '" + p.name + "': expected values in the range of f16, found " +
                            number_text(static_cast<double>(*found)) + "; bf16 and f32 can represent it");
  }

  /// The one allocation that holds every weight and nothing else; on the host it begins on a page boundary and shares
  /// no page. Empty if the weights are held as stored.
  [[nodiscard]] std::span<std::byte> memory() const noexcept {
    if (is_stored_) return {};
    return {on_host() ? pages_.data() : device_memory_.get(), bytes_};
  }

 private:
  /// Bytes from one tensor to the next: whole cache lines, so that no two tensors share one.
  static std::size_t slot(TensorSpec const& spec, DataType dtype) noexcept {
    constexpr std::size_t line = 64;
    return (static_cast<std::size_t>(spec.shape.size()) * size_of(dtype_of(spec.role, dtype)) + line - 1) / line * line;
  }

  static std::byte* address(Parameter const& p, std::uint64_t element) noexcept {
    return static_cast<std::byte*>(p.data) + element * size_of(p.dtype);
  }

  [[nodiscard]] Parameter const& of_numbers(std::size_t parameter) const {
    if (is_stored_)
      throw InvalidArgument("tensor '" + weight_tensors_[parameter].name +
                            "': expected numbers in memory, found values held as their file stores them");
    return parameters_[parameter];
  }

  [[nodiscard]] Parameter const& of_floats(std::size_t parameter) const {
    Parameter const& p = of_numbers(parameter);
    if (p.dtype != DataType::f32)
      throw InvalidArgument("tensor '" + p.name + "': expected f32, found " + std::string(to_string(p.dtype)));
    if (!on_host())
      throw InvalidArgument("tensor '" + p.name + "': expected it in host memory, found it in a backend's");
    return p;
  }

  DecoderConfig config_;
  DataType dtype_ = DataType::f32;
  bool is_stored_ = false;
  DecoderTensors tensors_;
  WeightMemory elsewhere_;
  std::size_t bytes_ = 0;
  PageBuffer pages_;
  std::shared_ptr<std::byte> device_memory_;
  ParameterSet parameters_;
  std::vector<WeightTensor> weight_tensors_;
};

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <onnxruntime_cxx_api.h>

#include <zeroth/error.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA::adapters {

/// Initializers of a model that ONNX Runtime reads from the caller's memory, which an optimizer tunes in place.
///
///     zeroth::adapters::OnnxWeights weights;
///     weights.add("proj.weight", zeroth::Role::matrix, {rows, columns}, zeroth::DataType::f32, data);
///     Ort::SessionOptions options;
///     weights.bind(options);
///     Ort::Session session(environment, "model.onnx", options);
///     zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), ...);
///
/// Only the CPU execution provider reads them there; others copy. ONNX Runtime ignores a name that the model does not
/// have, and says nothing: check_engine finds that, and whatever else keeps copies.
///
/// Must outlive the session, as must the memory.
class OnnxWeights {
 public:
  OnnxWeights() = default;

  /// All tensors of a set: of dimensions [rows, columns], vectors of [columns].
  /// @throws InvalidArgument as add()
  explicit OnnxWeights(ParameterSet const& parameters) {
    for (Parameter const& p : parameters) {
      std::vector<std::int64_t> dimensions{static_cast<std::int64_t>(p.shape.columns)};
      if (p.role != Role::vector) dimensions.insert(dimensions.begin(), static_cast<std::int64_t>(p.shape.rows));
      add(p, dimensions);
    }
  }

  /// Adds an initializer of the model.
  /// @param name as in the model
  /// @param dimensions as in the model; all after the first count as one
  /// @param data their product of elements
  /// @throws InvalidArgument naming the tensor, if a dimension is not positive; and as ParameterSet::add
  void add(std::string name, Role role, std::vector<std::int64_t> const& dimensions, DataType dtype, void* data) {
    std::uint32_t const stream = stream_of(name);
    Shape const shape = shape_of(name, dimensions);
    add({.name = std::move(name), .role = role, .shape = shape, .dtype = dtype, .data = data, .stream = stream},
        dimensions);
  }

  /// Makes sessions with these options read the initializers from this memory, and switches off what copies them:
  /// prepacking, and the optimizations of the graph, of which the first level already folds what depends only on
  /// initializers, such as a transposed weight, with the values that are in the model's file.
  /// @throws Ort::Exception if another value was added to the options under one of the names
  void bind(Ort::SessionOptions& options) const {
    for (std::size_t i = 0; i < values_.size(); ++i) options.AddInitializer(parameters_[i].name.c_str(), values_[i]);
    options.AddConfigEntry("session.disable_prepacking", "1");
    options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);
  }

  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }

 private:
  void add(Parameter const& parameter, std::vector<std::int64_t> const& dimensions) {
    std::size_t const index = parameters_.add(parameter);
    Parameter const& p = parameters_[index];
    values_.push_back(Ort::Value::CreateTensor(memory_, p.data, static_cast<std::size_t>(p.bytes()), dimensions.data(),
                                               dimensions.size(), type_of(p.dtype)));
  }

  [[nodiscard]] static Shape shape_of(std::string const& name, std::vector<std::int64_t> const& dimensions) {
    auto const refuse = [&](std::string const& expected, std::string const& found) {
      throw InvalidArgument("initializer '" + name + "': expected " + expected + ", found " + found);
    };
    Shape shape{1, 1};
    for (std::size_t i = 0; i < dimensions.size(); ++i) {
      if (dimensions[i] <= 0) refuse("positive dimensions", std::to_string(dimensions[i]));
      auto const size = static_cast<std::uint64_t>(dimensions[i]);
      if (i == 0 && dimensions.size() > 1) {
        shape.rows = size;
      } else {
        if (!Shape{shape.columns, size}.has_size()) refuse("dimensions whose product fits 64 bits", "larger ones");
        shape.columns *= size;
      }
    }
    return shape;
  }

  [[nodiscard]] static ONNXTensorElementDataType type_of(DataType dtype) noexcept {
    switch (dtype) {
      case DataType::f16:
        return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
      case DataType::bf16:
        return ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
      case DataType::f32:
        break;
    }
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }

  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  ParameterSet parameters_;
  std::vector<Ort::Value> values_;
};

}  // namespace zeroth::ZEROTH_ISA::adapters

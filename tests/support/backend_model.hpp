// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/parameters.hpp>
#include <zeroth/storage/memory.hpp>
#include <zeroth/storage/narrow.hpp>

#include "tensors.hpp"

namespace zeroth_test {

/// A small model whose weights lie where a backend's passes can access them: two matrices, one of them a slice of a
/// larger one, and an f32 vector.
template <class B>
class BackendModel {
 public:
  BackendModel(B backend, zeroth::DataType dtype) : backend_(std::move(backend)) {
    add({"blk.0.w", zeroth::Role::matrix, {3, 100}, dtype, nullptr, zeroth::stream_of("blk.0.w"), 0},
        normal_weights(300, 1));
    add({"blk.0.norm", zeroth::Role::vector, {1, 9}, zeroth::DataType::f32, nullptr, 77, 0}, normal_weights(9, 2, 1));
    add({"blk.1.w", zeroth::Role::matrix, {11, 47}, dtype, nullptr, zeroth::stream_of("blk.1.w"), 333},
        normal_weights(517, 3));
  }

  [[nodiscard]] B const& backend() const { return backend_; }
  [[nodiscard]] zeroth::ParameterSet const& parameters() const { return parameters_; }

  /// All weights as stored.
  [[nodiscard]] std::vector<std::byte> bytes() const {
    std::vector<std::byte> all;
    for (zeroth::Parameter const& p : parameters_) {
      std::vector<std::byte> part(static_cast<std::size_t>(p.bytes()));
      backend_.copy(p, part);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  /// All weights in f32.
  [[nodiscard]] std::vector<float> values() const {
    std::vector<float> all;
    for (zeroth::Parameter const& p : parameters_) {
      std::vector<float> part(static_cast<std::size_t>(p.size()));
      backend_.read(p, 0, part);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  /// A loss of all weights, `double(std::span<float const>)`, as an objective with panels in the weights' memory, and
  /// as one that reads the weights there.
  template <class Loss>
  [[nodiscard]] auto fused(Loss loss) const {
    return [this, loss = std::move(loss)](auto const& probe, std::span<double> losses) {
      std::vector<std::vector<float>> lanes(losses.size());
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        std::uint64_t const size = parameters_[i].size();
        for (std::uint64_t first = 0; first < size; first += panel) expand(probe, i, first, lanes);
      }
      for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = loss(std::span<float const>(lanes[k]));
    };
  }
  template <class Loss>
  [[nodiscard]] auto in_place(Loss loss) const {
    return [this, loss = std::move(loss)]() -> double { return loss(std::span<float const>(values())); };
  }

 private:
  static constexpr std::uint64_t panel = 150;

  void add(zeroth::Parameter parameter, std::vector<float> const& weights) {
    std::vector<std::uint16_t> stored;
    void const* from = weights.data();
    if (parameter.dtype != zeroth::DataType::f32) {
      for (float weight : weights) stored.push_back(narrow(parameter.dtype, weight));
      from = stored.data();
    }
    auto const bytes = static_cast<std::size_t>(parameter.bytes());
    memory_.emplace_back(backend_, bytes);
    memory_.back().copy_from(backend_, from, bytes);
    parameter.data = memory_.back().template as<std::byte>();
    parameters_.add(std::move(parameter));
  }

  /// Appends each lane's panel to the lane's values.
  template <class Probe>
  void expand(Probe const& probe, std::size_t index, std::uint64_t first,
              std::vector<std::vector<float>>& lanes) const {
    std::uint64_t const count = std::min(panel, parameters_[index].size() - first);
    std::vector<zeroth::BackendBuffer> memory;
    std::vector<float*> panels;
    for (std::size_t k = 0; k < lanes.size(); ++k) {
      memory.emplace_back(backend_, count * sizeof(float));
      panels.push_back(memory.back().template as<float>());
    }
    probe.expand(index, first, count, panels);
    for (std::size_t k = 0; k < lanes.size(); ++k) {
      std::size_t const at = lanes[k].size();
      lanes[k].resize(at + static_cast<std::size_t>(count));
      memory[k].copy_to(backend_, lanes[k].data() + at, count * sizeof(float));
    }
  }

  B backend_;
  std::vector<zeroth::BackendBuffer> memory_;
  zeroth::ParameterSet parameters_;
};

}  // namespace zeroth_test

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/normal.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth_test {

/// Weights as a model might have them: normal, with standard deviation `scale`.
inline std::vector<float> normal_weights(std::size_t count, std::uint64_t seed, float scale = 0.02F) {
  std::vector<float> weights(count);
  zeroth::RandomSource const source{seed, 0, 0, 0, zeroth::Purpose::rounding};
  for (std::size_t i = 0; i < count; ++i) weights[i] = scale * zeroth::normal_pair(source.block(i)[0]).first;
  return weights;
}

/// The bits of floats: what "the same" means in these tests, so that -0.0 differs from 0.0 and a NaN equals itself.
inline std::vector<std::uint32_t> bits(std::span<float const> values) {
  std::vector<std::uint32_t> result;
  for (float value : values) result.push_back(zeroth::bits_of(value));
  return result;
}

/// Tensors that own their memory, and the parameters that refer to it.
class Tensors {
 public:
  Tensors() = default;
  Tensors(Tensors const&) = delete;
  Tensors& operator=(Tensors const&) = delete;

  std::vector<float>& add(std::string name, zeroth::Role role, std::vector<float> values) {
    memory_.push_back(std::move(values));
    parameters.add(std::move(name), role, {1, memory_.back().size()}, memory_.back());
    return memory_.back();
  }
  std::vector<float>& add(std::string name, std::vector<float> values) {
    return add(std::move(name), zeroth::Role::matrix, std::move(values));
  }

  /// All weights, one tensor after the other.
  [[nodiscard]] std::vector<float> all() const {
    std::vector<float> result;
    for (zeroth::Parameter const& p : parameters) {
      auto const* const data = static_cast<float const*>(p.data);
      result.insert(result.end(), data, data + p.size());
    }
    return result;
  }

  zeroth::ParameterSet parameters;

 private:
  std::list<std::vector<float>> memory_;
};

}  // namespace zeroth_test

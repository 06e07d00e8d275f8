// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <zeroth/parameters.hpp>
#include <zeroth/random/normal.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/storage/narrow.hpp>

namespace zeroth_bench {

/// One matrix of weights as a model might have them: normal, with standard deviation 0.02.
class Tensor {
 public:
  Tensor(std::uint64_t elements, zeroth::DataType dtype)
      : memory_(static_cast<std::size_t>(elements) * zeroth::size_of(dtype)) {
    zeroth::RandomSource const source{1, 0, 0, 0, zeroth::Purpose::rounding};
    for (std::uint64_t i = 0; i < elements; i += 8) {
      zeroth::RandomBlock const bits = source.block(i / 8);
      for (std::uint64_t k = 0; k < 8 && i + k < elements; ++k) {
        zeroth::NormalPair const pair = zeroth::normal_pair(bits[k / 2]);
        set(i + k, dtype, 0.02F * (k % 2 == 0 ? pair.first : pair.second));
      }
    }
    parameters_.add({"weights", zeroth::Role::matrix, {1, elements}, dtype, memory_.data(), zeroth::stream_of("w"), 0});
  }
  Tensor(Tensor const&) = delete;
  Tensor& operator=(Tensor const&) = delete;

  [[nodiscard]] zeroth::ParameterSet const& parameters() const noexcept { return parameters_; }
  [[nodiscard]] zeroth::Parameter const& parameter() const noexcept { return parameters_[0]; }
  [[nodiscard]] std::uint64_t size() const noexcept { return parameter().size(); }
  [[nodiscard]] double element_bytes() const noexcept {
    return static_cast<double>(zeroth::size_of(parameter().dtype));
  }

 private:
  void set(std::uint64_t i, zeroth::DataType dtype, float value) {
    std::byte* const at = memory_.data() + i * zeroth::size_of(dtype);
    if (dtype == zeroth::DataType::f32) {
      std::memcpy(at, &value, sizeof value);
    } else {
      std::uint16_t const bits = zeroth::narrow(dtype, value);
      std::memcpy(at, &bits, sizeof bits);
    }
  }

  std::vector<std::byte> memory_;
  zeroth::ParameterSet parameters_;
};

}  // namespace zeroth_bench

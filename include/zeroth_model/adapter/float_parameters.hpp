// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/parameters.hpp>
#include <zeroth_model/weights/decoder_tensors.hpp>
#include <zeroth_model/weights/page_buffer.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Parameters of f32 zeros in one allocation, each on cache lines of its own. The memory stays in place when the object
/// is moved.
class FloatParameters {
 public:
  explicit FloatParameters(std::vector<TensorSpec> specs) {
    std::size_t bytes = 0;
    for (TensorSpec const& spec : specs) bytes += slot(spec);
    pages_ = PageBuffer(bytes);
    std::byte* next = pages_.data();
    for (TensorSpec& spec : specs) {
      std::size_t const step = slot(spec);
      set_.add(std::move(spec.name), spec.role, spec.shape,
               {reinterpret_cast<float*>(next), static_cast<std::size_t>(spec.shape.size())});
      next += step;
    }
  }

  [[nodiscard]] ParameterSet const& set() const noexcept { return set_; }

  /// The values of one of them, row-major.
  [[nodiscard]] std::span<float> values(std::size_t parameter) const noexcept {
    Parameter const& p = set_[parameter];
    return {static_cast<float*>(p.data), static_cast<std::size_t>(p.size())};
  }

 private:
  /// Bytes from one tensor to the next.
  static std::size_t slot(TensorSpec const& spec) noexcept {
    constexpr std::size_t line = 64;
    return (static_cast<std::size_t>(spec.shape.size()) * sizeof(float) + line - 1) / line * line;
  }

  PageBuffer pages_;
  ParameterSet set_;
};

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>

#include <zeroth_model/ops/cuda/values.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// silu(gate) * up.
struct SwiGlu {
  static constexpr bool reads_two = true;
  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float gate, float up) const noexcept {
    return gate / (1.0F + std::exp(-gate)) * up;
  }
};

/// gelu(gate) * up, GELU by tanh.
struct GeGlu {
  static constexpr bool reads_two = true;
  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float gate, float up) const noexcept {
    // 2 sqrt(2 / pi) (x + 0.044715 x^3)
    return gate / (1.0F + std::exp(-gate * (gate * gate * 0.0713548163F + 1.5957691216F))) * up;
  }
};

/// x * factor.
struct Scale {
  static constexpr bool reads_two = false;
  float factor = 1;
  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float x, float /*none*/) const noexcept { return x * factor; }
};

/// cap * tanh(x / cap).
struct SoftCap {
  static constexpr bool reads_two = false;
  float cap = 1;
  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float x, float /*none*/) const noexcept {
    return cap * std::tanh(x / cap);
  }
};

/// max(x, 0); NaN stays.
struct Relu {
  static constexpr bool reads_two = false;
  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float x, float /*none*/) const noexcept {
    return x < 0.0F ? 0.0F : x;
  }
};

/// x + y.
struct Add {
  static constexpr bool reads_two = true;
  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float x, float y) const noexcept { return x + y; }
};

/// x = operation(x, y) element by element. Grid: one thread per four elements, which it reads and writes at once.
template <class Operation>
struct ElementwiseKernel {
  using Shared = NothingShared;
  static constexpr unsigned phases = 1;
  static constexpr std::uint64_t size = 4;  ///< elements per thread

  LaneRows x;
  void const* y;  ///< of x's type and size; unused if the operation reads only x
  Operation operation{};

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& /*shared*/) const {
    std::uint64_t const first = at.global() * size;
    if (first + size <= x.size()) {
      if (x.dtype == DataType::f32)
        whole<float>(at.global());
      else
        whole<std::uint16_t>(at.global());
    } else {
      for (std::uint64_t i = first; i < x.size(); ++i)
        x.set(i, operation(x.get(i), Operation::reads_two ? load(x.dtype, y, i) : 0.0F));
    }
  }

 private:
  template <class Word>
  struct alignas(size * sizeof(Word)) Packet {
    Word words[size];
  };

  template <class Word>
  ZEROTH_HOST_DEVICE void whole(std::uint64_t i) const noexcept {
    Packet<Word> a = static_cast<Packet<Word> const*>(x.data)[i];
    Packet<Word> b{};
    if constexpr (Operation::reads_two) b = static_cast<Packet<Word> const*>(y)[i];
    for (std::uint64_t j = 0; j < size; ++j) set(a.words[j], operation(get(a.words[j]), get(b.words[j])));
    static_cast<Packet<Word>*>(x.data)[i] = a;
  }

  [[nodiscard]] ZEROTH_HOST_DEVICE float get(float word) const noexcept { return word; }
  [[nodiscard]] ZEROTH_HOST_DEVICE float get(std::uint16_t word) const noexcept { return widen(x.dtype, word); }
  ZEROTH_HOST_DEVICE void set(float& word, float value) const noexcept { word = value; }
  ZEROTH_HOST_DEVICE void set(std::uint16_t& word, float value) const noexcept { word = narrow(x.dtype, value); }
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

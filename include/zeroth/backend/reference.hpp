// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/random/float_bits.hpp>

namespace zeroth {

/// Plain loops over elements, each written as it is defined: the twin that every fast path is tested against.
struct ReferenceBackend {
  template <Sampler S, MaskRule Rule>
  void expand(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
              std::span<Lane const> lanes, float epsilon, std::uint64_t first, std::uint64_t count,
              std::span<float* const> panels) const {
    float const* const theta = weights(tensor) + first;
    for (std::size_t k = 0; k < lanes.size(); ++k) {
      float const coefficient = static_cast<float>(lanes[k].sign) * epsilon;
      for (std::uint64_t i = 0; i < count; ++i) {
        std::uint64_t const element = tensor.offset + first + i;
        bool const moves = lanes[k].sign != 0 && mask(theta[i], element);
        panels[k][i] =
            moves ? std::fma(coefficient, noise.value(tensor.stream, lanes[k].sample, element), theta[i]) : theta[i];
      }
    }
  }

  template <Sampler S, MaskRule Rule>
  std::uint64_t apply(Parameter const& tensor, float const* source, TensorMask<Rule> const& mask,
                      NoiseField<S> const& noise, ElementwisePass const& pass) const {
    float* const theta = weights(tensor);
    if (source == nullptr) source = theta;
    std::uint64_t active = 0;
    for (std::uint64_t i = 0; i < tensor.size(); ++i) {
      std::uint64_t const element = tensor.offset + i;
      float t = source[i];
      if (mask(t, element)) {
        ++active;
        auto z = [&](NoiseTerm const& term) { return noise.value(tensor.stream, term.sample, element); };
        for (NoiseTerm const& term : pass.restore) t = std::fma(term.coefficient, z(term), t);
        if (pass.decay != 0) t = std::fma(-pass.decay, t, t);
        if (pass.takes_sign) {
          float direction = 0;
          for (NoiseTerm const& term : pass.terms) direction = std::fma(term.coefficient, z(term), direction);
          if (direction > 0) t += pass.sign_step;
          if (direction < 0) t -= pass.sign_step;
        } else {
          for (NoiseTerm const& term : pass.terms) t = std::fma(term.coefficient, z(term), t);
        }
      }
      theta[i] = t;
    }
    return active;
  }

  template <MaskRule Rule>
  void mask_bits(Parameter const& tensor, TensorMask<Rule> const& mask, std::span<std::uint64_t> words) const {
    std::fill(words.begin(), words.end(), 0);
    std::uint64_t const origin = tensor.offset / tile_size * tile_size;
    for (std::uint64_t i = 0; i < tensor.size(); ++i) {
      std::uint64_t const element = tensor.offset + i;
      std::uint64_t const bit = element - origin;
      if (mask(weights(tensor)[i], element)) words[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
  }

  [[nodiscard]] float kth_magnitude(std::span<Parameter const* const> tensors, std::uint64_t k) const {
    std::vector<std::uint32_t> magnitudes;
    for (Parameter const* p : tensors)
      for (std::uint64_t i = 0; i < p->size(); ++i) magnitudes.push_back(magnitude_bits(weights(*p)[i]));
    auto const kth = magnitudes.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(magnitudes.begin(), kth, magnitudes.end());
    return float_of(*kth);
  }

  void read(Parameter const& tensor, std::uint64_t first, std::span<float> out) const {
    std::copy_n(weights(tensor) + first, out.size(), out.begin());
  }

  [[nodiscard]] static constexpr bool supports(DataType dtype) noexcept { return dtype == DataType::f32; }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "reference"; }

 private:
  [[nodiscard]] static float* weights(Parameter const& tensor) noexcept { return static_cast<float*>(tensor.data); }
};

static_assert(Backend<ReferenceBackend>);

}  // namespace zeroth

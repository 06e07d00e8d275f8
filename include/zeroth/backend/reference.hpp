// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/fma.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth::ZEROTH_ISA {

/// Plain loops over elements, each written as its definition: every fast path is tested against this backend.
struct ReferenceBackend {
  template <Sampler S, MaskRule Rule>
  void expand(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
              std::span<Point const> points, float epsilon, std::uint64_t first, std::uint64_t count,
              std::span<float* const> panels) const {
    DefaultFloatEnvironment const environment;
    for (std::size_t k = 0; k < points.size(); ++k) {
      float const coefficient = static_cast<float>(points[k].sign) * epsilon;
      for (std::uint64_t i = 0; i < count; ++i) {
        std::uint64_t const element = tensor.offset + first + i;
        float const theta = weight(tensor, tensor.data, first + i);
        bool const moves = points[k].sign != 0 && mask(theta, element);
        panels[k][i] =
            moves ? fused_multiply_add(coefficient, noise.value(tensor.stream, points[k].sample, element), theta)
                  : theta;
      }
    }
  }

  template <Sampler S, MaskRule Rule>
  std::uint64_t apply(Parameter const& tensor, void const* source, TensorMask<Rule> const& mask,
                      NoiseField<S> const& noise, ElementwisePass const& pass) const {
    return run(tensor, source, mask, noise, pass, [&](float t, std::uint64_t i) {
      for (NoiseTerm const& term : pass.terms)
        t = fused_multiply_add(term.coefficient, z_of(tensor, noise, term, i), t);
      return t;
    });
  }

  template <Sampler S, MaskRule Rule, class R>
  std::uint64_t apply_rule(Parameter const& tensor, void const* source, TensorMask<Rule> const& mask,
                           NoiseField<S> const& noise, ElementwisePass const& pass, R const& rule, float* state) const {
    constexpr std::size_t floats = state_floats<R>;
    return run(tensor, source, mask, noise, pass, [&](float t, std::uint64_t i) {
      float const direction = direction_of(tensor, noise, pass, i);
      if constexpr (floats == 0) {
        return rule(t, direction);
      } else {
        Array<float, floats> values;
        for (std::size_t k = 0; k < floats; ++k) values[k] = state[k * tensor.size() + i];
        t = rule(t, direction, values);
        for (std::size_t k = 0; k < floats; ++k) state[k * tensor.size() + i] = values[k];
        return t;
      }
    });
  }

  template <Sampler S, MaskRule Rule>
  void preview(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
               ElementwisePass const& pass, std::uint64_t first, std::uint64_t count, float* panel) const {
    DefaultFloatEnvironment const environment;
    std::size_t const remainder_size = tensor.dtype == DataType::f32 ? 0 : remainder_bytes(pass.rounding);
    for (std::uint64_t i = 0; i < count; ++i) {
      float weight_of_copy;
      std::uint16_t remainder = 0;
      ElementwisePass pass_of_copy = pass;
      Parameter element{
          {}, tensor.role, {1, 1}, tensor.dtype, &weight_of_copy, tensor.stream, tensor.offset + first + i};
      auto copy = [](void* to, void const* memory, std::uint64_t index, std::size_t size) {
        std::memcpy(to, static_cast<std::byte const*>(memory) + index * size, size);
      };
      copy(&weight_of_copy, tensor.data, first + i, size_of(tensor.dtype));
      if (remainder_size != 0) {
        at_place(tensor, pass.remainders, first + i,
                 [&](std::uint64_t place) { copy(&remainder, pass.remainders.data, place, remainder_size); });
        pass_of_copy.remainders = {.data = &remainder};
      }
      apply(element, nullptr, mask, noise, pass_of_copy);
      panel[i] = weight(element, element.data, 0);
    }
  }

  template <MaskRule Rule>
  void mask_bits(Parameter const& tensor, TensorMask<Rule> const& mask, std::span<std::uint64_t> words) const {
    DefaultFloatEnvironment const environment;
    std::fill(words.begin(), words.end(), 0);
    std::uint64_t const origin = tensor.offset / tile_size * tile_size;
    for (std::uint64_t i = 0; i < tensor.size(); ++i) {
      std::uint64_t const element = tensor.offset + i;
      std::uint64_t const bit = element - origin;
      if (mask(weight(tensor, tensor.data, i), element)) words[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
  }

  [[nodiscard]] float kth_magnitude(std::span<Parameter const* const> tensors, std::uint64_t k) const {
    std::vector<std::uint32_t> magnitudes;
    for (Parameter const* p : tensors)
      for (std::uint64_t i = 0; i < p->size(); ++i) magnitudes.push_back(magnitude_bits(weight(*p, p->data, i)));
    auto const kth = magnitudes.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(magnitudes.begin(), kth, magnitudes.end());
    return float_of(*kth);
  }

  void read(Parameter const& tensor, std::uint64_t first, std::span<float> out) const {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = weight(tensor, tensor.data, first + i);
  }

  void copy(Parameter const& tensor, std::span<std::byte> out) const {
    std::memcpy(out.data(), tensor.data, static_cast<std::size_t>(tensor.bytes()));
  }

  static constexpr bool checks_arithmetic = true;
  [[nodiscard]] static constexpr bool supports(DataType /*dtype*/) noexcept { return true; }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "reference"; }

 private:
  /// Applies `restore`, `decay` and then `t = change(t, i)` to each active weight t; returns how many there are.
  template <Sampler S, MaskRule Rule, class Change>
  static std::uint64_t run(Parameter const& tensor, void const* source, TensorMask<Rule> const& mask,
                           NoiseField<S> const& noise, ElementwisePass const& pass, Change const& change) {
    DefaultFloatEnvironment const environment;
    if (source == nullptr) source = tensor.data;
    std::uint64_t active = 0;
    for (std::uint64_t i = 0; i < tensor.size(); ++i) {
      if (!mask(weight(tensor, source, i), tensor.offset + i)) {
        keep(tensor, source, i);
        continue;
      }
      ++active;
      float t = unrounded(tensor, source, pass, i);
      for (NoiseTerm const& term : pass.restore)
        t = fused_multiply_add(term.coefficient, z_of(tensor, noise, term, i), t);
      if (pass.decay != 0) t = fused_multiply_add(-pass.decay, t, t);
      t = change(t, i);
      RandomSource const random{noise.seed, noise.step, tensor.stream, 0, Purpose::rounding};
      store(tensor, pass, i, t, random);
    }
    return active;
  }

  template <Sampler S>
  [[nodiscard]] static float z_of(Parameter const& tensor, NoiseField<S> const& noise, NoiseTerm const& term,
                                  std::uint64_t i) {
    return noise.at(term.step).value(tensor.stream, term.sample, tensor.offset + i);
  }

  template <Sampler S>
  [[nodiscard]] static float direction_of(Parameter const& tensor, NoiseField<S> const& noise,
                                          ElementwisePass const& pass, std::uint64_t i) {
    float direction = 0;
    for (NoiseTerm const& term : pass.terms)
      direction = fused_multiply_add(term.coefficient, z_of(tensor, noise, term, i), direction);
    return direction;
  }

  template <class T>
  [[nodiscard]] static T load(void const* memory, std::uint64_t i) noexcept {
    T value;
    std::memcpy(&value, static_cast<std::byte const*>(memory) + i * sizeof(T), sizeof(T));
    return value;
  }
  template <class T>
  static void store(void* memory, std::uint64_t i, T value) noexcept {
    std::memcpy(static_cast<std::byte*>(memory) + i * sizeof(T), &value, sizeof(T));
  }

  /// Element i of a tensor whose weights lie in `memory`.
  [[nodiscard]] static float weight(Parameter const& tensor, void const* memory, std::uint64_t i) noexcept {
    if (tensor.dtype == DataType::f32) return load<float>(memory, i);
    return widen(tensor.dtype, load<std::uint16_t>(memory, i));
  }

  static void keep(Parameter const& tensor, void const* source, std::uint64_t i) noexcept {
    if (tensor.dtype == DataType::f32)
      store(tensor.data, i, load<float>(source, i));
    else
      store(tensor.data, i, load<std::uint16_t>(source, i));
  }

  /// Calls body(index) with the place of element i's remainder, if it has one.
  template <class Body>
  static void at_place(Parameter const& tensor, Remainders const& remainders, std::uint64_t i, Body const& body) {
    if (remainders.places == nullptr) return body(i);
    std::uint64_t const element = tensor.offset + i;
    std::uint64_t const tile = element / tile_size - tensor.offset / tile_size;
    auto const e = static_cast<unsigned>(element % tile_size);
    if (remainders.has_place(tile, e)) body(remainders.place(tile, e));
  }

  template <class T>
  [[nodiscard]] static T remainder(Parameter const& tensor, ElementwisePass const& pass, std::uint64_t i) {
    T value{};
    at_place(tensor, pass.remainders, i, [&](std::uint64_t at) { value = load<T>(pass.remainders.data, at); });
    return value;
  }
  template <class T>
  static void put_remainder(Parameter const& tensor, ElementwisePass const& pass, std::uint64_t i, T value) {
    at_place(tensor, pass.remainders, i, [&](std::uint64_t at) { store(pass.remainders.data, at, value); });
  }

  /// The weight plus its remainder.
  [[nodiscard]] static float unrounded(Parameter const& tensor, void const* source, ElementwisePass const& pass,
                                       std::uint64_t i) {
    float const theta = weight(tensor, source, i);
    if (tensor.dtype == DataType::f32) return theta;
    if (pass.rounding == Rounding::compensated)
      return theta - bfloat16_to_float(remainder<std::uint16_t>(tensor, pass, i));
    if (pass.rounding == Rounding::extra_byte)
      return to_float(tensor.dtype, {load<std::uint16_t>(source, i), remainder<std::int8_t>(tensor, pass, i)});
    return theta;
  }

  static void store(Parameter const& tensor, ElementwisePass const& pass, std::uint64_t i, float t,
                    RandomSource const& random) {
    if (tensor.dtype == DataType::f32) return store(tensor.data, i, t);
    std::uint16_t rounded = narrow(tensor.dtype, t);
    switch (pass.rounding) {
      case Rounding::nearest:
        break;
      case Rounding::stochastic:
        rounded = narrow_stochastic(tensor.dtype, t, rounding_bits(random, tensor.offset + i));
        break;
      case Rounding::compensated:
        put_remainder(tensor, pass, i, rounding_error(tensor.dtype, t, rounded));
        break;
      case Rounding::extra_byte: {
        ExtendedWeight const extended = extend(tensor.dtype, t);
        rounded = extended.upper;
        put_remainder(tensor, pass, i, extended.lower);
        break;
      }
    }
    store(tensor.data, i, rounded);
  }
};

static_assert(Backend<ReferenceBackend>);

}  // namespace zeroth::ZEROTH_ISA

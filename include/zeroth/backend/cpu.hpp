// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/backend/cpu/corrected_tile.hpp>
#include <zeroth/backend/cpu/instruction_set.hpp>
#include <zeroth/backend/cpu/kernels.hpp>
#include <zeroth/backend/cpu/kth_magnitude.hpp>
#include <zeroth/backend/cpu/tile_part.hpp>
#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/numeric/float_environment.hpp>

namespace zeroth::ZEROTH_ISA {

/// Vector code without dependencies, on the threads of an executor: AVX-512 or AVX2 where the machine has them
/// (detected at run time), NEON on AArch64, otherwise portable C++. The bits are those of ReferenceBackend with every
/// instruction set.
class CpuBackend {
 public:
  /// @param executor borrowed, must outlive the backend and its copies; serial by default
  /// @throws InvalidArgument if the machine does not support that instruction set
  explicit CpuBackend(AnyExecutor executor = {}, InstructionSet set = best_instruction_set())
      : executor_(executor), set_(set) {
    if (!is_supported(set))
      throw InvalidArgument("this machine does not support the instruction set " + std::string(to_string(set)) +
                            "; the best it supports is " + std::string(to_string(best_instruction_set())));
  }

  /// See Backend.
  template <Sampler S, MaskRule Rule>
  void expand(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
              std::span<Point const> points, float epsilon, std::uint64_t first, std::uint64_t count,
              std::span<float* const> panels) const {
    DefaultFloatEnvironment const environment;
    if (mask.coverage == Coverage::none) {
      if (panels.empty()) return;
      read(tensor, first, std::span(panels[0], static_cast<std::size_t>(count)));
      for (float* panel : panels.subspan(1)) std::copy_n(panels[0], count, panel);
      return;
    }
    with_kernels([&](auto kernels) {
      auto z = kernels.noise(noise, tensor.stream, count > tile_size && have_one_sample(points));
      detail::for_each_tile(tensor.offset + first, count, [&](detail::TilePart const& part) {
        alignas(64) float buffer[tile_size];
        prefetch<0>(tensor, first + part.position);
        float const* const theta = load_tile(kernels, tensor, tensor.data, first + part.position, part, buffer);
        if (part.is_whole()) {
          kernels.expand(theta, part.tile, mask, z, points, epsilon, panels.data(), part.position);
          return;
        }
        alignas(64) float expanded[tile_size];
        float* const output = expanded;
        for (std::size_t k = 0; k < points.size(); ++k) {
          kernels.expand(theta, part.tile, mask, z, points.subspan(k, 1), epsilon, &output, std::uint64_t{0});
          std::copy_n(expanded + part.begin, part.size, panels[k] + part.position);
        }
      });
    });
  }

  /// See Backend.
  template <Sampler S, MaskRule Rule>
  std::uint64_t apply(Parameter const& tensor, void const* source, TensorMask<Rule> const& mask,
                      NoiseField<S> const& noise, ElementwisePass const& pass) const {
    return run(tensor, source, mask, noise, pass, PlainChange{pass});
  }

  /// See Backend.
  template <Sampler S, MaskRule Rule, class R>
  std::uint64_t apply_rule(Parameter const& tensor, void const* source, TensorMask<Rule> const& mask,
                           NoiseField<S> const& noise, ElementwisePass const& pass, R const& rule, float* state) const {
    constexpr std::size_t floats = state_floats<R>;
    auto change = [&](auto kernels, auto& z, float* t, detail::TilePart const& part, std::uint64_t at,
                      TileMask const& bits) {
      alignas(64) float buffers[std::max<std::size_t>(floats, 1)][tile_size];
      std::array<float*, floats> tiles;
      for (std::size_t k = 0; k < floats; ++k) {
        float* const plane = state + k * tensor.size();
        tiles[k] = part.is_whole() ? plane + at : buffers[k];
        if (!part.is_whole()) detail::load_part(plane, at, part, buffers[k]);
      }
      kernels.apply_rule(t, part.tile, bits, z, pass, rule, tiles);
      if (part.is_whole()) return;
      for (std::size_t k = 0; k < floats; ++k) detail::store_part(buffers[k], part, state + k * tensor.size(), at);
    };
    return run(tensor, source, mask, noise, pass, change);
  }

  /// See Backend.
  template <Sampler S, MaskRule Rule>
  void preview(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
               ElementwisePass const& pass, std::uint64_t first, std::uint64_t count, float* panel) const {
    DefaultFloatEnvironment const environment;
    std::size_t const remainder_size = tensor.dtype == DataType::f32 ? 0 : remainder_bytes(pass.rounding);
    detail::for_each_tile(tensor.offset + first, count, [&](detail::TilePart part) {
      // Apply the pass to a copy of the tile's weights and remainders.
      std::uint64_t const position = std::exchange(part.position, 0);
      alignas(64) std::byte weights[tile_size * sizeof(float)];
      alignas(64) std::byte remainder[tile_size * sizeof(std::uint16_t)];
      Parameter copy{{}, tensor.role, {1, part.size}, tensor.dtype, weights, tensor.stream, tensor.offset};
      std::memcpy(weights, address(tensor.data, tensor.dtype, first + position), part.size * size_of(tensor.dtype));
      ElementwisePass pass_of_copy = pass;
      if (remainder_size != 0) {
        std::uint64_t const tile = part.tile - tensor.offset / tile_size;
        auto copy_remainders = [&](auto* values) {
          load_remainders(pass.remainders, tile, first + position, part, values);
          std::memcpy(remainder, values + part.begin, part.size * remainder_size);
        };
        alignas(64) std::uint16_t errors[tile_size];
        alignas(64) std::int8_t lower[tile_size];
        if (pass.rounding == Rounding::compensated)
          copy_remainders(errors);
        else
          copy_remainders(lower);
        pass_of_copy.remainders = {.data = remainder};
      }
      with_kernels([&](auto kernels) {
        auto z = kernels.noise(noise, tensor.stream, false);
        PlainChange const change{pass_of_copy};
        if (copy.dtype == DataType::f32)
          change_floats(kernels, z, copy, weights, mask, 0, part, change);
        else
          change_16_bits(kernels, z, copy, weights, mask, noise, pass_of_copy, 0, part, change);
      });
      read(copy, 0, {panel + position, part.size});
    });
  }

  /// See Backend.
  template <MaskRule Rule>
  void mask_bits(Parameter const& tensor, TensorMask<Rule> const& mask, std::span<std::uint64_t> words) const {
    std::uint64_t const first_tile = tensor.offset / tile_size;
    sum_over_chunks(tensor, [&](std::uint64_t first, std::uint64_t count) {
      detail::for_each_tile(tensor.offset + first, count, [&](detail::TilePart const& part) {
        with_kernels([&](auto kernels) {
          alignas(64) float buffer[tile_size];
          float const* const theta = load_tile(kernels, tensor, tensor.data, first + part.position, part, buffer);
          TileMask const bits = kernels.mask(mask, theta, part.tile) & part.bits();
          words[(part.tile - first_tile) * 2] = bits.word[0];
          words[(part.tile - first_tile) * 2 + 1] = bits.word[1];
        });
      });
      return std::uint64_t{0};
    });
  }

  /// See Backend.
  [[nodiscard]] float kth_magnitude(std::span<Parameter const* const> tensors, std::uint64_t k) const {
    return detail::MagnitudeSelection(tensors, executor_).kth(k);
  }

  /// See Backend.
  void read(Parameter const& tensor, std::uint64_t first, std::span<float> out) const {
    widen_values(tensor.dtype, address(tensor.data, tensor.dtype, first), out, set_);
  }

  /// See Backend.
  void copy(Parameter const& tensor, std::span<std::byte> out) const {
    std::memcpy(out.data(), tensor.data, static_cast<std::size_t>(tensor.bytes()));
  }

  static constexpr bool checks_arithmetic = true;
  static constexpr bool has_corrections = true;
  [[nodiscard]] static constexpr bool supports(DataType /*dtype*/) noexcept { return true; }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "cpu"; }
  [[nodiscard]] AnyExecutor executor() const noexcept { return executor_; }
  [[nodiscard]] InstructionSet instruction_set() const noexcept { return set_; }

 private:
  static constexpr std::uint64_t tiles_per_chunk = 256;  // 128 KiB of f32 weights: worth a task of its own

  /// Address of element i in memory of that type.
  [[nodiscard]] static void const* address(void const* memory, DataType dtype, std::uint64_t i) noexcept {
    return static_cast<std::byte const*>(memory) + i * size_of(dtype);
  }

  template <class Body>
  void with_kernels(Body&& body) const {
    cpu_kernels::with_kernels(set_, body);
  }

  /// Whether the points, or all terms, use one sample.
  [[nodiscard]] static bool have_one_sample(std::span<Point const> points) noexcept {
    return std::all_of(points.begin(), points.end(), [&](Point const& p) { return p.sample == points[0].sample; });
  }
  [[nodiscard]] static bool have_one_sample(ElementwisePass const& pass) noexcept {
    NoiseTerm const first = !pass.restore.empty() ? pass.restore[0] : !pass.terms.empty() ? pass.terms[0] : NoiseTerm{};
    auto is_of_it = [&](NoiseTerm const& term) { return term.step == first.step && term.sample == first.sample; };
    auto are_of_it = [&](auto const& terms) { return std::all_of(terms.begin(), terms.end(), is_of_it); };
    return are_of_it(pass.restore) && are_of_it(pass.terms) &&
           (pass.corrections == nullptr || are_of_it(pass.corrections->terms));
  }

  /// Prefetches the tile that comes eight tiles after element i, for reading (0) or writing (1).
  template <int change>
  static void prefetch([[maybe_unused]] Parameter const& tensor, [[maybe_unused]] std::uint64_t i) noexcept {
#if defined(__GNUC__)
    std::size_t const size = size_of(tensor.dtype);
    auto const from = reinterpret_cast<std::uintptr_t>(tensor.data) + (i + 8 * tile_size) * size;
    for (std::size_t line = 0; line < tile_size * size; line += 64)
      __builtin_prefetch(reinterpret_cast<void const*>(from + line), change);
#endif
  }

  /// Loads the remainders of a part's elements; `tile` counts from the first tile that the tensor touches.
  template <class T>
  static void load_remainders(Remainders const& remainders, std::uint64_t tile, std::uint64_t at,
                              detail::TilePart const& part, T* values) noexcept {
    if (remainders.places == nullptr) return detail::load_part(remainders.data, at, part, values);
    std::fill_n(values, tile_size, T{});
    for_each_place<T>(remainders, tile, [&](unsigned e, T const& value) { values[e] = value; });
  }
  template <class T>
  static void store_remainders(T const* values, std::uint64_t tile, detail::TilePart const& part,
                               Remainders const& remainders, std::uint64_t at) noexcept {
    if (remainders.places == nullptr) return detail::store_part(values, part, remainders.data, at);
    for_each_place<T>(remainders, tile, [&](unsigned e, T& value) { value = values[e]; });
  }

  /// Calls body(element of the tile, its remainder) for each element that has a place.
  template <class T, class Body>
  static void for_each_place(Remainders const& remainders, std::uint64_t tile, Body const& body) {
    T* next = static_cast<T*>(remainders.data) + remainders.first_place_of(tile);
    for (unsigned w = 0; w < 2; ++w)
      for (std::uint64_t bits = remainders.places[tile * 2 + w]; bits != 0; bits &= bits - 1)
        body(64 * w + static_cast<unsigned>(std::countr_zero(bits)), *next++);
  }

  /// The weights from `at` on as the floats of their tile: in `memory` itself if they lie there as such, otherwise in
  /// `buffer`.
  template <class Kernels>
  [[nodiscard]] static float const* load_tile(Kernels kernels, Parameter const& tensor, void const* memory,
                                              std::uint64_t at, detail::TilePart const& part, float* buffer) {
    if (tensor.dtype == DataType::f32) {
      if (part.is_whole()) return static_cast<float const*>(memory) + at;
      detail::load_part(memory, at, part, buffer);
    } else {
      alignas(64) std::uint16_t weights[tile_size];
      detail::load_part(memory, at, part, weights);
      kernels.widen(tensor.dtype, weights, buffer);
    }
    return buffer;
  }

  /// What a pass without state does to the active weights t of a tile.
  struct PlainChange {
    ElementwisePass const& pass;

    template <class Kernels, class Noise>
    void operator()(Kernels kernels, Noise& z, float* t, detail::TilePart const& part, std::uint64_t /*at*/,
                    TileMask const& bits) const {
      kernels.apply(t, part.tile, bits, z, pass);
    }
  };

  /// Calls change(kernels, noise, floats of the tile, part, index of the part's first weight, active) for every tile
  /// and stores the result; returns how many weights were active.
  template <Sampler S, MaskRule Rule, class Change>
  std::uint64_t run(Parameter const& tensor, void const* source, TensorMask<Rule> const& mask,
                    NoiseField<S> const& noise, ElementwisePass const& pass, Change const& change) const {
    if (source == nullptr) source = tensor.data;
    return sum_over_chunks(tensor, [&](std::uint64_t first, std::uint64_t count) {
      std::uint64_t active = 0;
      with_kernels([&](auto kernels) {
        auto z = kernels.noise(noise, tensor.stream, have_one_sample(pass));
        detail::for_each_tile(tensor.offset + first, count, [&](detail::TilePart const& part) {
          prefetch<1>(tensor, first + part.position);
          auto restored = [&](auto stored, auto const& change_tile) {
            if (pass.corrections == nullptr) return change_tile();
            detail::CorrectedTile<decltype(stored)> tile(tensor, *pass.corrections, part, first + part.position);
            if (tile.is_done()) return TileMask{};
            tile.restore(kernels, z);
            TileMask const bits = change_tile();
            tile.finish(kernels, z, bits);
            return bits;
          };
          TileMask const bits =
              tensor.dtype == DataType::f32
                  ? restored(float{},
                             [&] { return change_floats(kernels, z, tensor, source, mask, first, part, change); })
                  : restored(std::uint16_t{}, [&] {
                      return change_16_bits(kernels, z, tensor, source, mask, noise, pass, first, part, change);
                    });
          active += static_cast<std::uint64_t>(std::popcount(bits.word[0]) + std::popcount(bits.word[1]));
        });
      });
      return active;
    });
  }

  /// Applies the change to the part of a tile; `first` is the beginning of the range from which the part counts its
  /// position.
  template <class Kernels, class Noise, MaskRule Rule, class Change>
  static TileMask change_floats(Kernels kernels, Noise& z, Parameter const& tensor, void const* source,
                                TensorMask<Rule> const& mask, std::uint64_t first, detail::TilePart const& part,
                                Change const& change) {
    std::uint64_t const at = first + part.position;
    alignas(64) float buffer[tile_size];
    bool const in_place = part.is_whole() && source == tensor.data;
    float* const t = in_place ? static_cast<float*>(tensor.data) + at : buffer;
    if (!in_place) detail::load_part(source, at, part, buffer);
    TileMask const bits = kernels.mask(mask, t, part.tile) & part.bits();
    change(kernels, z, t, part, at, bits);
    if (!in_place) detail::store_part(buffer, part, tensor.data, at);
    return bits;
  }

  template <class Kernels, class Noise, Sampler S, MaskRule Rule, class Change>
  static TileMask change_16_bits(Kernels kernels, Noise& z, Parameter const& tensor, void const* source,
                                 TensorMask<Rule> const& mask, NoiseField<S> const& noise, ElementwisePass const& pass,
                                 std::uint64_t first, detail::TilePart const& part, Change const& change) {
    std::uint64_t const at = first + part.position;
    alignas(64) std::uint16_t weights[tile_size];
    alignas(64) float t[tile_size];
    detail::load_part(source, at, part, weights);
    kernels.widen(tensor.dtype, weights, t);
    TileMask const bits = kernels.mask(mask, t, part.tile) & part.bits();
    auto run = [&](auto* remainder) {
      kernels.add_remainders(tensor.dtype, pass.rounding, weights, remainder, t);
      change(kernels, z, t, part, at, bits);
      RandomSource const random{noise.seed, noise.step, tensor.stream, 0, Purpose::rounding};
      kernels.round(tensor.dtype, pass.rounding, t, part.tile, bits, random, weights, remainder);
    };
    auto run_with = [&](auto* remainder) {
      std::uint64_t const tile = part.tile - tensor.offset / tile_size;
      load_remainders(pass.remainders, tile, at, part, remainder);
      run(remainder);
      store_remainders(remainder, tile, part, pass.remainders, at);
    };
    if (bits != TileMask{}) {
      alignas(64) std::uint16_t errors[tile_size];
      alignas(64) std::int8_t lower[tile_size];
      if (pass.rounding == Rounding::compensated)
        run_with(errors);
      else if (pass.rounding == Rounding::extra_byte)
        run_with(lower);
      else
        run(static_cast<std::byte*>(nullptr));
    }
    if (bits != TileMask{} || source != tensor.data) detail::store_part(weights, part, tensor.data, at);
    return bits;
  }

  /// Splits a tensor at tile boundaries, calls body(first, count) for each piece on the executor, and sums the results.
  template <class Body>
  std::uint64_t sum_over_chunks(Parameter const& tensor, Body&& body) const {
    std::uint64_t const lead = tensor.offset % tile_size;  // the first chunk is shorter by this
    std::uint64_t const chunk = tiles_per_chunk * tile_size;
    std::size_t const chunks = static_cast<std::size_t>((lead + tensor.size() + chunk - 1) / chunk);
    std::atomic<std::size_t> sum{
        0};  // counts weights; needs no allocation, which could fail in the middle of an update
    executor_.parallel_for(chunks, [&](std::size_t i) {
      DefaultFloatEnvironment const environment;
      std::uint64_t const begin = i == 0 ? 0 : i * chunk - lead;
      std::uint64_t const end = std::min((i + 1) * chunk - lead, tensor.size());
      sum.fetch_add(static_cast<std::size_t>(body(begin, end - begin)), std::memory_order_relaxed);
    });
    return sum.load(std::memory_order_relaxed);
  }

  AnyExecutor executor_;
  InstructionSet set_;
};

}  // namespace zeroth::ZEROTH_ISA

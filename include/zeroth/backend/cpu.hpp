// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/cpu/instruction_set.hpp>
#include <zeroth/backend/cpu/kernels.hpp>
#include <zeroth/backend/cpu/kth_magnitude.hpp>
#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>

namespace zeroth {

namespace detail {

/// The part of a tile that lies within a range of elements.
struct TilePart {
  std::uint64_t tile;
  std::uint64_t position;  ///< of the part's first element, counted from the start of the range
  unsigned begin;          ///< of the part within the tile
  unsigned size;

  [[nodiscard]] bool is_whole() const noexcept { return size == tile_size; }

  /// The bits of the part.
  [[nodiscard]] TileMask bits() const noexcept {
    auto below = [](unsigned n) { return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1; };
    unsigned const end = begin + size;
    return {{below(end) & ~below(begin), end <= 64 ? 0 : below(end - 64) & ~(begin <= 64 ? 0 : below(begin - 64))}};
  }
};

/// Calls body(TilePart) for each tile that elements [first, first + count) of a tensor touch, in order.
template <class Body>
void for_each_tile(std::uint64_t first, std::uint64_t count, Body&& body) {
  std::uint64_t position = 0;
  while (position < count) {
    std::uint64_t const element = first + position;
    auto const begin = static_cast<unsigned>(element % tile_size);
    auto const size = static_cast<unsigned>(std::min<std::uint64_t>(tile_size - begin, count - position));
    body(TilePart{element / tile_size, position, begin, size});
    position += size;
  }
}

}  // namespace detail

/// Vector code without dependencies: AVX-512 or AVX2 where the machine has them (told at run time), portable C++
/// elsewhere, over the threads of an executor. The bits are those of ReferenceBackend, whatever the instruction set.
class CpuBackend {
 public:
  /// @param executor borrowed, must outlive the backend and its copies; serial by default
  /// @throws InvalidArgument if the machine does not run that instruction set
  explicit CpuBackend(AnyExecutor executor = {}, InstructionSet set = best_instruction_set())
      : executor_(executor), set_(set) {
    if (!is_supported(set))
      throw InvalidArgument("this machine does not run the instruction set " + std::string(to_string(set)) +
                            "; the best it runs is " + std::string(to_string(best_instruction_set())));
  }

  /// See Backend.
  template <Sampler S, MaskRule Rule>
  void expand(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
              std::span<Lane const> lanes, float epsilon, std::uint64_t first, std::uint64_t count,
              std::span<float* const> panels) const {
    float const* const theta = weights(tensor) + first;
    if (mask.coverage == Coverage::none) {
      for (float* panel : panels) std::copy_n(theta, count, panel);
      return;
    }
    auto expand_whole = [&](float const* tile_theta, std::uint64_t tile, std::span<Lane const> some,
                            float* const* outputs, std::uint64_t position) {
      with_kernels([&](auto kernels) {
        kernels.expand(tile_theta, tile, tensor.stream, mask, noise, some, epsilon, outputs, position);
      });
    };
    detail::for_each_tile(tensor.offset + first, count, [&](detail::TilePart const& part) {
      if (part.is_whole()) {
        expand_whole(theta + part.position, part.tile, lanes, panels.data(), part.position);
        return;
      }
      alignas(64) float padded[tile_size] = {};
      alignas(64) float expanded[tile_size];
      std::copy_n(theta + part.position, part.size, padded + part.begin);
      for (std::size_t k = 0; k < lanes.size(); ++k) {
        float* const output = expanded;
        expand_whole(padded, part.tile, lanes.subspan(k, 1), &output, 0);
        std::copy_n(expanded + part.begin, part.size, panels[k] + part.position);
      }
    });
  }

  /// See Backend.
  template <Sampler S, MaskRule Rule>
  std::uint64_t apply(Parameter const& tensor, float const* source, TensorMask<Rule> const& mask,
                      NoiseField<S> const& noise, ElementwisePass const& pass) const {
    float* const theta = weights(tensor);
    if (source == nullptr) source = theta;
    return sum_over_chunks(tensor, [&](std::uint64_t first, std::uint64_t count) {
      std::uint64_t active = 0;
      detail::for_each_tile(tensor.offset + first, count, [&](detail::TilePart const& part) {
        std::uint64_t const at = first + part.position;
        alignas(64) float padded[tile_size];
        bool const in_place = part.is_whole() && source == theta;
        float* const t = in_place ? theta + at : padded;
        if (!in_place) {
          if (!part.is_whole()) std::fill_n(padded, tile_size, 0.0F);
          std::copy_n(source + at, part.size, padded + part.begin);
        }
        with_kernels([&](auto kernels) {
          TileMask const bits = kernels.mask(mask, t, part.tile) & part.bits();
          active += static_cast<std::uint64_t>(std::popcount(bits.word[0]) + std::popcount(bits.word[1]));
          kernels.apply(t, part.tile, tensor.stream, bits, noise, pass);
        });
        if (!in_place) std::copy_n(padded + part.begin, part.size, theta + at);
      });
      return active;
    });
  }

  /// See Backend.
  template <MaskRule Rule>
  void mask_bits(Parameter const& tensor, TensorMask<Rule> const& mask, std::span<std::uint64_t> words) const {
    float const* const theta = weights(tensor);
    std::uint64_t const first_tile = tensor.offset / tile_size;
    sum_over_chunks(tensor, [&](std::uint64_t first, std::uint64_t count) {
      detail::for_each_tile(tensor.offset + first, count, [&](detail::TilePart const& part) {
        alignas(64) float padded[tile_size] = {};
        std::copy_n(theta + first + part.position, part.size, padded + part.begin);
        with_kernels([&](auto kernels) {
          TileMask const bits = kernels.mask(mask, padded, part.tile) & part.bits();
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
    std::copy_n(weights(tensor) + first, out.size(), out.begin());
  }

  [[nodiscard]] static constexpr bool supports(DataType dtype) noexcept { return dtype == DataType::f32; }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "cpu"; }
  [[nodiscard]] AnyExecutor executor() const noexcept { return executor_; }
  [[nodiscard]] InstructionSet instruction_set() const noexcept { return set_; }

 private:
  static constexpr std::uint64_t tiles_per_chunk = 256;  // 128 KiB of weights: a task that is worth handing out

  [[nodiscard]] static float* weights(Parameter const& tensor) noexcept { return static_cast<float*>(tensor.data); }

  /// Calls body with the kernels of the instruction set.
  template <class Body>
  void with_kernels(Body&& body) const {
#if ZEROTH_X86_DISPATCH
    if (set_ == InstructionSet::avx512) return body(cpu_kernels::avx512::Kernels{});
    if (set_ == InstructionSet::avx2) return body(cpu_kernels::avx2::Kernels{});
#endif
    body(cpu_kernels::portable::Kernels{});
  }

  /// Cuts a tensor at tile boundaries, calls body(first, count) for each piece on the executor, and sums its results.
  template <class Body>
  std::uint64_t sum_over_chunks(Parameter const& tensor, Body&& body) const {
    std::uint64_t const lead = tensor.offset % tile_size;  // the first chunk is short by as much
    std::uint64_t const chunk = tiles_per_chunk * tile_size;
    std::size_t const chunks = static_cast<std::size_t>((lead + tensor.size() + chunk - 1) / chunk);
    std::vector<std::uint64_t> results(chunks, 0);
    executor_.parallel_for(chunks, [&](std::size_t i) {
      std::uint64_t const begin = i == 0 ? 0 : i * chunk - lead;
      std::uint64_t const end = std::min((i + 1) * chunk - lead, tensor.size());
      results[i] = body(begin, end - begin);
    });
    std::uint64_t sum = 0;
    for (std::uint64_t r : results) sum += r;
    return sum;
  }

  AnyExecutor executor_;
  InstructionSet set_;
};

}  // namespace zeroth

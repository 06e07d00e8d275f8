// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/sampler/sampler.hpp>

#include "exact.hpp"

namespace zeroth_bench {

/// The tested stream; neighbours are the streams next to it.
inline constexpr std::uint32_t tested_stream = 0x6e6f6973U;

/// Identifies the perturbation of the values.
struct Coordinates {
  std::uint64_t seed;
  std::uint32_t step = 0;
  std::uint32_t stream = tested_stream;
  std::uint32_t sample = 0;
};

/// z of elements [first, first + out.size()), computed by the backend's vector code: 0 perturbed by 1 z.
template <class S>
void fill(Coordinates const& at, std::uint64_t first, std::span<float> out, std::span<float> zeros) {
  zeroth::Parameter tensor;
  tensor.shape = {1, out.size()};
  tensor.data = zeros.data();
  tensor.stream = at.stream;
  tensor.offset = first;
  zeroth::Point const lane{at.sample, 1};
  float* const panel = out.data();
  zeroth::CpuBackend{}.expand(tensor, zeroth::Dense::State{}.tensor(0, 0), zeroth::NoiseField<S>{{}, at.seed, at.step},
                              {&lane, 1}, 1.0F, 0, out.size(), {&panel, 1});
}

/// Distances at which elements are compared: within a vector of blocks, between the two values of a word (16), those of
/// neighbouring words (from 32 on), and neighbouring tiles (from 128 on).
inline constexpr std::array<std::size_t, 14> distances = {1, 2, 3, 4, 8, 15, 16, 17, 32, 48, 64, 127, 128, 129};

/// Distances for the test that pairs of values fill 16 x 16 equally likely cells.
inline constexpr std::array<std::size_t, 2> pair_distances = {1, 16};
inline constexpr std::size_t pair_cells = 16;

/// Sums over a sample, merged in a fixed order.
struct Sums {
  double first = 0;
  double second = 0;
  double third = 0;
  double fourth = 0;
  std::array<double, distances.size()> products{};  ///< products of values at each distance
  std::array<double, distances.size()> squares{};   ///< products of their squares minus the mean
  std::vector<std::uint64_t> cells;
  std::array<std::vector<std::uint64_t>, pair_distances.size()> pairs;
  std::vector<std::uint64_t> patterns;  ///< counts of the signs of 16 neighbours

  void add(Sums const& other) {
    auto add_all = [](auto& to, auto const& from) {
      if (to.size() < from.size()) {
        if constexpr (requires { to.resize(from.size()); }) to.resize(from.size());
      }
      for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
    };
    first += other.first;
    second += other.second;
    third += other.third;
    fourth += other.fourth;
    add_all(products, other.products);
    add_all(squares, other.squares);
    add_all(cells, other.cells);
    for (std::size_t i = 0; i < pairs.size(); ++i) add_all(pairs[i], other.pairs[i]);
    add_all(patterns, other.patterns);
  }
};

namespace detail {

inline constexpr std::size_t block_size = 4096;
inline constexpr std::size_t sample_tasks = 16;

/// Runs body(task, first block, end block), dividing the blocks of `values` values in a fixed way.
template <class Body>
void for_tasks(std::uint64_t values, zeroth::AnyExecutor executor, Body&& body) {
  std::uint64_t const blocks = (values + block_size - 1) / block_size;
  executor.parallel_for(sample_tasks, [&](std::size_t task) {
    body(task, blocks * task / sample_tasks, blocks * (task + 1) / sample_tasks);
  });
}

/// sum a[i] b[i], in eight sums, so that it can be vectorized.
inline double dot(double const* a, double const* b, std::size_t n) {
  std::array<double, 8> sums{};
  for (std::size_t i = 0; i < n; i += 8)
    for (std::size_t k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

}  // namespace detail

/// Everything summed over the elements of one perturbation. `values` is rounded up to a multiple of 4096.
template <class S>
[[nodiscard]] Sums sums_of(Coordinates const& at, std::uint64_t values, Exact const& exact,
                           zeroth::AnyExecutor executor) {
  using detail::block_size;
  constexpr std::size_t overhang = 256;  // whole tiles, more than the largest distance
  std::vector<std::uint8_t> class_of(exact.cdf.size());
  double last = 0;
  for (std::size_t i = 0; i < class_of.size(); ++i) {
    class_of[i] = static_cast<std::uint8_t>((last + exact.cdf[i]) / 2 * pair_cells);
    last = exact.cdf[i];
  }
  std::vector<Sums> partial(detail::sample_tasks);
  detail::for_tasks(values, executor, [&](std::size_t task, std::uint64_t begin, std::uint64_t end) {
    Sums sums;
    sums.cells.resize(Cells<S>::count);
    for (auto& pairs : sums.pairs) pairs.resize(pair_cells * pair_cells);
    sums.patterns.resize(1U << 16);
    std::vector<float> z(block_size + overhang);
    std::vector<float> zeros(z.size());
    std::vector<double> value(z.size());
    std::vector<double> square(z.size());
    std::vector<std::uint8_t> classes(z.size());
    for (std::uint64_t block = begin; block < end; ++block) {
      fill<S>(at, block * block_size, z, zeros);
      for (std::size_t i = 0; i < z.size(); ++i) {
        value[i] = double{z[i]};
        square[i] = value[i] * value[i] - exact.variance;
        std::size_t const cell = Cells<S>::of(z[i]);
        classes[i] = class_of[cell];
        if (i < block_size) ++sums.cells[cell];
      }
      std::vector<double> const ones(block_size, 1);
      sums.first += detail::dot(value.data(), ones.data(), block_size);
      sums.second += detail::dot(square.data(), ones.data(), block_size);
      sums.third += detail::dot(square.data(), value.data(), block_size);
      sums.fourth += detail::dot(square.data(), square.data(), block_size);
      for (std::size_t d = 0; d < distances.size(); ++d) {
        sums.products[d] += detail::dot(value.data(), value.data() + distances[d], block_size);
        sums.squares[d] += detail::dot(square.data(), square.data() + distances[d], block_size);
      }
      for (std::size_t d = 0; d < pair_distances.size(); ++d)
        for (std::size_t i = 0; i < block_size; ++i)
          ++sums.pairs[d][classes[i] * pair_cells + classes[i + pair_distances[d]]];
      for (std::size_t i = 0; i < block_size; i += 16) {
        std::uint32_t pattern = 0;
        for (std::size_t k = 0; k < 16; ++k) pattern |= (z[i + k] < 0 ? 1U : 0U) << k;
        ++sums.patterns[pattern];
      }
    }
    partial[task] = std::move(sums);
  });
  Sums total;
  for (Sums const& sums : partial) total.add(sums);
  return total;
}

/// Sums of products of two perturbations, element by element: of the values, and of their squares minus the mean.
template <class S>
[[nodiscard]] std::pair<double, double> products_of(Coordinates const& a, Coordinates const& b, std::uint64_t values,
                                                    double variance, zeroth::AnyExecutor executor) {
  using detail::block_size;
  std::vector<std::pair<double, double>> partial(detail::sample_tasks);
  detail::for_tasks(values, executor, [&](std::size_t task, std::uint64_t begin, std::uint64_t end) {
    std::vector<float> z(block_size);
    std::vector<float> zeros(block_size);
    std::array<std::vector<double>, 2> value{std::vector<double>(block_size), std::vector<double>(block_size)};
    std::array<std::vector<double>, 2> square = value;
    for (std::uint64_t block = begin; block < end; ++block) {
      for (std::size_t side = 0; side < 2; ++side) {
        fill<S>(side == 0 ? a : b, block * block_size, z, zeros);
        for (std::size_t i = 0; i < block_size; ++i) {
          value[side][i] = double{z[i]};
          square[side][i] = value[side][i] * value[side][i] - variance;
        }
      }
      partial[task].first += detail::dot(value[0].data(), value[1].data(), block_size);
      partial[task].second += detail::dot(square[0].data(), square[1].data(), block_size);
    }
  });
  std::pair<double, double> total{0, 0};
  for (auto const& [products, squares] : partial) {
    total.first += products;
    total.second += squares;
  }
  return total;
}

}  // namespace zeroth_bench

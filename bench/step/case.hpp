// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/parameters.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth_bench {

enum class Method { mezo, s_mezo };
enum class Noise { gaussian, rademacher };
enum class Operations { cpu, eigen, onednn };

/// Sequences of a batch: the paper's batch size.
inline constexpr std::size_t batch_size = 16;

/// One thing to measure: how a step, or a plain forward, compares with what it is held against.
struct Case {
  Method method = Method::s_mezo;
  Noise noise = Noise::gaussian;
  zeroth::DataType dtype = zeroth::DataType::f32;
  std::size_t tokens = 512;  ///< of a batch
  Operations operations = Operations::cpu;
  zeroth::DataType compute = zeroth::DataType::f32;  ///< what products with weights take
  zeroth::Rounding rounding = zeroth::Rounding::extra_byte;

  /// METHOD_NOISE_TYPE_TOKENS, and what operations, products and rounding there are but the default ones.
  [[nodiscard]] std::string name() const;
};

/// How to measure.
struct Settings {
  std::string model;
  unsigned threads = 0;  ///< 0: all
  int rounds = 9;
};

/// Two plain forwards, the probe and the step, alternating in one run: the ratios of each round, and the peak memory of
/// the whole process, loading included.
[[nodiscard]] nlohmann::json measure_step(Case const& what, Settings const& settings);

/// Whether this build has those operations.
[[nodiscard]] bool has(Operations operations);

/// _eigen, _onednn, _bf16_products, or nothing for the default ones.
[[nodiscard]] std::string suffix(Operations operations, zeroth::DataType compute);

/// A plain forward on those operations and products beside the default ones and Eigen's, both in f32, alternating: the
/// ratios of their speeds and the difference of their losses.
[[nodiscard]] nlohmann::json measure_products(std::size_t tokens, Operations operations, zeroth::DataType compute,
                                              Settings const& settings);

/// A plain forward, Eigen's products at the shapes of the same layers, and multiply-adds in registers, alternating.
[[nodiscard]] nlohmann::json measure_forward(std::size_t tokens, Operations operations, Settings const& settings);

}  // namespace zeroth_bench

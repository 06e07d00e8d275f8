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

/// Sequences per batch: the paper's batch size.
inline constexpr std::size_t batch_size = 16;

/// A measurement: a step, or a plain forward, and what it is compared with.
struct Case {
  Method method = Method::s_mezo;
  Noise noise = Noise::gaussian;
  zeroth::DataType dtype = zeroth::DataType::f32;
  std::size_t tokens = 512;  ///< tokens per batch
  Operations operations = Operations::cpu;
  zeroth::DataType compute = zeroth::DataType::f32;  ///< factor type of products with weights
  zeroth::Rounding rounding = zeroth::Rounding::extra_byte;

  /// METHOD_NOISE_TYPE_TOKENS, and operations, products and rounding if they are not the default ones.
  [[nodiscard]] std::string name() const;
};

/// How to measure.
struct Settings {
  std::string model;
  unsigned threads = 0;  ///< 0: all
  int rounds = 9;
};

/// Two plain forwards, the probe and the step, alternating in one run: the ratios of each round, and the peak memory of
/// the whole process, including loading.
[[nodiscard]] nlohmann::json measure_step(Case const& what, Settings const& settings);

/// What is tuned beside weights that stay as their file stores them.
enum class Beside { lora, delta, scales };

/// S-MeZO steps of what lies beside weights held as stored, two plain forwards of these, and the same with decoded
/// weights, alternating.
[[nodiscard]] nlohmann::json measure_beside(Beside what, std::size_t tokens, Settings const& settings);

/// Whether this build has those operations.
[[nodiscard]] bool has(Operations operations);

/// _eigen, _onednn, _bf16_products, or nothing for the default ones.
[[nodiscard]] std::string suffix(Operations operations, zeroth::DataType compute);

/// Compares a plain forward with those operations and products to the default ones and Eigen's, both in f32,
/// alternating: the ratios of their speeds and the difference of their losses.
[[nodiscard]] nlohmann::json measure_products(std::size_t tokens, Operations operations, zeroth::DataType compute,
                                              Settings const& settings);

/// A plain forward, Eigen's products with the shapes of the same layers, and multiply-adds in registers, alternating.
[[nodiscard]] nlohmann::json measure_forward(std::size_t tokens, Operations operations, Settings const& settings);

}  // namespace zeroth_bench

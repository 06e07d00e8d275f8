// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <string_view>

#include <zeroth/error.hpp>
#include <zeroth/number_text.hpp>

namespace zeroth::ZEROTH_ISA {

/// The learning rate over a run, as a factor of its peak: warm-up by equal rises, then constant, or a fall to
/// `final_factor` that ends with the last step, along a line or half a cosine.
struct Schedule {
  enum class Shape : std::uint8_t { constant, linear, cosine };

  Shape shape = Shape::constant;
  std::uint64_t total_steps = 0;   ///< steps of the run; needed unless constant
  std::uint64_t warmup_steps = 0;  ///< the factor of step t < warmup_steps is (t + 1) / (warmup_steps + 1)
  double final_factor = 0;         ///< where a linear or cosine schedule ends, in [0, 1]

  [[nodiscard]] static Schedule constant(std::uint64_t warmup_steps = 0) {
    return {Shape::constant, 0, warmup_steps, 0};
  }
  [[nodiscard]] static Schedule linear(std::uint64_t total_steps, std::uint64_t warmup_steps = 0) {
    return {Shape::linear, total_steps, warmup_steps, 0};
  }
  [[nodiscard]] static Schedule cosine(std::uint64_t total_steps, std::uint64_t warmup_steps = 0) {
    return {Shape::cosine, total_steps, warmup_steps, 0};
  }

  /// Factor of the peak learning rate at a step, counted from 0; past the end it stays at `final_factor`.
  [[nodiscard]] double operator()(std::uint64_t step) const {
    if (step < warmup_steps) return static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1);
    if (shape == Shape::constant) return 1;
    if (step >= total_steps) return final_factor;
    double const progress = static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
    double const fall = shape == Shape::linear ? 1 - progress : 0.5 * (1 + std::cos(std::numbers::pi * progress));
    return final_factor + (1 - final_factor) * fall;
  }

  /// @throws InvalidArgument naming the field that is out of range
  void check() const {
    // A run has at most as many steps.
    constexpr std::uint64_t most = std::uint64_t{1} << 32;
    if (warmup_steps > most)
      throw InvalidArgument("schedule.warmup_steps must be at most " + std::to_string(most) + ", got " +
                            std::to_string(warmup_steps));
    if (total_steps > most)
      throw InvalidArgument("schedule.total_steps must be at most " + std::to_string(most) + ", got " +
                            std::to_string(total_steps));
    if (shape != Shape::constant && total_steps <= warmup_steps)
      throw InvalidArgument("schedule.total_steps must exceed warmup_steps = " + std::to_string(warmup_steps) +
                            ", got " + std::to_string(total_steps));
    if (!(final_factor >= 0 && final_factor <= 1))
      throw InvalidArgument("schedule.final_factor must be in [0, 1], got " + number_text(final_factor));
  }

  bool operator==(Schedule const&) const = default;
};

[[nodiscard]] constexpr std::string_view to_string(Schedule::Shape shape) noexcept {
  switch (shape) {
    case Schedule::Shape::constant:
      return "constant";
    case Schedule::Shape::linear:
      return "linear";
    case Schedule::Shape::cosine:
      return "cosine";
  }
  return "unknown";
}

}  // namespace zeroth::ZEROTH_ISA

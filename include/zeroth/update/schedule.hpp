// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <zeroth/error.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/rounded.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// sin(pi x / 2) for x in [0, 1/2], within 1.5 units in the last place: a sequence of rounded operations, so the bits
/// are the same on every machine; std::sin does not promise that.
[[nodiscard]] inline double sine_of_quarter_turns(double x) noexcept {
  // The series of sin(pi x / 2) / x in x^2, highest power first.
  constexpr Array<double, 9> series = {0x1.aaec32af93359p-38,  -0x1.6fadb9f155744p-31, 0x1.e8f434d018d63p-25,
                                       -0x1.e3074fde8871fp-19, 0x1.50783487ee782p-13,  -0x1.32d2cce62bd86p-8,
                                       0x1.466bc6775aae2p-4,   -0x1.4abbce625be53p-1,  0x1.921fb54442d18p+0};
  double const square = rounded_product(x, x);
  double sum = series[0];
  for (std::size_t i = 1; i < series.size(); ++i) sum = rounded_sum(rounded_product(sum, square), series[i]);
  return rounded_product(sum, x);
}

}  // namespace detail

/// The learning rate over a run, as a factor of its peak: warm-up in equal steps, then constant, or a linear or
/// half-cosine fall to `final_factor` that ends with the last step. Its bits are the same on every machine.
struct Schedule {
  enum class Shape : std::uint8_t { constant, linear, cosine };

  Shape shape = Shape::constant;
  std::uint64_t total_steps = 0;   ///< steps of the run; needed unless constant
  std::uint64_t warmup_steps = 0;  ///< the factor of step t < warmup_steps is (t + 1) / (warmup_steps + 1)
  double final_factor = 0;         ///< last factor of a linear or cosine schedule, in [0, 1]

  [[nodiscard]] static Schedule constant(std::uint64_t warmup_steps = 0) {
    return {Shape::constant, 0, warmup_steps, 0};
  }
  [[nodiscard]] static Schedule linear(std::uint64_t total_steps, std::uint64_t warmup_steps = 0) {
    return {Shape::linear, total_steps, warmup_steps, 0};
  }
  [[nodiscard]] static Schedule cosine(std::uint64_t total_steps, std::uint64_t warmup_steps = 0) {
    return {Shape::cosine, total_steps, warmup_steps, 0};
  }

  /// Factor of the peak learning rate at a step, counted from 0; after the last step it stays at `final_factor`.
  ///
  /// If i of the fall's n steps are over, it is w + (1 - w) f, where w is final_factor and
  /// - linear: f = 1 - i / n,
  /// - cosine: f = (1 + cos(pi i / n)) / 2, as 1 - sin(pi/2 i / n)^2 in the first half and as sin(pi/2 (n - i) / n)^2
  ///   in the second,
  ///
  /// each operation rounded once; sine_of_quarter_turns has the series of the sine.
  [[nodiscard]] double operator()(std::uint64_t step) const {
    DefaultFloatEnvironment const environment;
    if (step < warmup_steps)
      return rounded_quotient(static_cast<double>(step + 1), rounded_sum(static_cast<double>(warmup_steps), 1));
    if (shape == Shape::constant) return 1;
    if (step >= total_steps) return final_factor;
    double const fall = shape == Shape::linear ? rounded_difference(1, share(step - warmup_steps)) : cosine_fall(step);
    return rounded_sum(final_factor, rounded_product(rounded_difference(1, final_factor), fall));
  }

  /// @throws InvalidArgument naming the field that is out of range
  void check() const {
    // A run has at most this many steps.
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

 private:
  /// `steps` as a share of the steps of the fall.
  [[nodiscard]] double share(std::uint64_t steps) const noexcept {
    return rounded_quotient(static_cast<double>(steps), static_cast<double>(total_steps - warmup_steps));
  }
  [[nodiscard]] double cosine_fall(std::uint64_t step) const noexcept {
    bool const in_first_half = step - warmup_steps <= total_steps - step;
    double const sine =
        detail::sine_of_quarter_turns(in_first_half ? share(step - warmup_steps) : share(total_steps - step));
    double const square = rounded_product(sine, sine);
    return in_first_half ? rounded_difference(1, square) : square;
  }
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

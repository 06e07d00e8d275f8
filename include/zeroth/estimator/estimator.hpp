// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <zeroth/config.hpp>
#include <zeroth/numeric/rounded.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

[[nodiscard]] constexpr bool are_unit_signs(std::span<std::int32_t const> signs) noexcept {
  for (std::int32_t sign : signs)
    if (sign != 1 && sign != -1) return false;
  return !signs.empty();
}

/// False only if the compiler can see that an estimator's points break the rules.
template <class T>
inline constexpr bool may_have_unit_signs = true;
template <class T>
requires requires {
  typename std::bool_constant<are_unit_signs(T::signs)>;
}
inline constexpr bool may_have_unit_signs<T> = are_unit_signs(T::signs);

}  // namespace detail

/// Combines losses into a projected gradient, the slope of the loss along z.
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `estimator.signs` are the points theta + sign epsilon m z(s) at which each sample s is evaluated: a static
///    constexpr std::array of std::int32_t, or a member that converts to a span of them. At least one, each +1 or -1.
/// 3. `estimator.uses_base` (bool, static or not): whether it needs the loss at theta itself; evaluated once per step,
///    not once per sample.
/// 4. `estimator.projected_gradient(base, losses, epsilon)` combines the losses of one sample, in the order of `signs`,
///    into g ~ z . grad L; `base` is the loss at theta, or 0 where uses_base is false.
/// 5. `name()` identifies the estimator in logs and journals; an estimator with settings also has `description()`, see
///    describe.
/// 6. `estimator.scale(losses)` is optional and returns a factor for every projected gradient of the step; `losses` are
///    those of all points except the base, sample by sample.
/// 7. `estimator.least_samples` is optional: the smallest number of samples per step.
template <class T>
concept Estimator = std::regular<T> && detail::may_have_unit_signs<T> &&
    requires(T const& estimator, double base, std::span<double const> losses, double epsilon) {
  { estimator.signs } -> std::convertible_to<std::span<std::int32_t const>>;
  { estimator.uses_base } -> std::convertible_to<bool>;
  { estimator.projected_gradient(base, losses, epsilon) } -> std::convertible_to<double>;
  { estimator.name() } -> std::convertible_to<std::string_view>;
};

/// Requirement 6: 1 for an estimator without scale.
template <Estimator E>
[[nodiscard]] double scale_of(E const& estimator, std::span<double const> losses) {
  if constexpr (requires { estimator.scale(losses); })
    return estimator.scale(losses);
  else
    return 1;
}

/// Requirement 7: 1 for an estimator without least_samples.
template <Estimator E>
[[nodiscard]] std::uint32_t least_samples_of(E const& estimator) {
  if constexpr (requires { estimator.least_samples; })
    return estimator.least_samples;
  else
    return 1;
}

/// g = (L(theta + eps z) - L(theta - eps z)) / (2 eps): SPSA (Spall 1992), the paper's estimator. Error O(eps^2). With
/// several samples per step, their mean is n-SPSA.
struct CentralDifference {
  static constexpr std::array<std::int32_t, 2> signs = {+1, -1};
  static constexpr bool uses_base = false;

  [[nodiscard]] double projected_gradient(double /*base*/, std::span<double const> losses,
                                          double epsilon) const noexcept {
    return rounded_quotient(rounded_difference(losses[0], losses[1]), rounded_product(2, epsilon));
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "central-difference"; }
  bool operator==(CentralDifference const&) const = default;
};

/// g = (L(theta + eps z) - L(theta)) / eps: n + 1 evaluations for n samples, compared with 2 n for central differences.
/// Error O(eps).
struct OneSided {
  static constexpr std::array<std::int32_t, 1> signs = {+1};
  static constexpr bool uses_base = true;

  [[nodiscard]] double projected_gradient(double base, std::span<double const> losses, double epsilon) const noexcept {
    return rounded_quotient(rounded_difference(losses[0], base), epsilon);
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "one-sided"; }
  bool operator==(OneSided const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace zeroth {

namespace detail {

template <std::size_t n>
[[nodiscard]] consteval bool are_unit_signs(std::array<std::int32_t, n> const& signs) {
  for (std::int32_t sign : signs)
    if (sign != 1 && sign != -1) return false;
  return true;
}

}  // namespace detail

/// How losses become a projected gradient, the slope of the loss along z.
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `T::signs` is a constexpr std::array of std::int32_t, the points theta + sign epsilon m z(s) at which each sample
///    s is evaluated: at least one, each +1 or -1.
/// 3. `T::uses_base` (bool): whether the loss at theta itself is wanted; evaluated once a step, not once a sample.
/// 4. `estimator.projected_gradient(base, losses, epsilon)` combines the losses of one sample, in the order of `signs`,
///    into g ~ z . grad L; `base` is the loss at theta, or 0 where uses_base is false.
/// 5. `name()` identifies the estimator in logs and journals.
template <class T>
concept Estimator = std::regular<T> &&
    requires(T const& estimator, double base, std::span<double const> losses, double epsilon) {
  { T::signs[0] } -> std::convertible_to<std::int32_t>;
  requires T::signs.size() >= 1;
  requires detail::are_unit_signs(T::signs);
  { T::uses_base } -> std::convertible_to<bool>;
  { estimator.projected_gradient(base, losses, epsilon) } -> std::convertible_to<double>;
  { estimator.name() } -> std::convertible_to<std::string_view>;
};

/// g = (L(theta + eps z) - L(theta - eps z)) / (2 eps): SPSA (Spall 1992), the paper's estimator. Error O(eps^2).
/// With several samples a step their mean is n-SPSA.
struct CentralDifference {
  static constexpr std::array<std::int32_t, 2> signs = {+1, -1};
  static constexpr bool uses_base = false;

  [[nodiscard]] double projected_gradient(double /*base*/, std::span<double const> losses,
                                          double epsilon) const noexcept {
    return (losses[0] - losses[1]) / (2 * epsilon);
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "central-difference"; }
  bool operator==(CentralDifference const&) const = default;
};

/// g = (L(theta + eps z) - L(theta)) / eps: n + 1 evaluations for n samples where central differences take 2 n. Error
/// O(eps).
struct OneSided {
  static constexpr std::array<std::int32_t, 1> signs = {+1};
  static constexpr bool uses_base = true;

  [[nodiscard]] double projected_gradient(double base, std::span<double const> losses, double epsilon) const noexcept {
    return (losses[0] - base) / epsilon;
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "one-sided"; }
  bool operator==(OneSided const&) const = default;
};

}  // namespace zeroth

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <zeroth/describe.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/estimator/fzoo.hpp>

namespace zeroth::ZEROTH_ISA {

/// A built-in estimator chosen at run time, so that a program instantiates one optimizer for all of them.
class AnyEstimator {
 public:
  using Choice = std::variant<CentralDifference, OneSided, Fzoo>;

  AnyEstimator() : AnyEstimator(CentralDifference{}) {}

  explicit AnyEstimator(Choice choice) : choice_(choice) {
    std::visit(
        [&](auto const& estimator) {
          signs = estimator.signs;
          uses_base = estimator.uses_base;
          least_samples = least_samples_of(estimator);
        },
        choice_);
  }

  /// See Estimator.
  std::span<std::int32_t const> signs;
  bool uses_base = false;
  std::uint32_t least_samples = 1;

  [[nodiscard]] double projected_gradient(double base, std::span<double const> losses, double epsilon) const {
    return std::visit([&](auto const& e) { return e.projected_gradient(base, losses, epsilon); }, choice_);
  }
  [[nodiscard]] double scale(std::span<double const> losses) const {
    return std::visit([&](auto const& e) { return scale_of(e, losses); }, choice_);
  }
  [[nodiscard]] std::string_view name() const {
    return std::visit([](auto const& e) { return std::string_view(e.name()); }, choice_);
  }
  [[nodiscard]] std::string description() const {
    return std::visit([](auto const& e) { return describe(e); }, choice_);
  }
  bool operator==(AnyEstimator const& other) const { return choice_ == other.choice_; }

 private:
  Choice choice_;
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <zeroth/describe.hpp>
#include <zeroth/update/conservative.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/update.hpp>

namespace zeroth::ZEROTH_ISA {

/// A built-in update without state per weight that is chosen at run time, so that a program has one optimizer for all
/// of them.
class AnyUpdate {
 public:
  using Choice = std::variant<Sgd, SignSgd, ConservativeSgd>;

  AnyUpdate() : AnyUpdate(Sgd{}) {}

  explicit AnyUpdate(Choice choice) : choice_(choice) {
    std::visit(
        [&](auto const& update) {
          takes_sign = update.takes_sign;
          only_descends = zeroth::only_descends(update);
        },
        choice_);
  }

  /// See Update.
  bool takes_sign = false;
  bool only_descends = false;

  void coefficients(std::span<double const> g, double learning_rate, std::span<float> c) const {
    std::visit([&](auto const& update) { update.coefficients(g, learning_rate, c); }, choice_);
  }
  [[nodiscard]] double decay(double learning_rate) const {
    return std::visit([&](auto const& update) { return update.decay(learning_rate); }, choice_);
  }
  void check() const {
    std::visit([](auto const& update) { update.check(); }, choice_);
  }
  [[nodiscard]] std::string_view name() const {
    return std::visit([](auto const& update) { return std::string_view(update.name()); }, choice_);
  }
  [[nodiscard]] std::string description() const {
    return std::visit([](auto const& update) { return describe(update); }, choice_);
  }
  bool operator==(AnyUpdate const& other) const { return choice_ == other.choice_; }

 private:
  Choice choice_;
};

}  // namespace zeroth::ZEROTH_ISA

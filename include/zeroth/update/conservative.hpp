// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <zeroth/describe.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/update/sgd.hpp>

namespace zeroth::ZEROTH_ISA {

/// Sgd that goes nowhere but down: of theta, theta - eta g m z and theta + eta g m z it takes the one with the lowest
/// loss on the batch, theta itself if none is lower (ZO-SGD-Cons; Zhang et al., "Revisiting Zeroth-Order Optimization
/// for Memory-Efficient LLM Fine-Tuning: A Benchmark", arXiv 2402.11592).
///
/// Three evaluations more a step, or two where the estimator evaluates theta anyway. The candidates are evaluated at
/// the bits that the update would write. Fused, they cost no memory and no write. In place they need Restore::exact:
/// else theta could not be put back to what was evaluated. With 16-bit weights in place, only a rounding that keeps
/// nothing beside them goes with it.
struct ConservativeSgd : Sgd {
  static constexpr bool only_descends = true;

  [[nodiscard]] static constexpr std::string_view name() noexcept { return "conservative-sgd"; }
  [[nodiscard]] std::string description() const {
    return described(name(), {{"weight_decay", number_text(weight_decay)}});
  }
  bool operator==(ConservativeSgd const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

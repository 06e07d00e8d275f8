// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// Which examples an evaluation was on.
enum class EvaluationSet : std::uint8_t {
  held_out,    ///< for the final verdict: nothing is chosen by them
  validation,  ///< for choosing the best step
};

[[nodiscard]] constexpr std::string_view to_string(EvaluationSet set) noexcept {
  return set == EvaluationSet::held_out ? "held-out" : "validation";
}

/// What an evaluation between the steps of a run gave.
struct EvaluationRecord {
  std::uint64_t step = 0;  ///< how many steps were done before it
  EvaluationSet set = EvaluationSet::validation;
  double score = 0;  ///< what the model is judged by: the higher the better
  double loss = 0;
  std::uint64_t examples = 0;

  bool operator==(EvaluationRecord const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

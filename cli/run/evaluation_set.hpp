// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <zeroth/journal.hpp>

namespace zeroth::cli {

/// The examples that an evaluation is on: the kind of its EvaluationRecord.
enum class EvaluationSet : std::uint8_t {
  held_out,    ///< for the final verdict: nothing is chosen by them
  validation,  ///< for choosing the best step
};

inline constexpr std::uint8_t evaluation_sets = 2;

/// "held-out" or "validation"; "kind 7" for the evaluations of another program.
[[nodiscard]] std::string set_name(std::uint8_t kind);

/// What metrics.jsonl and `zeroth journal --json` call such an evaluation: "evaluation" (held-out), "validation" or
/// "evaluation of kind 7".
[[nodiscard]] std::string type_of(std::uint8_t kind);

/// @param journal that the record is from, for messages
/// @throws InvalidFile for an evaluation of another program
[[nodiscard]] EvaluationSet set_of(EvaluationRecord const& record, std::string const& journal = "journal");

[[nodiscard]] inline std::string set_name(EvaluationSet set) {
  return set_name(static_cast<std::uint8_t>(set));
}
[[nodiscard]] inline std::string type_of(EvaluationSet set) {
  return type_of(static_cast<std::uint8_t>(set));
}

}  // namespace zeroth::cli

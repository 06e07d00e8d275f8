// SPDX-License-Identifier: MIT
#include "run/evaluation_set.hpp"

#include <zeroth/error.hpp>

namespace zeroth::cli {

std::string set_name(std::uint8_t kind) {
  if (kind >= evaluation_sets) return "kind " + std::to_string(kind);
  return static_cast<EvaluationSet>(kind) == EvaluationSet::held_out ? "held-out" : "validation";
}

std::string type_of(std::uint8_t kind) {
  if (kind >= evaluation_sets) return "evaluation of " + set_name(kind);
  return static_cast<EvaluationSet>(kind) == EvaluationSet::held_out ? "evaluation" : "validation";
}

EvaluationSet set_of(EvaluationRecord const& record, std::string const& journal) {
  if (record.kind >= evaluation_sets)
    throw InvalidFile(journal + ": evaluation at step " + std::to_string(record.step) +
                      ": expected kind 0 (held-out) or 1 (validation), found " + std::to_string(record.kind));
  return static_cast<EvaluationSet>(record.kind);
}

}  // namespace zeroth::cli

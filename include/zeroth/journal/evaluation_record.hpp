// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// The result of an evaluation between the steps of a run.
struct EvaluationRecord {
  std::uint64_t step = 0;  ///< number of steps before it
  std::uint8_t kind = 0;   ///< chosen by the caller, for example one per set of examples
  double score = 0;        ///< the model's score: higher is better
  double loss = 0;
  std::uint64_t examples = 0;

  bool operator==(EvaluationRecord const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

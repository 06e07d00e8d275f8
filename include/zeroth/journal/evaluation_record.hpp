// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// The result of an evaluation between the steps of a run.
struct EvaluationRecord {
  std::uint64_t step = 0;  ///< how many steps were done before it
  std::uint8_t kind = 0;   ///< chosen by the caller, for example one per set of examples
  double score = 0;        ///< what the model is judged by: the higher the better
  double loss = 0;
  std::uint64_t examples = 0;

  bool operator==(EvaluationRecord const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

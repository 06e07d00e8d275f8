// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstdint>
#include <span>

#include <zeroth/probe.hpp>

namespace zeroth::ZEROTH_ISA {

/// Identifies one loss evaluation of a run; an in-place objective may take it, to pick its batch.
struct Evaluation {
  std::uint64_t step = 0;
  std::uint32_t micro_batch = 0;  ///< 0 .. Options::micro_batches - 1; every point of a step sees the same ones
  Point point;
};

/// A loss that reads the weights where they lie, while the optimizer perturbs them.
///
/// 1. Callable as `() -> double`, or as `(Evaluation const&) -> double` to be told which evaluation it is.
/// 2. Returns the mean loss of its batch at the current weights. Within a step it must be the same function of
///    the weights each time (same batch, no dropout): otherwise differences of losses are noise.
/// 3. May throw: the weights are then restored as for a skipped step, and the exception propagates.
/// 4. Must not call `step` or `replay` of the optimizer that calls it: both throw.
template <class T>
concept InPlaceObjective = requires(T& objective, Evaluation const& evaluation) {
  { objective(evaluation) } -> std::convertible_to<double>;
}
|| requires(T& objective) {
  { objective() } -> std::convertible_to<double>;
};

/// A loss that takes the perturbed weights from a probe, all points at once; the weights themselves are never written.
///
/// 1. Callable as `(P const& probe, std::span<double> losses)` for the probe type P of the optimizer; a parameter of
///    type `auto const&` or `AnyProbe const&` takes any.
/// 2. Writes losses[k] for each point k of `probe.points()`: the mean loss of the batch at that point. A loss that it
///    does not write is NaN, and the step is skipped.
/// 3. Every point sees the same batch; `probe.step()` and `probe.micro_batch()` say which.
/// 4. May throw: nothing has been written, and the exception propagates.
/// 5. Must not call `step` or `replay` of the optimizer that calls it: both throw.
template <class T, class P>
concept FusedObjective = Probe<P> && requires(T& objective, P const& probe, std::span<double> losses) {
  objective(probe, losses);
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA {

/// The losses that a step needs: one per point and micro-batch. A few plain numbers, so that another process or machine
/// can evaluate them with an equal optimizer that has taken the same steps.
struct StepPlan {
  std::uint64_t step = 0;  ///< counted from 0
  std::uint32_t points = 0;
  std::uint32_t micro_batches = 1;
  bool candidates = false;  ///< whether it is the second plan of a step, see Acceptance::lowest_of_three

  bool operator==(StepPlan const&) const = default;
};

[[nodiscard]] inline std::string to_string(StepPlan const& plan) {
  return "that of step " + std::to_string(plan.step) + (plan.candidates ? " for its candidates" : "") + " (" +
         std::to_string(plan.points) + " points, " + std::to_string(plan.micro_batches) + " micro-batches)";
}

/// The losses of a plan, set in any order. Threads may set different losses at the same time.
class StepLosses {
 public:
  explicit StepLosses(StepPlan const& plan)
      : plan_(plan),
        losses_(std::size_t{plan.points} * plan.micro_batches),
        is_set_(std::size_t{plan.points} * plan.micro_batches) {}

  [[nodiscard]] StepPlan const& plan() const noexcept { return plan_; }

  /// The mean loss of a micro-batch at a point; one that is not finite skips the step.
  /// @throws InvalidArgument if the plan has no such evaluation, or its loss was set before
  void set(std::uint32_t point, std::uint32_t micro_batch, double loss) {
    std::size_t const at = index(point, micro_batch);
    if (is_set_[at] != 0) throw InvalidArgument(name(point, micro_batch) + ": expected one loss, found a second one");
    losses_[at] = loss;
    is_set_[at] = 1;
  }

  /// @throws InvalidArgument if the plan has no such evaluation, or its loss was not set
  [[nodiscard]] double loss(std::uint32_t point, std::uint32_t micro_batch) const {
    std::size_t const at = index(point, micro_batch);
    if (is_set_[at] == 0) throw InvalidArgument(name(point, micro_batch) + ": expected a loss, found none");
    return losses_[at];
  }

  /// @throws InvalidArgument naming the first loss that was not set
  void require_complete() const {
    for (std::uint32_t micro_batch = 0; micro_batch < plan_.micro_batches; ++micro_batch)
      for (std::uint32_t point = 0; point < plan_.points; ++point) (void)loss(point, micro_batch);
  }

 private:
  [[nodiscard]] std::size_t index(std::uint32_t point, std::uint32_t micro_batch) const {
    if (point >= plan_.points || micro_batch >= plan_.micro_batches)
      throw InvalidArgument(name(point, micro_batch) + ": expected one of " + std::to_string(plan_.points) +
                            " points and " + std::to_string(plan_.micro_batches) + " micro-batches, counted from 0");
    return std::size_t{micro_batch} * plan_.points + point;
  }
  [[nodiscard]] std::string name(std::uint32_t point, std::uint32_t micro_batch) const {
    return "losses of step " + std::to_string(plan_.step) + ": point " + std::to_string(point) + ", micro-batch " +
           std::to_string(micro_batch);
  }

  StepPlan plan_;
  std::vector<double> losses_;
  std::vector<unsigned char> is_set_;  // bytes, not bits: threads may set neighbours
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/step/step_guard.hpp>
#include <zeroth/step_plan.hpp>
#include <zeroth/step_report.hpp>

namespace zeroth::ZEROTH_ISA {

/// A step in place for an engine that has a loop of its own, in which it calls the optimizer:
///
///     auto step = optimizer.begin_step();
///     while (step.next()) step.tell(loss_at_the_weights_as_they_stand());
///     zeroth::StepReport const report = step.finish();
///
/// While it lives, the optimizer takes no other step. Destroying an unfinished step restores the weights as a skipped
/// step does, and the step does not count. Must not outlive the optimizer.
template <class Stepper>
class OpenStep {
 public:
  /// @throws as `ZerothOrderOptimizer::step`
  explicit OpenStep(Stepper& stepper) : stepper_(stepper), form_(stepper.in_place()) {
    auto const entry = stepper_.guard().enter("begin_step", stepper_.steps());
    losses_.emplace(stepper_.begin(form_));
    stepper_.guard().set_open(Opener::begin_step);
  }

  ~OpenStep() {
    if (is_finished_) return;
    stepper_.guard().set_open(Opener::none);
    try {
      stepper_.abandon(form_);
    } catch (...) {  // NOLINT(bugprone-empty-catch): the guard knows that the weights are undefined
    }
  }

  OpenStep(OpenStep const&) = delete;
  OpenStep& operator=(OpenStep const&) = delete;

  /// Moves the weights to the point of the next loss and says which one that is; nothing after the last loss.
  /// @throws Error if the previous loss is missing
  [[nodiscard]] std::optional<Evaluation> next() {
    auto const entry = enter("next");
    if (is_asked_) throw Error("next: expected tell() after the last next(), found none");
    if (is_decided_) return std::nullopt;
    if (point_ == losses_->plan().points) {
      is_decided_ = stepper_.decide(form_, *losses_);
      if (is_decided_) return std::nullopt;
      losses_.emplace(stepper_.plan());
      point_ = 0;
    }
    auto const points = stepper_.points(losses_->plan());
    if (micro_batch_ == 0) form_.go_to(points, point_);
    is_asked_ = true;
    return Evaluation{stepper_.steps(), micro_batch_, points[point_]};
  }

  /// Takes the mean loss of that micro-batch at the current weights.
  /// @throws Error if next() did not ask for one
  void tell(double loss) {
    auto const entry = enter("tell");
    if (!is_asked_) throw Error("tell: expected next() before each loss, found none");
    losses_->set(point_, micro_batch_, loss);
    is_asked_ = false;
    micro_batch_ = (micro_batch_ + 1) % losses_->plan().micro_batches;
    if (micro_batch_ == 0) ++point_;
  }

  /// Takes the step.
  /// @throws Error if next() would ask for another loss
  StepReport finish() {
    auto const entry = enter("finish");
    if (!is_decided_) throw Error("finish: expected next() to have asked for every loss, found losses missing");
    is_finished_ = true;
    stepper_.guard().set_open(Opener::none);
    try {
      return stepper_.commit(form_);
    } catch (...) {
      stepper_.abandon(form_);
      throw;
    }
  }

  /// Whether finish() was called and took the step, or failed to.
  [[nodiscard]] bool is_finished() const noexcept { return is_finished_; }

 private:
  [[nodiscard]] StepGuard::Entry enter(char const* what) {
    if (is_finished_) throw Error(std::string(what) + ": expected a step that is not finished");
    return stepper_.guard().enter_open(what, Opener::begin_step, stepper_.steps());
  }

  Stepper& stepper_;
  typename Stepper::InPlace& form_;
  std::optional<StepLosses> losses_;
  std::uint32_t point_ = 0;
  std::uint32_t micro_batch_ = 0;
  bool is_asked_ = false;
  bool is_decided_ = false;
  bool is_finished_ = false;
};

}  // namespace zeroth::ZEROTH_ISA

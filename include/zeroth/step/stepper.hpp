// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/error.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/step/accept.hpp>
#include <zeroth/step/check_options.hpp>
#include <zeroth/step/check_record.hpp>
#include <zeroth/step/decide.hpp>
#include <zeroth/step/fused.hpp>
#include <zeroth/step/in_place.hpp>
#include <zeroth/step/points.hpp>
#include <zeroth/step/step_guard.hpp>
#include <zeroth/step/updater.hpp>
#include <zeroth/step_plan.hpp>
#include <zeroth/step_report.hpp>

namespace zeroth::ZEROTH_ISA {

/// The parts of a step in either form: begin, decide on the losses of each plan, commit. Refers to the optimizer's
/// members.
template <Sampler S, class State, Backend B, class U, Estimator E>
class Stepper {
 public:
  using Fused = FusedForm<U, S, State, B>;
  using InPlace = InPlaceForm<U, S, State, B>;

  Stepper(ParameterSet const& parameters, S const& sampler, State& masks, B const& backend, U const& update,
          E const& estimator, Options const& options)
      : parameters_(parameters),
        sampler_(sampler),
        masks_(masks),
        backend_(backend),
        update_(update),
        estimator_(estimator),
        options_(options),
        points_(detail::points_of(estimator, options)),
        updater_(parameters, masks, backend, update, options),
        fused_(parameters, masks, backend, updater_, detail::probe_sizes(estimator, options)) {}

  // The forms refer to members.
  Stepper(Stepper const&) = delete;
  Stepper& operator=(Stepper const&) = delete;

  [[nodiscard]] Fused& fused() noexcept { return fused_; }
  [[nodiscard]] Fused const& fused() const noexcept { return fused_; }
  [[nodiscard]] InPlace& in_place() { return in_place(options_.restore); }
  /// @param restore of the steps to come: that of the options, or of the run that is replayed
  [[nodiscard]] InPlace& in_place(Restore restore) {
    detail::check_in_place(restore, options_.acceptance, parameters_);
    if (!in_place_) in_place_.emplace(parameters_, masks_, backend_, updater_, options_, guard_);
    in_place_->use(restore);
    return *in_place_;
  }

  /// Sets up mask and noise of the step, at the unperturbed weights. After an exception no step is open.
  template <class Form>
  StepPlan begin(Form& form) {
    detail::check_abandoned(form.arithmetic(), step_, abandoned_);
    report_ = {};
    report_.step = step_;
    report_.arithmetic = form.arithmetic();
    report_.abandoned = abandoned_;
    report_.learning_rate = detail::learning_rate_of(step_, options_);
    start(form);
    plan_ = {step_, static_cast<std::uint32_t>(points_.size()), options_.micro_batches, false};
    is_open_ = true;
    return plan_;
  }

  /// The losses that the open step waits for.
  [[nodiscard]] StepPlan const& plan() const noexcept { return plan_; }
  [[nodiscard]] std::span<Point const> points(StepPlan const& plan) const noexcept {
    return plan.candidates ? std::span<Point const>(detail::candidate_points) : points_;
  }

  /// Decides by the losses of the plan. Returns whether the step can be committed; otherwise it has a second plan.
  template <class Form>
  bool decide(Form& form, StepLosses const& losses) {
    std::vector<double>& means = plan_.candidates ? report_.candidate_losses : report_.losses;
    means.assign(plan_.points, 0);
    for (std::uint32_t k = 0; k < plan_.points; ++k)
      for (std::uint32_t micro_batch = 0; micro_batch < plan_.micro_batches; ++micro_batch)
        detail::add_micro_batch(means[k], losses.loss(k, micro_batch), options_);
    if (plan_.candidates) {
      detail::take_lowest(report_);
      return true;
    }
    detail::decide(report_, options_, update_, estimator_);
    if (options_.acceptance == Acceptance::always || report_.skipped()) return true;
    form.propose(detail::candidates_of(report_, updater_));
    plan_.points = static_cast<std::uint32_t>(detail::candidate_points.size());
    plan_.candidates = true;
    return false;
  }

  /// Writes the update.
  template <class Form>
  StepReport commit(Form& form) {
    if (!updater_.fits(report_)) detail::skip(report_, SkipReason::non_finite_coefficient);
    Change const change = updater_.prepare(report_, form);
    is_open_ = false;  // from here on nothing can be taken back
    guard_.write([&] { report_.active_weights = form.commit(report_, change); });
    end(report_);
    return std::move(report_);
  }

  /// Restores the weights as a skipped step does, if a step is open.
  template <class Form>
  void abandon(Form& form) {
    if (std::exchange(is_open_, false)) abandoned_ += form.abandon();
  }

  /// The plan of the step that is open, or that it opens.
  [[nodiscard]] StepPlan ask() {
    if (guard_.is_open(Opener::ask)) return plan_;
    auto const entry = guard_.enter("ask", step_);
    begin(fused_);
    guard_.set_open(Opener::ask);
    return plan_;
  }
  [[nodiscard]] auto probe(StepPlan const& plan, std::uint32_t first, std::uint32_t count,
                           std::uint32_t micro_batch) const {
    require_asked("probe", plan);
    if (first > plan.points || count > plan.points - first || micro_batch >= plan.micro_batches)
      throw InvalidArgument("probe: expected points and a micro-batch of a plan of " + std::to_string(plan.points) +
                            " points and " + std::to_string(plan.micro_batches) + " micro-batches, found points " +
                            std::to_string(first) + " to " + std::to_string(first) + " + " + std::to_string(count) +
                            ", micro-batch " + std::to_string(micro_batch));
    return fused_.probe(points(plan), first, count, micro_batch);
  }
  std::optional<StepReport> tell(StepLosses const& losses) {
    require_asked("tell", losses.plan());
    losses.require_complete();
    auto const entry = guard_.enter_open("tell", Opener::ask, step_);
    try {
      if (!decide(fused_, losses)) return std::nullopt;
      guard_.set_open(Opener::none);
      return commit(fused_);
    } catch (...) {
      abandon_asked();
      throw;
    }
  }
  void abandon_asked() noexcept {
    if (!guard_.is_open(Opener::ask)) return;
    guard_.set_open(Opener::none);
    is_open_ = false;  // nothing was perturbed
  }

  /// Replays a step without its losses.
  template <class Form>
  void replay(Form& form, StepRecord const& record) {
    start(form);
    Change const change = updater_.prepare(record, form);
    guard_.write([&] {
      form.revisit(points_);
      detail::check_active_weights(record, form.commit(record, change));
    });
    end(record);
  }

  /// Repeats the abandoned attempts that the record of a step counts.
  void replay_abandoned(StepRecord const& record) {
    detail::check_record(record, step_, abandoned_, options_, parameters_.weights());
    for (; abandoned_ < record.abandoned; ++abandoned_) {
      start(in_place(Restore::arithmetic));
      in_place_->repeat_abandoned(points_);
    }
  }

  [[nodiscard]] StepGuard& guard() noexcept { return guard_; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return step_; }
  [[nodiscard]] std::span<Point const> points() const noexcept { return points_; }
  [[nodiscard]] NoiseField<S> noise() const noexcept {
    return {sampler_, options_.seed, static_cast<std::uint32_t>(step_)};
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return updater_.bytes() + (in_place_ ? in_place_->bytes() : 0); }

 private:
  template <class Form>
  void start(Form& form) {
    detail::require_step_number(step_);
    in_default_float_environment([&] { begin_mask_step(masks_, parameters_, WeightReader(backend_), noise().step); });
    form.begin(noise(), detail::epsilon_of(options_));
  }

  /// @throws Error unless the plan is that of the step that is open since ask()
  void require_asked(char const* what, StepPlan const& plan) const {
    bool const is_open = guard_.is_open(Opener::ask);
    if (is_open && plan == plan_) return;
    throw Error(std::string(what) + ": expected the plan that is open since ask(), " +
                (is_open ? to_string(plan_) : "but there is none") + ", found " + to_string(plan) +
                ": it was told or abandoned, or is of another run");
  }

  void end(StepRecord const& record) noexcept {
    updater_.finish(record);
    abandoned_ = 0;
    ++step_;
  }

  ParameterSet const& parameters_;
  S const& sampler_;
  State& masks_;
  B const& backend_;
  U const& update_;
  E const& estimator_;
  Options const& options_;
  std::vector<Point> points_;
  Updater<U, S, State, B> updater_;
  Fused fused_;
  std::optional<InPlace> in_place_;
  StepGuard guard_;
  StepReport report_;  // of the open step
  StepPlan plan_;
  bool is_open_ = false;
  std::uint64_t step_ = 0;
  std::uint32_t abandoned_ = 0;  // see StepRecord
};

}  // namespace zeroth::ZEROTH_ISA

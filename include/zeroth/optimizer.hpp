// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/step/accept.hpp>
#include <zeroth/step/check_options.hpp>
#include <zeroth/step/check_policies.hpp>
#include <zeroth/step/check_record.hpp>
#include <zeroth/step/decide.hpp>
#include <zeroth/step/fused.hpp>
#include <zeroth/step/in_place.hpp>
#include <zeroth/step/points.hpp>
#include <zeroth/step/step_guard.hpp>
#include <zeroth/step/updater.hpp>
#include <zeroth/step_report.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/update.hpp>

namespace zeroth::ZEROTH_ISA {

/// Tunes weights using only evaluations of a loss: Sparse MeZO (arXiv 2402.15751) with SmallestMagnitude, MeZO with
/// Dense.
///
///     zeroth::ParameterSet parameters;
///     parameters.add("weights", zeroth::Role::matrix, {rows, columns}, weights);
///     zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75},
///                                            zeroth::CpuBackend{}, {.epsilon = 1e-3, .learning_rate = 1e-6});
///     for (int i = 0; i < 1000; ++i) optimizer.step([&] { return loss(weights); });
///
/// A step evaluates the loss at theta + sign epsilon m z for each point of the estimator, combines the losses into the
/// projected gradient g, and moves the active weights along -learning_rate g m z. The form of the objective decides
/// how:
///
/// - fused, `(probe, losses)`: the evaluation reads theta and never writes it; the step's only write is the update. No
///   memory beyond the weights. One pass over the weights in addition to the evaluation.
/// - in place, `() -> double`: the optimizer perturbs the weights where they lie. One pass over the weights per point,
/// one
///   for the update. See Restore for the memory.
///
/// Not thread safe; the backend's executor may run a step on many threads.
///
/// @tparam S distribution of the perturbation, see Sampler
/// @tparam M which weights are perturbed and updated, see MaskPolicy
/// @tparam B where the weights live, see Backend
/// @tparam U how a projected gradient becomes a change, see Update and ElementwiseUpdate
/// @tparam E how losses become a projected gradient, see Estimator
template <class S, class M, class B, class U = Sgd, class E = CentralDifference>
class ZerothOrderOptimizer {
  static_assert(detail::check_policies<S, M, B, U, E>());

 public:
  using State = MaskState<M>;
  using ProbeOfStep = MaskedProbe<S, State, B>;

  /// @param parameters the tensors to tune; the caller owns their memory and keeps it in place
  /// @throws InvalidArgument naming the option or parameter that is rejected
  ZerothOrderOptimizer(ParameterSet parameters, S sampler, M policy, B backend, U update, E estimator, Options options)
      : parameters_(detail::checked(std::move(parameters), backend)),
        sampler_(std::move(sampler)),
        policy_(std::move(policy)),
        backend_(std::move(backend)),
        update_(std::move(update)),
        estimator_(std::move(estimator)),
        options_(detail::checked(std::move(options), update_)),
        points_(detail::points_of(estimator_, options_)),
        masks_(
            in_default_float_environment([&] { return prepare_mask(policy_, parameters_, WeightReader(backend_)); })),
        updater_(parameters_, masks_, backend_, update_, options_) {
    if constexpr (UpdateWithWindow<U>) detail::check_window(update_, parameters_, is_fixed_mask(masks_));
  }

  ZerothOrderOptimizer(ParameterSet parameters, S sampler, M policy, B backend, U update, Options options)
      : ZerothOrderOptimizer(std::move(parameters), std::move(sampler), std::move(policy), std::move(backend),
                             std::move(update), E{}, std::move(options)) {}

  ZerothOrderOptimizer(ParameterSet parameters, S sampler, M policy, B backend, Options options = {})
      : ZerothOrderOptimizer(std::move(parameters), std::move(sampler), std::move(policy), std::move(backend), U{}, E{},
                             std::move(options)) {}

  // The two forms of a step hold references to the members.
  ZerothOrderOptimizer(ZerothOrderOptimizer const&) = delete;
  ZerothOrderOptimizer& operator=(ZerothOrderOptimizer const&) = delete;

  /// Takes one step.
  ///
  /// A loss that is not finite, or that a fused objective did not write, skips the step: the weights stay, the step
  /// counts.
  ///
  /// If anything throws (objective, mask, allocation), the weights are as after a skipped step and the step does not
  /// count: the next call takes it again. One exception: a failure of the backend or executor while weights are being
  /// written leaves them between two points. Restore::exact then restores them from its copy. Where that is impossible,
  /// every later call of `step` and `replay` throws Error; the run continues with a new optimizer that replays the
  /// journal over the base weights.
  ///
  /// @param objective an InPlaceObjective or a FusedObjective<ProbeOfStep>
  /// @throws Error if called from within a step, if the weights are undefined as above, or if with Restore::arithmetic
  /// the
  ///   objective has thrown max_abandoned times at this step
  template <class Objective>
  StepReport step(Objective&& objective) {
    using O = std::remove_reference_t<Objective>;
    static_assert(detail::check_objective<O, ProbeOfStep>());
    auto const entry = guard_.enter("step", step_);
    if constexpr (FusedObjective<O, ProbeOfStep>)
      return take_step(fused_form(), objective);
    else
      return take_step(in_place_form(), objective);
  }

  /// Replays a step without evaluating a loss: from the same weights it gives the same bits as the step of an equal
  /// optimizer, on any backend and in either form. One pass over the weights; in place, as many as the step.
  ///
  /// @param record what `step` returned, or a journal's record of it; must be the next step's
  /// @throws InvalidArgument if the record cannot be this optimizer's next step; the weights are then unchanged
  /// @throws Error if the mask selected another number of weights than in the run: the weights are then not those of
  /// the
  ///   run, and undefined from here on; also as `step` does
  void replay(StepRecord const& record) {
    auto const entry = guard_.enter("replay", step_);
    detail::check_record(record, step_, abandoned_, options_, parameters_.weights());
    for (; abandoned_ < record.abandoned; ++abandoned_) {
      begin(in_place_form());
      in_place_->repeat_abandoned(points_);
    }
    if (record.arithmetic == Arithmetic::fused)
      replay_step(fused_form(), record);
    else
      replay_step(in_place_form(), record);
  }

  [[nodiscard]] std::uint64_t steps() const noexcept { return step_; }
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }
  [[nodiscard]] Options const& options() const noexcept { return options_; }
  [[nodiscard]] S const& sampler() const noexcept { return sampler_; }
  [[nodiscard]] M const& mask_policy() const noexcept { return policy_; }
  [[nodiscard]] B const& backend() const noexcept { return backend_; }
  [[nodiscard]] U const& update() const noexcept { return update_; }
  [[nodiscard]] E const& estimator() const noexcept { return estimator_; }
  [[nodiscard]] State const& mask_state() const noexcept { return masks_; }
  [[nodiscard]] std::span<Point const> points() const noexcept { return points_; }

  /// Bytes that the optimizer holds in addition to the weights, not counting thresholds and the like: 0 until the first
  /// in-place step, the first update of 16-bit weights whose rounding keeps remainders (see Rounding), or the first
  /// update with state.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return updater_.bytes() + (in_place_ ? in_place_->bytes() : 0); }

  /// Which weights of a tensor the mask selects at the current weights: one bit per weight.
  [[nodiscard]] Bitmap active_bits(std::size_t parameter) const {
    DefaultFloatEnvironment const environment;
    Bitmap bits(parameters_[parameter]);
    backend_.mask_bits(parameters_[parameter], masks_.tensor(parameter, noise().step), bits.words());
    return bits;
  }

 private:
  using Fused = FusedForm<U, S, State, B>;
  using InPlace = InPlaceForm<U, S, State, B>;

  /// Begin, evaluate, decide, commit.
  template <class Form, class Objective>
  StepReport take_step(Form&& form, Objective& objective) {
    detail::check_abandoned(form.arithmetic(), step_, abandoned_);
    StepReport report;
    report.step = step_;
    report.arithmetic = form.arithmetic();
    report.abandoned = abandoned_;
    report.learning_rate = detail::learning_rate_of(step_, options_);
    report.losses.assign(points_.size(), 0);
    begin(form);
    Change change;
    try {
      form.evaluate(points_, objective, report.losses);
      detail::decide(report, options_, update_, estimator_);
      if (options_.acceptance == Acceptance::lowest_of_three && !report.skipped())
        detail::accept_lowest(report, form, updater_, objective);
      if (!updater_.fits(report)) detail::skip(report, SkipReason::non_finite_coefficient);
      change = updater_.prepare(report, form);
    } catch (...) {
      abandoned_ += form.abandon();
      throw;
    }
    guard_.write([&] { report.active_weights = form.commit(report, change); });
    end(report);
    return report;
  }

  template <class Form>
  void replay_step(Form&& form, StepRecord const& record) {
    begin(form);
    Change const change = updater_.prepare(record, form);
    guard_.write([&] {
      form.revisit(points_);
      detail::check_active_weights(record, form.commit(record, change));
    });
    end(record);
  }

  /// Evaluates the loss at the unperturbed weights.
  template <class Form>
  void begin(Form& form) {
    detail::require_step_number(step_);
    in_default_float_environment([&] { begin_mask_step(masks_, parameters_, WeightReader(backend_), noise().step); });
    form.begin(noise(), detail::epsilon_of(options_));
  }

  void end(StepRecord const& record) noexcept {
    updater_.finish(record);
    abandoned_ = 0;
    ++step_;
  }

  [[nodiscard]] Fused fused_form() {
    return {parameters_, masks_, backend_, updater_, options_, detail::probe_sizes(estimator_, options_)};
  }
  [[nodiscard]] InPlace& in_place_form() {
    detail::check_in_place(options_, parameters_);
    if (!in_place_) in_place_.emplace(parameters_, masks_, backend_, updater_, options_, guard_);
    return *in_place_;
  }
  [[nodiscard]] NoiseField<S> noise() const noexcept {
    return {sampler_, options_.seed, static_cast<std::uint32_t>(step_)};
  }

  ParameterSet parameters_;
  S sampler_;
  M policy_;
  B backend_;
  U update_;
  E estimator_;
  Options options_;
  std::vector<Point> points_;
  State masks_;
  Updater<U, S, State, B> updater_;
  std::optional<InPlace> in_place_;
  StepGuard guard_;
  std::uint64_t step_ = 0;
  std::uint32_t abandoned_ = 0;  // see StepRecord
};

}  // namespace zeroth::ZEROTH_ISA

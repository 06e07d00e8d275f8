// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
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
#include <zeroth/step/check_options.hpp>
#include <zeroth/step/check_policies.hpp>
#include <zeroth/step/open_step.hpp>
#include <zeroth/step/step_guard.hpp>
#include <zeroth/step/stepper.hpp>
#include <zeroth/step_plan.hpp>
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
///   one for the update. See Restore for the memory.
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
 public:
  using State = MaskState<M>;
  using Steps = Stepper<S, State, B, U, E>;
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
        masks_(
            in_default_float_environment([&] { return prepare_mask(policy_, parameters_, WeightReader(backend_)); })),
        stepper_(parameters_, sampler_, masks_, backend_, update_, estimator_, options_) {
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
  /// written leaves them between two points. Restore::exact then restores them, unless it is the update that failed.
  /// Where that is impossible, every later call of `step` and `replay` throws Error; the run continues with a new
  /// optimizer that replays the journal over the base weights.
  ///
  /// @param objective an InPlaceObjective or a FusedObjective<ProbeOfStep>
  /// @throws Error if called from within a step, if the weights are undefined as above, or if with Restore::arithmetic
  ///   the objective has thrown max_abandoned times at this step
  template <class Objective>
  StepReport step(Objective&& objective) {
    using O = std::remove_reference_t<Objective>;
    auto const entry = stepper_.guard().enter("step", steps());
    if constexpr (!detail::check_objective<O, ProbeOfStep>())
      return {};
    else if constexpr (FusedObjective<O, ProbeOfStep>)
      return take_step(stepper_.fused(), objective);
    else
      return take_step(stepper_.in_place(), objective);
  }

  /// Opens a step whose losses are evaluated elsewhere, in any order: by other threads, processes or engines.
  ///
  ///     zeroth::StepLosses losses(optimizer.ask());
  ///     // for each point k and micro-batch b of losses.plan(), through optimizer.probe(losses.plan(), k, 1, b):
  ///     losses.set(k, b, loss);
  ///     std::optional<zeroth::StepReport> const report = optimizer.tell(losses);
  ///
  /// The weights are only read until `tell` updates them. Until `tell` or `abandon` the optimizer takes no other step,
  /// and asking again returns the same plan.
  /// @throws as `step`
  [[nodiscard]] StepPlan ask() { return stepper_.ask(); }

  /// The weights at `count` points of an open plan, from `first` on. Any number of threads may use probes, until
  /// `tell`.
  /// @throws Error if the plan is not open
  /// @throws InvalidArgument if it has no such points or micro-batch
  [[nodiscard]] ProbeOfStep probe(StepPlan const& plan, std::uint32_t first, std::uint32_t count,
                                  std::uint32_t micro_batch = 0) const {
    return stepper_.probe(plan, first, count, micro_batch);
  }

  /// Takes the open step, with the bits of `step` and a fused objective that gives these losses. Returns nothing if the
  /// step has a second plan, for `ask`: with Acceptance::lowest_of_three, the losses of its candidates.
  /// @throws Error if the plan of the losses is not open: told already, abandoned, or of another step
  /// @throws InvalidArgument naming the first loss that is missing
  std::optional<StepReport> tell(StepLosses const& losses) { return stepper_.tell(losses); }

  /// Abandons the step that `ask` opened, if any; the next `ask` or `step` starts it again.
  void abandon() noexcept { stepper_.abandon_asked(); }

  /// Opens a step in place, for an engine that has a loop of its own: see OpenStep.
  /// @throws as `step`
  [[nodiscard]] OpenStep<Steps> begin_step() { return OpenStep<Steps>(stepper_); }

  /// Replays a step without evaluating a loss: from the same weights it gives the same bits as the step of an equal
  /// optimizer, on any backend and in either form. One pass over the weights; in place, as many as the step.
  ///
  /// @param record what `step` returned, or a journal's record of it; must be the next step's
  /// @throws InvalidArgument if the record cannot be this optimizer's next step; the weights are then unchanged
  /// @throws Error if the mask selected another number of weights than in the run: the weights are then not those
  ///   of the run, and undefined from here on; also as `step` does
  void replay(StepRecord const& record) {
    auto const entry = stepper_.guard().enter("replay", steps());
    stepper_.replay_abandoned(record);
    if (record.arithmetic == Arithmetic::fused)
      stepper_.replay(stepper_.fused(), record);
    else
      stepper_.replay(stepper_.in_place(Restore::arithmetic), record);
  }

  [[nodiscard]] std::uint64_t steps() const noexcept { return stepper_.steps(); }
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }
  [[nodiscard]] Options const& options() const noexcept { return options_; }
  [[nodiscard]] S const& sampler() const noexcept { return sampler_; }
  [[nodiscard]] M const& mask_policy() const noexcept { return policy_; }
  [[nodiscard]] B const& backend() const noexcept { return backend_; }
  [[nodiscard]] U const& update() const noexcept { return update_; }
  [[nodiscard]] E const& estimator() const noexcept { return estimator_; }
  [[nodiscard]] State const& mask_state() const noexcept { return masks_; }
  [[nodiscard]] std::span<Point const> points() const noexcept { return stepper_.points(); }

  /// Bytes that the optimizer holds in addition to the weights, not counting thresholds and the like: 0 until the first
  /// in-place step, the first update of 16-bit weights whose rounding keeps remainders (see Rounding), or the first
  /// update with state.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return stepper_.bytes(); }

  /// Which weights of a tensor the mask selects at the current weights: one bit per weight.
  [[nodiscard]] Bitmap active_bits(std::size_t parameter) const {
    DefaultFloatEnvironment const environment;
    Bitmap bits(parameters_[parameter]);
    backend_.mask_bits(parameters_[parameter], masks_.tensor(parameter, stepper_.noise().step), bits.words());
    return bits;
  }

 private:
  /// Begin, evaluate, decide, commit.
  template <class Form, class Objective>
  StepReport take_step(Form& form, Objective& objective) {
    stepper_.begin(form);
    try {
      for (bool is_decided = false; !is_decided;) {
        StepLosses losses(stepper_.plan());
        form.evaluate(stepper_.points(losses.plan()), objective, losses);
        is_decided = stepper_.decide(form, losses);
      }
      return stepper_.commit(form);
    } catch (...) {
      stepper_.abandon(form);
      throw;
    }
  }

  ParameterSet parameters_;
  S sampler_;
  M policy_;
  B backend_;
  U update_;
  E estimator_;
  Options options_;
  State masks_;
  Steps stepper_;
};

/// An optimizer of types that are no policies: exists so that the sentence that says so is the compiler's only error.
template <class S, class M, class B, class U, class E>
requires(!detail::are_policies<S, M, B, U, E>()) class ZerothOrderOptimizer<S, M, B, U, E> {
  static_assert(detail::check_policies<S, M, B, U, E>());

 public:
  template <class... Arguments>
  explicit ZerothOrderOptimizer(Arguments const&... /*arguments*/) {}
  ZerothOrderOptimizer(ParameterSet const&, S const&, M const&, B const&, U const&, E const&, Options const&) {}
  ZerothOrderOptimizer(ParameterSet const&, S const&, M const&, B const&, U const&, Options const&) {}
  ZerothOrderOptimizer(ParameterSet const&, S const&, M const&, B const&, Options const&) {}
  ZerothOrderOptimizer(ParameterSet const&, S const&, M const&, Options const&) {}

  StepReport step(auto&& /*objective*/) { return {}; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return 0; }
};

// What lacks parameters or a backend is such an optimizer, too.
template <class S, class M>
ZerothOrderOptimizer(ParameterSet, S, M, Options = {}) -> ZerothOrderOptimizer<S, M, detail::Missing>;
template <class P, class... Rest>
requires(!std::convertible_to<P, ParameterSet>) ZerothOrderOptimizer(P const&, Rest const&...)
->ZerothOrderOptimizer<detail::Missing, detail::Missing, detail::Missing>;

}  // namespace zeroth::ZEROTH_ISA

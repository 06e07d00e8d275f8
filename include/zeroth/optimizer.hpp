// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/known_answer.hpp>
#include <zeroth/error.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/step/decision.hpp>
#include <zeroth/step/in_place.hpp>
#include <zeroth/step/masked_probe.hpp>
#include <zeroth/step/rounding_memory.hpp>
#include <zeroth/step/update_window.hpp>
#include <zeroth/step/weight_state.hpp>
#include <zeroth/step_record.hpp>
#include <zeroth/step_report.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/update.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// @throws InvalidArgument if a run has no step of that number
inline void require_step_number(std::uint64_t step) {
  if (step >= max_steps)
    throw InvalidArgument("step must be below 2^32, the steps of a run, where the noise would repeat, got " +
                          std::to_string(step));
}

}  // namespace detail

/// Tunes weights by evaluations of a loss alone: Sparse MeZO (arXiv 2402.15751) with SmallestMagnitude, MeZO with
/// Dense.
///
///     zeroth::ParameterSet parameters;
///     parameters.add("weights", zeroth::Role::matrix, {rows, columns}, weights);
///     zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75},
///                                            zeroth::CpuBackend{}, {.epsilon = 1e-3, .learning_rate = 1e-6});
///     for (int i = 0; i < 1000; ++i) optimizer.step([&] { return loss(weights); });
///
/// A step evaluates the loss at theta + sign epsilon m z for each point of the estimator, combines the losses to the
/// projected gradient g, and moves the active weights along -learning_rate g m z. The objective's form decides how:
///
/// - fused, `(probe, losses)`: theta is read, never written, by the evaluation; the step's only write is the update. No
///   memory beyond the weights. One pass over the weights beside the evaluation.
/// - in place, `() -> double`: the weights are moved where they lie. One pass over the weights a point, one for the
///   update. See Restore for the memory.
///
/// Not thread safe; the executor of the backend may run a step on many threads.
///
/// @tparam S distribution of the perturbation, see Sampler
/// @tparam M which weights are perturbed and updated, see MaskPolicy
/// @tparam B where the weights live, see Backend
/// @tparam U how a projected gradient becomes a change, see Update
/// @tparam E how losses become a projected gradient, see Estimator
template <class S, class M, class B, class U = Sgd, class E = CentralDifference>
class ZerothOrderOptimizer {
  static_assert(Sampler<S>,
                "zeroth: the first policy is no Sampler: it needs operator()(RandomBlock) const that returns a "
                "std::array of 1, 2, 4, ... or 128 floats, name(), and == (see zeroth/sampler/sampler.hpp)");
  static_assert(MaskPolicy<M>,
                "zeroth: the second policy is no MaskPolicy: it needs name(), ==, and either bool operator()(float "
                "theta, std::uint64_t element) const or prepare(ParameterSet const&, WeightReader const&) const (see "
                "zeroth/mask/mask.hpp)");
  static_assert(Backend<B>,
                "zeroth: the third policy is no Backend: it needs expand, apply, preview, advance, mask_bits, "
                "kth_magnitude, read, copy, supports and name (see zeroth/backend/backend.hpp)");
  static_assert(Update<U> || StatefulUpdate<U> || WindowedUpdate<U>,
                "zeroth: the fourth policy is no Update: it needs coefficients, decay, takes_sign, check, name and ==, "
                "or, with state for each weight, state_floats, rule, decay, check, name and ==, or, over the noise of "
                "the last updates, window, coefficient, decay, check, name and == (see zeroth/update/update.hpp)");
  static_assert(!(StatefulUpdate<U> || WindowedUpdate<U>) || !may_only_descend<U>,
                "zeroth: only_descends is for updates without state and window: what such an update would leave cannot "
                "be evaluated before it is taken; leave only_descends out, or take ConservativeSgd (see requirement 7 "
                "of Update in zeroth/update/update.hpp)");
  static_assert(Estimator<E>,
                "zeroth: the fifth policy is no Estimator: it needs signs, uses_base, projected_gradient, name and == "
                "(see zeroth/estimator/estimator.hpp)");

 public:
  using State = MaskState<M>;
  using ProbeOfStep = MaskedProbe<S, State, B>;
  static_assert(!WindowedUpdate<U> || !depends_on_weights<MaskRuleOf<State>>,
                "zeroth: an update over the noise of the last updates needs a mask that does not look at the weights "
                "(see WindowedUpdate in zeroth/update/update.hpp)");

  /// @param parameters the tensors to tune; their memory stays the caller's and must stay in place
  /// @throws InvalidArgument naming the option or parameter that is refused
  ZerothOrderOptimizer(ParameterSet parameters, S sampler, M policy, B backend, U update, E estimator, Options options)
      : parameters_(checked(std::move(parameters), backend)),
        sampler_(std::move(sampler)),
        backend_(std::move(backend)),
        update_(std::move(update)),
        estimator_(std::move(estimator)),
        options_(std::move(options)),
        masks_(in_default_float_environment([&] { return prepare_mask(policy, parameters_, WeightReader(backend_)); })),
        rounding_(parameters_, options_.rounding),
        state_(parameters_, floats_a_weight),
        window_(updates_before(update_)),
        policy_(std::move(policy)) {
    options_.check();
    update_.check();
    decision().check();
    if constexpr (WindowedUpdate<U>) check_window();
    lanes_ = decision().lanes();
  }

  ZerothOrderOptimizer(ParameterSet parameters, S sampler, M policy, B backend, U update, Options options)
      : ZerothOrderOptimizer(std::move(parameters), std::move(sampler), std::move(policy), std::move(backend),
                             std::move(update), E{}, std::move(options)) {}

  ZerothOrderOptimizer(ParameterSet parameters, S sampler, M policy, B backend, Options options = {})
      : ZerothOrderOptimizer(std::move(parameters), std::move(sampler), std::move(policy), std::move(backend), U{}, E{},
                             std::move(options)) {}

  // In-place evaluation refers to the members.
  ZerothOrderOptimizer(ZerothOrderOptimizer const&) = delete;
  ZerothOrderOptimizer& operator=(ZerothOrderOptimizer const&) = delete;

  /// Takes one step.
  ///
  /// A loss that is not finite, or that a fused objective left unwritten, skips it: the weights stay, the step counts.
  ///
  /// After an exception, whoever threw it (objective, mask, memory), the weights are as after a skipped step, and the
  /// step does not count: the next call takes it again. There is one exception to that: what fails while weights are
  /// being written, a backend or an executor, leaves them between two points. With Restore::exact a point is put back
  /// from its copy; where that cannot be, every later call of `step` and `replay` throws Error, and the run goes on
  /// with a new optimizer that replays the journal over the base weights.
  ///
  /// @param objective an InPlaceObjective or a FusedObjective<ProbeOfStep>
  /// @throws Error if it is called from within a step, or the weights are undefined as above, or with
  ///   Restore::arithmetic the objective has thrown max_abandoned times at this step
  template <class Objective>
  StepReport step(Objective&& objective) {
    using O = std::remove_reference_t<Objective>;
    static_assert(FusedObjective<O, ProbeOfStep> || InPlaceObjective<O>,
                  "zeroth: the objective must be callable as () -> double or (Evaluation const&) -> double, which read "
                  "the weights in place, or as (probe const&, std::span<double> losses), which takes them from the "
                  "probe (see zeroth/objective.hpp)");
    InProgress const in_progress(*this, "step");
    if constexpr (FusedObjective<O, ProbeOfStep>)
      return fused_step(objective);
    else
      return in_place_step(objective);
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
  [[nodiscard]] std::span<Lane const> lanes() const noexcept { return lanes_; }

  /// Bytes that the optimizer holds beside the weights, thresholds and the like left out: 0 until the first update of
  /// 16-bit weights whose rounding keeps something beside them (see Rounding) or of an update with state, or the first
  /// in-place step.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return rounding_.bytes() + state_.bytes() + (in_place_ ? in_place_->bytes() : 0);
  }

  /// The weights of a tensor that the mask picks as the weights stand now: one bit a weight.
  [[nodiscard]] Bitmap active_bits(std::size_t parameter) const {
    DefaultFloatEnvironment const environment;
    Bitmap bits(parameters_[parameter]);
    backend_.mask_bits(parameters_[parameter], masks_.tensor(parameter, noise().step), bits.words());
    return bits;
  }

  /// Does again what a step did, without a loss: from the same weights it gives the same bits, on any backend, as the
  /// step of an equal optimizer, fused or in place. One pass over the weights; in place, those of the step.
  ///
  /// @param record what `step` returned, or a journal's record of it; it must be of the step that comes next
  /// @throws InvalidArgument if the record cannot be this optimizer's next step; the weights are then as they were
  /// @throws Error if the mask picked another number of weights than in the run: the weights are not those of the run,
  ///   and undefined from here on; else as `step`
  void replay(StepRecord const& record) {
    InProgress const in_progress(*this, "replay");
    check_next(record);
    for (; abandoned_ < record.abandoned; ++abandoned_) {
      begin_in_place();
      write_weights([&] {
        for (Lane const& lane : lanes_) in_place_->move_to(lane);
        in_place_->put_back();
      });
    }
    std::uint64_t active = 0;
    Change change;
    if (record.arithmetic == Arithmetic::fused) {
      begin_masks();
      change = prepare(record);
      write_weights([&] { active = apply(record, change); });
    } else {
      begin_in_place();
      change = prepare_in_place(record);
      write_weights([&] {
        for (Lane const& lane : lanes_) in_place_->move_to(lane);
        active = apply_in_place(record, change);
      });
    }
    if (active != record.active_weights) {
      weights_are_undefined_ = true;
      throw Error("replay of step " + std::to_string(step_) + ": expected " + std::to_string(record.active_weights) +
                  " active weights, as in the run, found " + std::to_string(active) +
                  ": the weights are not those that the run had here");
    }
    end_step(record, change);
  }

 private:
  /// While it lives a step is being taken, and none can be taken from within it.
  class InProgress {
   public:
    InProgress(ZerothOrderOptimizer& optimizer, char const* what) : in_progress_(optimizer.in_progress_) {
      if (in_progress_)
        throw Error(std::string(what) + ": expected a call between two steps, found one from within step " +
                    std::to_string(optimizer.step_) + ": an objective or mask must not call its own optimizer");
      if (optimizer.weights_are_undefined_)
        throw Error(std::string(what) + ": the weights are undefined since step " + std::to_string(optimizer.step_) +
                    " failed while they were written: make the optimizer anew over the base weights and replay the "
                    "journal of the run");
      in_progress_ = true;
    }
    ~InProgress() { in_progress_ = false; }
    InProgress(InProgress const&) = delete;
    InProgress& operator=(InProgress const&) = delete;

   private:
    bool& in_progress_;
  };

  /// Does what writes weights. If that fails they are undefined, until something else puts them back.
  template <class Body>
  void write_weights(Body const& body) {
    weights_are_undefined_ = true;
    body();
    weights_are_undefined_ = false;
  }

  /// What an update needs beyond memory beside the weights: made before the first write, for it may fail.
  struct Change {
    std::vector<NoiseTerm> terms;
    std::vector<NoiseTerm> past_terms;  ///< room for those of an older update
    PastUpdate remembered;              ///< what the window keeps of it
  };

  template <class Objective>
  StepReport fused_step(Objective& objective) {
    StepReport report = begin_report();
    begin_masks();
    std::vector<double> losses(lanes_.size());
    for (std::uint32_t micro_batch = 0; micro_batch < options_.micro_batches; ++micro_batch) {
      std::fill(losses.begin(), losses.end(), unwritten);
      for (std::size_t first = 0; first < lanes_.size();) {
        std::size_t const count = std::min(decision().lanes_in_probe(first), lanes_.size() - first);
        ProbeOfStep const probe(parameters_, masks_, backend_, noise(), std::span(lanes_).subspan(first, count),
                                epsilon(), micro_batch);
        objective(probe, std::span(losses).subspan(first, count));
        first += count;
      }
      for (std::size_t k = 0; k < lanes_.size(); ++k) decision().add_micro_batch(report.losses[k], losses[k]);
    }
    decision().decide(report);
    if (only_descends(update_) && !report.skipped()) choose_fused(report, objective);
    skip_what_overflows(report);
    Change change = prepare(report);
    write_weights([&] { report.active_weights = apply(report, change); });
    end_step(report, change);
    return report;
  }

  template <class Objective>
  StepReport in_place_step(Objective& objective) {
    if (only_descends(update_)) check_restore_of_candidates();
    StepReport report = begin_report();
    if (options_.restore == Restore::arithmetic) {
      report.arithmetic = Arithmetic::in_place;
      if (abandoned_ >= max_abandoned)
        throw Error("step " + std::to_string(step_) + ": its objective has thrown " + std::to_string(abandoned_) +
                    " times, as often as a journal can say: each time the weights were put back by "
                    "Restore::arithmetic, which leaves other bits; take Restore::exact or a fused objective");
    }
    begin_in_place();
    std::size_t visited = 0;
    Change change;
    try {
      for (; visited < lanes_.size(); ++visited) {
        write_weights([&] { in_place_->move_to(lanes_[visited]); });
        report.losses[visited] = evaluate(objective, lanes_[visited]);
      }
      decision().decide(report);
      if (only_descends(update_) && !report.skipped()) choose_in_place(report, objective);
      skip_what_overflows(report);
      change = prepare_in_place(report);
    } catch (...) {
      abandon(visited);
      throw;
    }
    write_weights([&] { report.active_weights = apply_in_place(report, change); });
    end_step(report, change);
    return report;
  }

  /// Leaves the weights as a skipped step does, after an exception at the point of that number.
  void abandon(std::size_t point) {
    if (options_.restore == Restore::exact) return write_weights([&] { in_place_->put_back(); });
    if (weights_are_undefined_) return;  // half of them were moved
    // A skipped step goes by every point on its way back; so does this one, to leave the same bits.
    write_weights([&] {
      while (++point < lanes_.size()) in_place_->move_to(lanes_[point]);
      in_place_->put_back();
    });
    ++abandoned_;
  }

  /// Evaluates both candidates of an update that only descends, and chooses.
  template <class Objective>
  void choose_fused(StepReport& report, Objective& objective) {
    Candidates const candidates(*this, report);
    std::vector<ElementwisePass> passes;  // of every tensor for one candidate, then for the other
    for (ElementwisePass const& pass : candidates.passes)
      for (std::size_t i = 0; i < parameters_.size(); ++i)
        passes.push_back(is_touched(i) ? rounded(pass, i) : ElementwisePass{});
    report.candidate_losses.assign(2, 0);
    std::array<double, 2> losses{};
    for (std::uint32_t micro_batch = 0; micro_batch < options_.micro_batches; ++micro_batch) {
      losses.fill(unwritten);
      ProbeOfStep const probe(parameters_, masks_, backend_, noise(), candidates.lanes, passes, micro_batch);
      objective(probe, std::span<double>(losses));
      for (std::size_t k = 0; k < 2; ++k) decision().add_micro_batch(report.candidate_losses[k], losses[k]);
    }
    decision().choose(report);
  }

  template <class Objective>
  void choose_in_place(StepReport& report, Objective& objective) {
    Candidates const candidates(*this, report);
    for (std::size_t k = 0; k < 2; ++k) {
      write_weights([&] { in_place_->move_to(candidates.lanes[k], candidates.passes[k]); });
      report.candidate_losses.push_back(evaluate(objective, candidates.lanes[k]));
    }
    decision().choose(report);
  }

  /// The step that was decided on, and its reverse.
  struct Candidates {
    Candidates(ZerothOrderOptimizer const& optimizer, StepRecord const& record)
        : terms{optimizer.terms_of(record), optimizer.terms_of(record)} {
      for (NoiseTerm& term : terms[1]) term.coefficient = -term.coefficient;
      for (std::size_t k = 0; k < 2; ++k) passes[k] = optimizer.update_pass(record, terms[k]);
    }
    Candidates(Candidates const&) = delete;
    Candidates& operator=(Candidates const&) = delete;

    std::array<std::vector<NoiseTerm>, 2> terms;
    std::array<ElementwisePass, 2> passes{};
    std::array<Lane, 2> lanes{Lane{0, +1, true}, Lane{0, -1, true}};
  };

  /// Mean over the micro-batches of the loss at the weights as they stand.
  template <class Objective>
  [[nodiscard]] double evaluate(Objective& objective, Lane lane) const {
    double mean = 0;
    for (std::uint32_t micro_batch = 0; micro_batch < options_.micro_batches; ++micro_batch) {
      double loss = 0;
      if constexpr (requires(Evaluation const& evaluation) { objective(evaluation); })
        loss = objective(Evaluation{step_, micro_batch, lane});
      else
        loss = objective();
      decision().add_micro_batch(mean, loss);
    }
    return mean;
  }

  [[nodiscard]] StepReport begin_report() const {
    detail::require_step_number(step_);
    StepReport report;
    report.step = step_;
    report.abandoned = abandoned_;
    report.learning_rate = decision().learning_rate(step_);
    report.losses.assign(lanes_.size(), 0);
    return report;
  }

  void begin_masks() {
    DefaultFloatEnvironment const environment;
    begin_mask_step(masks_, parameters_, WeightReader(backend_), noise().step);
  }

  void begin_in_place() {
    check_restore();
    begin_masks();
    if (!in_place_) in_place_.emplace(parameters_, masks_, backend_, options_.restore, rounding_);
    in_place_->begin(noise(), epsilon());
  }

  /// Skips a step in which a window would add what fits no f32.
  void skip_what_overflows([[maybe_unused]] StepReport& report) const {
    if constexpr (WindowedUpdate<U>) {
      DefaultFloatEnvironment const environment;
      auto fits = [&](std::span<float const> directions, std::uint32_t age) {
        return std::all_of(directions.begin(), directions.end(), [&](float direction) {
          return is_finite(update_.coefficient(direction, report.step_size, age));
        });
      };
      bool all_fit = fits(report.coefficients, 0);
      std::uint32_t age = 0;
      for (PastUpdate const& past : window_.updates()) all_fit = fits(past.directions, ++age) && all_fit;
      if (!report.skipped() && !all_fit) decision().skip(report, SkipReason::non_finite_coefficient);
    }
  }

  /// All that may fail before the update of a step writes: memory beside the weights, and scalars.
  [[nodiscard]] Change prepare(StepRecord const& record) {
    if (record.skipped()) return {};
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (is_touched(i)) (void)rounded(ElementwisePass{}, i);
    return prepare_change(record);
  }

  /// The same where the weights are perturbed.
  [[nodiscard]] Change prepare_in_place(StepRecord const& record) {
    if (record.skipped()) return {};
    in_place_->prepare_finish();
    return prepare_change(record);
  }

  [[nodiscard]] Change prepare_change(StepRecord const& record) {
    DefaultFloatEnvironment const environment;
    if constexpr (StatefulUpdate<U>)
      for (std::size_t i = 0; i < parameters_.size(); ++i)
        if (is_touched(i)) (void)state_.tensor(i, parameters_[i], backend_);
    Change change;
    change.terms = terms_of(record);
    if constexpr (WindowedUpdate<U>) {
      change.past_terms.resize(options_.samples);
      change.remembered = {static_cast<std::uint32_t>(record.step), record.coefficients};
      window_.reserve_one();
    }
    return change;
  }

  void end_step(StepRecord const& record, Change& change) noexcept {
    if (!record.skipped()) {
      ++updates_;
      if constexpr (WindowedUpdate<U>) window_.add(std::move(change.remembered));
    }
    abandoned_ = 0;
    ++step_;
  }

  /// The fused form's only write to the weights; returns how many it touched.
  std::uint64_t apply(StepRecord const& record, Change& change) {
    if (record.skipped()) return 0;
    DefaultFloatEnvironment const environment;
    std::uint64_t const touched = count_active(backend_, [&] {
      std::uint64_t active = 0;
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        auto const mask = masks_.tensor(i, noise().step);
        if (is_touched(i)) active += update(i, nullptr, mask, rounded(update_pass(record, change.terms), i), record);
      }
      return active;
    });
    apply_past_updates(record, change);
    return touched;
  }

  /// Puts the weights back from where they are and updates them; returns how many the update touched.
  std::uint64_t apply_in_place(StepRecord const& record, Change& change) {
    DefaultFloatEnvironment const environment;
    if (record.skipped()) {
      in_place_->put_back();
      return 0;
    }
    auto update_tensor = [&](std::size_t i, void const* source, auto const& mask, ElementwisePass const& pass) {
      return update(i, source, mask, pass, record);
    };
    std::uint64_t const touched = in_place_->finish(update_pass(record, change.terms), update_tensor);
    apply_past_updates(record, change);
    return touched;
  }

  /// Updates one tensor.
  template <class Mask>
  std::uint64_t update(std::size_t parameter, void const* source, Mask const& mask, ElementwisePass const& pass,
                       [[maybe_unused]] StepRecord const& record) {
    Parameter const& p = parameters_[parameter];
    if constexpr (StatefulUpdate<U>)
      return backend_.advance(p, source, mask, noise(), pass, update_.rule(record.step_size, updates_ + 1),
                              state_.tensor(parameter, p, backend_));
    return backend_.apply(p, source, mask, noise(), pass);
  }

  /// The passes of a WindowedUpdate over the noise of older updates. They touch the weights that were counted already.
  void apply_past_updates([[maybe_unused]] StepRecord const& record, [[maybe_unused]] Change& change) {
    if constexpr (WindowedUpdate<U>) {
      (void)count_active(backend_, [&] {
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
          if (!is_touched(i)) continue;
          std::uint32_t age = 0;
          for (PastUpdate const& past : window_.updates()) {
            write_terms(past.directions, record.step_size, ++age, change.past_terms);
            NoiseField<S> const then{sampler_, options_.seed, past.step};
            backend_.apply(parameters_[i], nullptr, masks_.tensor(i, noise().step), then,
                           ElementwisePass{.terms = change.past_terms});
          }
        }
        return std::uint64_t{0};
      });
    }
  }

  /// What an update of that age adds, if its step size is that of now.
  void write_terms(std::span<float const> coefficients, [[maybe_unused]] float step_size,
                   [[maybe_unused]] std::uint32_t age, std::span<NoiseTerm> terms) const {
    for (std::uint32_t s = 0; s < coefficients.size(); ++s) {
      terms[s] = {s, coefficients[s]};
      if constexpr (WindowedUpdate<U>) terms[s].coefficient = update_.coefficient(coefficients[s], step_size, age);
    }
  }
  [[nodiscard]] std::vector<NoiseTerm> terms_of(StepRecord const& record) const {
    std::vector<NoiseTerm> terms(record.coefficients.size());
    write_terms(record.coefficients, record.step_size, 0, terms);
    return terms;
  }

  [[nodiscard]] ElementwisePass update_pass(StepRecord const& record, std::span<NoiseTerm const> terms) const {
    ElementwisePass pass{.decay = record.decay, .terms = terms};
    if constexpr (Update<U>) {
      pass.takes_sign = update_.takes_sign;
      pass.sign_step = record.step_size;
    }
    return pass;
  }

  void check_next(StepRecord const& record) const {
    auto refuse = [&](char const* what, auto const& expected, auto const& found) {
      throw InvalidArgument("replay of step " + std::to_string(record.step) + ": expected " + what + " " +
                            std::string(expected) + ", found " + std::string(found));
    };
    if (record.step != step_) refuse("step", std::to_string(step_), std::to_string(record.step));
    detail::require_step_number(record.step);
    std::string const what = "replay of step " + std::to_string(record.step) + ": ";
    detail::require_choice(record.arithmetic, arithmetics, what + "arithmetic");
    detail::require_choice(record.skip_reason, skip_reasons, what + "skip_reason");
    bool const in_place = record.arithmetic == Arithmetic::in_place || record.abandoned != 0;
    if (in_place && options_.restore != Restore::arithmetic)
      refuse("arithmetic", to_string(Arithmetic::fused), to_string(Arithmetic::in_place));
    if (record.abandoned > max_abandoned)
      refuse("abandoned at most", std::to_string(max_abandoned), std::to_string(record.abandoned));
    if (record.abandoned < abandoned_)
      refuse("abandoned at least", std::to_string(abandoned_), std::to_string(record.abandoned));
    std::size_t const coefficients = record.skipped() ? 0 : options_.samples;
    if (record.coefficients.size() != coefficients)
      refuse("coefficients", std::to_string(coefficients), std::to_string(record.coefficients.size()));
    auto require_finite = [&](char const* name, float value) {
      if (!is_finite(value)) refuse(name, "finite", number_text(value));
    };
    require_finite("decay", record.decay);
    require_finite("step_size", record.step_size);
    for (float coefficient : record.coefficients) require_finite("coefficient", coefficient);
    std::uint64_t const most = record.skipped() ? 0 : parameters_.weights();
    if (record.active_weights > most)
      refuse("active_weights at most", std::to_string(most), std::to_string(record.active_weights));
  }

  static constexpr std::size_t floats_a_weight = [] {
    if constexpr (StatefulUpdate<U>) return U::state_floats;
    return std::size_t{0};
  }();

  /// How many older updates a step makes again.
  [[nodiscard]] static std::size_t updates_before(U const& update) noexcept {
    if constexpr (WindowedUpdate<U>) return std::max<std::size_t>(update.window, 1) - 1;
    return 0;
  }

  /// What a loss is that the objective does not write: not finite, so that the step is skipped.
  static constexpr double unwritten = std::numeric_limits<double>::quiet_NaN();

  [[nodiscard]] Decision<U, E> decision() const noexcept { return {options_, update_, estimator_}; }

  [[nodiscard]] NoiseField<S> noise() const noexcept {
    return {sampler_, options_.seed, static_cast<std::uint32_t>(step_)};
  }
  [[nodiscard]] float epsilon() const noexcept { return decision().epsilon(); }

  /// The pass as an update of that tensor, whose weights are unperturbed.
  [[nodiscard]] ElementwisePass rounded(ElementwisePass const& pass, std::size_t parameter) {
    return rounding_.update(pass, parameter, parameters_[parameter], masks_.tensor(parameter, noise().step),
                            is_fixed_mask(masks_), backend_);
  }

  [[nodiscard]] bool is_touched(std::size_t parameter) const {
    return masks_.tensor(parameter, noise().step).coverage != Coverage::none;
  }

  void check_window() const {
    std::string const what = "update '" + std::string(update_.name()) + "' takes ";
    if (!is_fixed_mask(masks_)) throw InvalidArgument(what + "a mask that stays the same from step to step alone");
    for (Parameter const& p : parameters_)
      if (p.dtype != DataType::f32)
        throw InvalidArgument(what + "weights of f32 alone, parameter '" + p.name + "' is " +
                              std::string(to_string(p.dtype)));
  }

  void check_restore_of_candidates() const {
    std::string const what = "update '" + std::string(update_.name()) + "' takes an in-place objective ";
    if (options_.restore != Restore::exact) throw InvalidArgument(what + "with restore = Restore::exact alone");
    for (Parameter const& p : parameters_)
      if (p.dtype != DataType::f32 && bytes_beside(options_.rounding) != 0)
        throw InvalidArgument(what + "for weights of " + std::string(to_string(p.dtype)) +
                              " with a rounding alone that keeps nothing beside them, parameter '" + p.name +
                              "' is one");
  }

  void check_restore() const {
    if (options_.restore == Restore::exact) return;
    for (Parameter const& p : parameters_)
      if (p.dtype != DataType::f32)
        throw InvalidArgument("parameter '" + p.name + "': in place, weights of " + std::string(to_string(p.dtype)) +
                              " need Restore::exact: adding and subtracting the perturbation leaves other weights");
  }

  [[nodiscard]] static ParameterSet checked(ParameterSet parameters, B const& backend) {
    if (parameters.empty()) throw InvalidArgument("the optimizer has no parameters to tune");
    check_arithmetic(backend);
    for (Parameter const& p : parameters)
      if (!backend.supports(p.dtype))
        throw InvalidArgument("parameter '" + p.name + "': backend '" + std::string(backend.name()) +
                              "' does not take " + std::string(to_string(p.dtype)));
    return parameters;
  }

  ParameterSet parameters_;
  S sampler_;
  B backend_;
  U update_;
  E estimator_;
  Options options_;
  State masks_;
  RoundingMemory rounding_;
  WeightState state_;
  UpdateWindow window_;
  M policy_;
  std::vector<Lane> lanes_;
  std::optional<InPlaceWeights<S, State, B>> in_place_;
  std::uint64_t step_ = 0;
  std::uint64_t updates_ = 0;    // steps that were not skipped
  std::uint32_t abandoned_ = 0;  // see StepRecord
  bool in_progress_ = false;     // a step is being taken
  bool weights_are_undefined_ = false;
};

}  // namespace zeroth::ZEROTH_ISA

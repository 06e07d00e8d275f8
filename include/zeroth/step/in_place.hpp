// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/step/correction_memory.hpp>
#include <zeroth/step/mirrors.hpp>
#include <zeroth/step/step_guard.hpp>
#include <zeroth/step/updater.hpp>
#include <zeroth/step_plan.hpp>
#include <zeroth/step_record.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA {

/// A step whose losses are evaluated on the weights in place: moves them from point to point, then restores them.
///
/// A step's mask is computed from the weights before any perturbation: computed from perturbed weights, it would be
/// another mask. So a mask that depends on the weights is stored for the step: 1 bit per weight. Restore::exact instead
/// keeps what gives the unperturbed weights back: a byte per weight (Corrections) if the backend can and if every step
/// is taken, otherwise a copy.
///
/// Each point rounds 16-bit weights to nearest; only the update rounds as the options say.
template <class U, Sampler S, class State, Backend B>
class InPlaceForm {
 public:
  InPlaceForm(ParameterSet const& parameters, State const& masks, B const& backend, Updater<U, S, State, B>& updater,
              Options const& options, StepGuard& guard)
      : parameters_(parameters),
        masks_(masks),
        backend_(backend),
        updater_(updater),
        options_(options),
        guard_(guard) {}

  /// How the next steps restore the weights.
  void use(Restore restore) noexcept { restore_ = restore; }

  /// Which roundings its steps include.
  [[nodiscard]] Arithmetic arithmetic() const noexcept {
    return restores_exactly() ? Arithmetic::fused : Arithmetic::in_place;
  }

  /// Starts a step at the unperturbed weights.
  void begin(NoiseField<S> const& noise, float epsilon) {
    noise_ = noise;
    epsilon_ = epsilon;
    at_ = Point{};
    ahead_ = {};
    has_moved_ = false;
    if (has_corrections()) {
      corrections_.begin(parameters_);
      updater_.reserve(*this, noise_.step);  // later the weights that it may read are perturbed
    } else if (restores_exactly())
      save_weights();
    else if constexpr (stores_mask)
      save_masks();
  }

  /// Makes the weights that two changes would leave the points to evaluate. Only with Restore::exact.
  void propose(std::array<Change, 2> candidates) { candidates_ = std::move(candidates); }

  /// Moves the weights to one of the points of the step or its candidates, from the previous one.
  void go_to(std::span<Point const> points, std::size_t index) {
    ahead_ = points.subspan(index + 1);
    has_moved_ = true;
    guard_.write([&] {
      if (points[index].is_candidate)
        move_to(points[index], candidates_[index]);
      else
        move_to(points[index]);
    });
  }

  /// Evaluates the loss at each point on each micro-batch.
  template <class Objective>
  void evaluate(std::span<Point const> points, Objective& objective, StepLosses& losses) {
    for (std::uint32_t k = 0; k < points.size(); ++k) {
      go_to(points, k);
      for (std::uint32_t micro_batch = 0; micro_batch < losses.plan().micro_batches; ++micro_batch) {
        if constexpr (requires(Evaluation const& evaluation) { objective(evaluation); })
          losses.set(k, micro_batch, objective(Evaluation{noise_.step, micro_batch, at_}));
        else
          losses.set(k, micro_batch, objective());
      }
    }
  }

  /// The tensor with the unperturbed weights, if they were copied.
  [[nodiscard]] Parameter unperturbed(std::size_t index) const {
    Parameter tensor = parameters_[index];
    if (has_copy()) tensor.data = saved_[index].template as<std::byte>();
    return tensor;
  }

  /// Visits the points that the replayed step visited.
  void revisit(std::span<Point const> points) {
    for (Point const& point : points) move_to(point);
  }

  /// Repeats what an abandoned attempt did: goes from point to point, and back.
  void repeat_abandoned(std::span<Point const> points) {
    guard_.write([&] {
      revisit(points);
      put_back();
    });
  }

  /// After an exception, leaves the weights as a skipped step does; returns 1 if their bits changed.
  [[nodiscard]] std::uint32_t abandon() {
    if (!has_moved_) return 0;
    if (restores_exactly()) {
      guard_.write([&] { put_back(); });
      return 0;
    }
    if (guard_.weights_are_undefined()) return 0;  // some were moved, some not
    // A skipped step visits every point before it restores. So must this one, to leave the same bits.
    repeat_abandoned(ahead_);
    return 1;
  }

  /// Restores the weights and updates them, in one pass, unless the step is skipped; returns how many were active.
  std::uint64_t commit(StepRecord const& record, Change const& change) {
    if (record.skipped()) {
      put_back();
      return 0;
    }
    DefaultFloatEnvironment const environment;
    NoiseTerm const back = undo();
    bool const undoes = !restores_exactly() && at_.sign != 0;
    at_ = Point{};
    corrections_.move_back();
    std::uint64_t const touched = run([&](std::size_t index, void const* source, auto const& mask) {
      ElementwisePass pass = updater_.pass_of(change, index, unperturbed(index), noise_.step);
      if (undoes) pass.restore = {&back, 1};
      return corrected(index, pass, [&] { return updater_.update(index, source, mask, noise_, pass, change); });
    });
    updater_.add_rest(noise_, change);
    return touched;
  }

  /// Bytes held in addition to the weights.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (BackendBuffer const& mask : stored_masks_) total += mask.bytes();
    for (BackendBuffer const& weights : saved_) total += weights.bytes();
    return total + corrections_.bytes();
  }

 private:
  static constexpr bool stores_mask = depends_on_weights<MaskRuleOf<State>>;

  [[nodiscard]] bool restores_exactly() const noexcept { return restore_ == Restore::exact; }
  [[nodiscard]] bool has_corrections() const noexcept {
    return BackendWithCorrections<B> && restores_exactly() && options_.acceptance == Acceptance::always;
  }
  [[nodiscard]] bool has_copy() const noexcept { return restores_exactly() && !has_corrections(); }

  /// Runs the pass over a tensor with its corrections, if there are any, until no tile is left for lack of memory.
  template <class Pass>
  std::uint64_t corrected(std::size_t index, ElementwisePass& pass, Pass const& run) {
    if (!has_corrections()) return run();
    std::uint64_t active = 0;
    do {
      Corrections const corrections = corrections_.of(index);
      pass.corrections = &corrections;
      active += run();
    } while (corrections_.grow(index));
    return active;
  }

  [[nodiscard]] NoiseTerm undo() const noexcept {
    return {noise_.step, at_.sample, -static_cast<float>(at_.sign) * epsilon_};
  }

  void put_back() {
    if (at_.sign != 0) move_to(Point{});
  }

  /// Moves the weights from the current point to theta + sign epsilon m z(sample).
  ///
  /// An exception leaves the weights between the two points. With Restore::exact, `put_back` restores them even then.
  void move_to(Point point) {
    std::array<NoiseTerm, 2> list;
    std::size_t count = 0;
    bool const relative = !restores_exactly();
    auto perturbation = [&](std::int32_t sign) {
      return NoiseTerm{noise_.step, point.sample, static_cast<float>(sign) * epsilon_};
    };
    if (relative && at_.sign != 0 && point.sign != 0 && at_.sample == point.sample) {
      list[count++] = perturbation(point.sign - at_.sign);
    } else {
      if (relative && at_.sign != 0) list[count++] = undo();
      if (point.sign != 0) list[count++] = perturbation(point.sign);
    }
    at_ = point;
    if (point.sign != 0)
      corrections_.move_to(list[count - 1]);
    else
      corrections_.move_back();
    ElementwisePass pass{.terms = {list.data(), count}};
    run([&](std::size_t index, void const* source, auto const& mask) {
      return corrected(index, pass, [&] { return backend_.apply(parameters_[index], source, mask, noise_, pass); });
    });
  }

  /// Writes the weights that a change, named by `point`, makes of the unperturbed ones.
  void move_to(Point point, Change const& change) {
    at_ = point;
    run([&](std::size_t index, void const* source, auto const& mask) {
      // The remainders must not change before the step is taken.
      ElementwisePass trial = updater_.pass_of(change, index, unperturbed(index), noise_.step);
      BackendBuffer const& remainders = updater_.remainders(index);
      if (trial.remainders.data != nullptr) {
        if (trial_.bytes() < remainders.bytes()) trial_ = {backend_, remainders.bytes()};
        trial_.copy_from(backend_, remainders.template as<std::byte>(), remainders.bytes());
        trial.remainders.data = trial_.template as<std::byte>();
      }
      return backend_.apply(parameters_[index], source, mask, noise_, trial);
    });
  }

  void save_weights() {
    if (saved_.empty()) {
      std::vector<BackendBuffer> saved;
      for (Parameter const& p : parameters_) saved.emplace_back(backend_, static_cast<std::size_t>(p.bytes()));
      saved_ = std::move(saved);  // all tensors, or none if memory for one is missing
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) backend_.copy(parameters_[i], saved_[i].span());
  }

  void save_masks() {
    DefaultFloatEnvironment const environment;
    stored_masks_.resize(parameters_.size());
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (coverage(i) != Coverage::some) continue;
      if (stored_masks_[i].empty()) stored_masks_[i] = {backend_, Bitmap::words_of(parameters_[i]) * 8};
      backend_.mask_bits(parameters_[i], masks_.tensor(i, noise_.step), words(i));
    }
  }

  /// The mask stored for the step.
  [[nodiscard]] std::span<std::uint64_t> words(std::size_t i) const {
    return {stored_masks_[i].template as<std::uint64_t>(), stored_masks_[i].bytes() / 8};
  }

  [[nodiscard]] Coverage coverage(std::size_t i) const { return masks_.tensor(i, noise_.step).coverage; }

  /// Sums apply(index, source of the weights, mask) over the tensors that have active weights.
  template <class Apply>
  std::uint64_t run(Apply const& apply) {
    DefaultFloatEnvironment const environment;
    std::uint64_t const touched = count_active(backend_, [&] {
      std::uint64_t active = 0;
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        if (coverage(i) == Coverage::none) continue;
        if (has_corrections())
          active += apply(i, nullptr, masks_.tensor(i, noise_.step));
        else if (restores_exactly())
          active += apply(i, saved_[i].template as<std::byte>(), masks_.tensor(i, noise_.step));
        else if constexpr (stores_mask)
          active += apply(i, nullptr,
                          TensorMask<BitmapRule>{coverage(i), {words(i).data(), parameters_[i].offset / tile_size}});
        else
          active += apply(i, nullptr, masks_.tensor(i, noise_.step));
      }
      return active;
    });
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (coverage(i) != Coverage::none) detail::write_mirrors(parameters_[i], backend_);
    return touched;
  }

  ParameterSet const& parameters_;
  State const& masks_;
  B const& backend_;
  Updater<U, S, State, B>& updater_;
  Options const& options_;
  StepGuard& guard_;
  Restore restore_ = Restore::exact;
  NoiseField<S> noise_{};
  float epsilon_ = 0;
  Point at_{};
  std::span<Point const> ahead_{};  // points of the step not yet visited
  bool has_moved_ = false;
  std::array<Change, 2> candidates_;
  std::vector<BackendBuffer> stored_masks_;
  std::vector<BackendBuffer> saved_;
  CorrectionMemory corrections_;
  BackendBuffer trial_;  // remainders of one tensor, for a candidate that may not be taken
};

}  // namespace zeroth::ZEROTH_ISA

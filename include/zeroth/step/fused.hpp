// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/step/masked_probe.hpp>
#include <zeroth/step/mirrors.hpp>
#include <zeroth/step/points.hpp>
#include <zeroth/step/updater.hpp>
#include <zeroth/step_plan.hpp>
#include <zeroth/step_record.hpp>

namespace zeroth::ZEROTH_ISA {

/// A step whose losses are evaluated through probes: theta is only read until the update writes it.
template <class U, Sampler S, class State, Backend B>
class FusedForm {
 public:
  using StepProbe = MaskedProbe<S, State, B>;

  /// @param probe_sizes see points.hpp
  FusedForm(ParameterSet const& parameters, State const& masks, B const& backend, Updater<U, S, State, B>& updater,
            detail::ProbeSizes const& probe_sizes)
      : parameters_(parameters), masks_(masks), backend_(backend), updater_(updater), probe_sizes_(probe_sizes) {}

  [[nodiscard]] static constexpr Arithmetic arithmetic() noexcept { return Arithmetic::fused; }

  void begin(NoiseField<S> const& noise, float epsilon) {
    noise_ = noise;
    epsilon_ = epsilon;
    passes_.clear();
  }

  /// Makes the weights that two changes would leave the points to evaluate.
  void propose(std::array<Change, 2> candidates) {
    candidates_ = std::move(candidates);
    for (Change const& change : candidates_)
      for (std::size_t i = 0; i < parameters_.size(); ++i)
        passes_.push_back(is_touched(i) ? updater_.pass_of(change, i, parameters_[i], noise_.step) : ElementwisePass{});
  }

  /// A probe of `count` points from `first` on; `points` are those of the step or its candidates.
  [[nodiscard]] StepProbe probe(std::span<Point const> points, std::size_t first, std::size_t count,
                                std::uint32_t micro_batch) const {
    std::span<Point const> const some = points.subspan(first, count);
    if (passes_.empty()) return {parameters_, masks_, backend_, noise_, some, epsilon_, micro_batch};
    auto const passes = std::span(passes_).subspan(first * parameters_.size(), count * parameters_.size());
    return {parameters_, masks_, backend_, noise_, some, passes, micro_batch};
  }

  /// Evaluates the loss at each point on each micro-batch.
  template <class Objective>
  void evaluate(std::span<Point const> points, Objective& objective, StepLosses& losses) const {
    std::vector<double> values(points.size());
    for (std::uint32_t micro_batch = 0; micro_batch < losses.plan().micro_batches; ++micro_batch) {
      std::fill(values.begin(), values.end(), detail::unwritten_loss);
      for (std::size_t first = 0; first < points.size();) {
        std::size_t const count =
            std::min(first == 0 ? probe_sizes_.first : probe_sizes_.others, points.size() - first);
        StepProbe const some = probe(points, first, count, micro_batch);
        objective(some, std::span(values).subspan(first, count));
        first += count;
      }
      for (std::uint32_t k = 0; k < points.size(); ++k) losses.set(k, micro_batch, values[k]);
    }
  }

  [[nodiscard]] Parameter const& unperturbed(std::size_t index) const { return parameters_[index]; }

  /// Nothing to do: a fused step never leaves theta.
  void revisit(std::span<Point const> /*points*/) const noexcept {}

  /// Nothing was perturbed.
  [[nodiscard]] std::uint32_t abandon() const noexcept { return 0; }

  /// Makes the step's only write to the weights, or none if it is skipped; returns how many were active.
  std::uint64_t commit(StepRecord const& record, Change const& change) {
    if (record.skipped()) return 0;
    DefaultFloatEnvironment const environment;
    std::uint64_t const touched = count_active(backend_, [&] {
      std::uint64_t active = 0;
      for (std::size_t i = 0; i < parameters_.size(); ++i)
        if (is_touched(i))
          active += updater_.update(i, nullptr, masks_.tensor(i, noise_.step), noise_,
                                    updater_.pass_of(change, i, parameters_[i], noise_.step), change);
      return active;
    });
    updater_.add_rest(noise_, change);
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (is_touched(i)) detail::write_mirrors(parameters_[i], backend_);
    return touched;
  }

 private:
  [[nodiscard]] bool is_touched(std::size_t index) const {
    return masks_.tensor(index, noise_.step).coverage != Coverage::none;
  }

  ParameterSet const& parameters_;
  State const& masks_;
  B const& backend_;
  Updater<U, S, State, B>& updater_;
  detail::ProbeSizes probe_sizes_;
  NoiseField<S> noise_{};
  float epsilon_ = 0;
  std::array<Change, 2> candidates_;
  std::vector<ElementwisePass> passes_;  // of every tensor for one candidate, then for the other; views of candidates_
};

}  // namespace zeroth::ZEROTH_ISA

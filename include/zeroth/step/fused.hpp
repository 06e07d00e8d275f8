// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/step/masked_probe.hpp>
#include <zeroth/step/points.hpp>
#include <zeroth/step/updater.hpp>
#include <zeroth/step_record.hpp>

namespace zeroth::ZEROTH_ISA {

/// A step whose objective takes perturbed weights from probes: theta is only read until the update writes it. Owns
/// nothing; refers to its constructor's arguments.
template <class U, Sampler S, class State, Backend B>
class FusedForm {
 public:
  using StepProbe = MaskedProbe<S, State, B>;

  /// @param probe_sizes see points.hpp
  FusedForm(ParameterSet const& parameters, State const& masks, B const& backend, Updater<U, S, State, B>& updater,
            Options const& options, detail::ProbeSizes probe_sizes)
      : parameters_(parameters),
        masks_(masks),
        backend_(backend),
        updater_(updater),
        options_(options),
        probe_sizes_(probe_sizes) {}

  [[nodiscard]] static constexpr Arithmetic arithmetic() noexcept { return Arithmetic::fused; }

  void begin(NoiseField<S> const& noise, float epsilon) {
    noise_ = noise;
    epsilon_ = epsilon;
  }

  /// Evaluates the mean losses over the micro-batches at the points.
  template <class Objective>
  void evaluate(std::span<Point const> points, Objective& objective, std::span<double> means) const {
    std::vector<double> losses(points.size());
    for (std::uint32_t micro_batch = 0; micro_batch < options_.micro_batches; ++micro_batch) {
      std::fill(losses.begin(), losses.end(), detail::unwritten_loss);
      for (std::size_t first = 0; first < points.size();) {
        std::size_t const most = first == 0 ? probe_sizes_.first : probe_sizes_.others;
        std::size_t const count = std::min(most, points.size() - first);
        StepProbe const probe(parameters_, masks_, backend_, noise_, points.subspan(first, count), epsilon_,
                              micro_batch);
        objective(probe, std::span(losses).subspan(first, count));
        first += count;
      }
      for (std::size_t k = 0; k < points.size(); ++k) detail::add_micro_batch(means[k], losses[k], options_);
    }
  }

  /// As above, at the weights that two changes would leave; `points` names the changes.
  template <class Objective>
  void evaluate(std::array<Change, 2> const& candidates, std::span<Point const> points, Objective& objective,
                std::span<double> means) {
    std::vector<ElementwisePass> passes;  // all tensors for one candidate, then all for the other
    for (Change const& change : candidates)
      for (std::size_t i = 0; i < parameters_.size(); ++i)
        passes.push_back(is_touched(i) ? updater_.pass_of(change, i, parameters_[i], noise_.step) : ElementwisePass{});
    std::array<double, 2> losses{};
    for (std::uint32_t micro_batch = 0; micro_batch < options_.micro_batches; ++micro_batch) {
      losses.fill(detail::unwritten_loss);
      StepProbe const probe(parameters_, masks_, backend_, noise_, points, passes, micro_batch);
      objective(probe, std::span<double>(losses));
      for (std::size_t k = 0; k < 2; ++k) detail::add_micro_batch(means[k], losses[k], options_);
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
  Options const& options_;
  detail::ProbeSizes probe_sizes_;
  NoiseField<S> noise_{};
  float epsilon_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA

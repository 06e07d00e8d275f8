// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>

#include <zeroth/zeroth.hpp>

#include "any_optimizer.hpp"

namespace zeroth::cli {

[[nodiscard]] inline Schedule schedule_of(FinetuneOptions const& options) {
  return {.shape = options.schedule, .total_steps = *options.steps, .warmup_steps = options.warmup_steps};
}

[[nodiscard]] inline AnyEstimator estimator_of(FinetuneOptions const& options) {
  switch (options.estimator) {
    case EstimatorName::central:
      return AnyEstimator(CentralDifference{});
    case EstimatorName::one_sided:
      return AnyEstimator(OneSided{});
    case EstimatorName::fzoo:
      return AnyEstimator(Fzoo{});
  }
  return {};
}

/// Calls `body` with the update.
template <class Body>
auto with_update_of(FinetuneOptions const& options, Body const& body) {
  Adam const adam{options.beta_1, options.beta_2, options.adam_epsilon, options.weight_decay};
  switch (options.update) {
    case UpdateName::sgd:
    case UpdateName::conservative_sgd:
      return body(Sgd{options.weight_decay});
    case UpdateName::sign_sgd:
      return body(SignSgd{options.weight_decay});
    case UpdateName::momentum:
      return body(Momentum{options.beta_1, options.weight_decay});
    case UpdateName::window_momentum:
      return body(WindowMomentum{options.beta_1, options.window, options.weight_decay});
    case UpdateName::adam:
      return body(adam);
    case UpdateName::adamm:
      break;
  }
  return body(AdaMm{adam});
}

/// Calls `body` with the mask policy of the method.
template <class Body>
auto with_mask_of(FinetuneOptions const& options, Body const& body) {
  switch (options.method) {
    case Method::s_mezo:
      return body(SmallestMagnitude{.sparsity = options.sparsity});
    case Method::mezo:
      return body(Dense{});
    case Method::r_mezo:
      break;
  }
  return body(RandomMask{.sparsity = options.sparsity, .seed = options.seed});
}

/// Calls `body` with the sampler.
template <class Body>
auto with_sampler_of(FinetuneOptions const& options, Body const& body) {
  switch (*options.sampler) {
    case SamplerName::gaussian:
      return body(Gaussian{});
    case SamplerName::rademacher:
      return body(Rademacher{});
    case SamplerName::uniform:
      break;
  }
  return body(Uniform{});
}

/// An optimizer on any backend.
template <class S, class M, class B, class U>
class BuiltOptimizer final : public AnyOptimizer {
 public:
  BuiltOptimizer(FinetuneOptions const& options, ParameterSet const& parameters, S sampler, M mask, B backend, U update)
      : optimizer_(parameters, std::move(sampler), std::move(mask), std::move(backend), std::move(update),
                   estimator_of(options),
                   Options{.epsilon = *options.epsilon,
                           .learning_rate = *options.learning_rate,
                           .schedule = schedule_of(options),
                           .samples = *options.samples,
                           .samples_per_probe = options.samples_per_probe,
                           .micro_batches = options.micro_batches,
                           .seed = options.seed,
                           .clip = options.clip,
                           .acceptance = options.update == UpdateName::conservative_sgd ? Acceptance::lowest_of_three
                                                                                        : Acceptance::always,
                           .rounding = options.rounding}) {}

  StepReport step(Objective const& objective) override { return optimizer_.step(objective); }
  [[nodiscard]] std::uint64_t steps() const override { return optimizer_.steps(); }
  [[nodiscard]] std::span<Point const> points() const override { return optimizer_.points(); }
  [[nodiscard]] std::uint64_t bytes() const override { return optimizer_.bytes(); }
  [[nodiscard]] JournalHeader journal_header(std::vector<JournalField> notes) const override {
    return make_journal_header(optimizer_, std::move(notes));
  }
  void replay(StepRecord const& record) override { optimizer_.replay(record); }

 private:
  ZerothOrderOptimizer<S, M, B, U, AnyEstimator> optimizer_;
};

/// An optimizer with the sampler and the mask of the options, on that backend and with that update.
/// @throws InvalidArgument what its constructor throws, and if the update does not go with the mask
template <class B, class U>
[[nodiscard]] std::unique_ptr<AnyOptimizer> build_optimizer(FinetuneOptions const& options,
                                                            ParameterSet const& parameters, B const& backend,
                                                            U const& update) {
  return with_sampler_of(options, [&]<class S>(S sampler) {
    return with_mask_of(options, [&]<class Mask>(Mask mask) -> std::unique_ptr<AnyOptimizer> {
      if constexpr (UpdateWithWindow<U> && depends_on_weights<MaskRuleOf<MaskState<Mask>>>)
        throw update_refusal(options);
      else
        return std::make_unique<BuiltOptimizer<S, Mask, B, U>>(options, parameters, sampler, mask, backend, update);
    });
  });
}

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#include "any_optimizer.hpp"

#include <utility>

#include <zeroth/zeroth.hpp>

namespace zeroth::cli {
namespace {

Schedule schedule_of(FinetuneOptions const& options) {
  return {.shape = options.schedule, .total_steps = *options.steps, .warmup_steps = options.warmup_steps};
}

AnyEstimator estimator_of(FinetuneOptions const& options) {
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

AnyUpdate update_of(FinetuneOptions const& options) {
  switch (options.update) {
    case UpdateName::sgd:
      return AnyUpdate(Sgd{options.weight_decay});
    case UpdateName::sign_sgd:
      return AnyUpdate(SignSgd{options.weight_decay});
    case UpdateName::conservative_sgd:
      return AnyUpdate(ConservativeSgd{{options.weight_decay}});
  }
  return {};
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

template <class S, class M>
class BuiltOptimizer final : public AnyOptimizer {
 public:
  BuiltOptimizer(FinetuneOptions const& options, ParameterSet const& parameters, S sampler, M mask,
                 AnyExecutor executor)
      : optimizer_(parameters, std::move(sampler), std::move(mask), CpuBackend{executor}, update_of(options),
                   estimator_of(options),
                   Options{.epsilon = options.epsilon,
                           .learning_rate = *options.learning_rate,
                           .schedule = schedule_of(options),
                           .samples = *options.samples,
                           .samples_per_probe = options.samples_per_probe,
                           .micro_batches = options.micro_batches,
                           .seed = options.seed,
                           .clip = options.clip}) {}

  StepReport step(Objective const& objective) override { return optimizer_.step(objective); }
  [[nodiscard]] std::span<Lane const> lanes() const override { return optimizer_.lanes(); }

 private:
  ZerothOrderOptimizer<S, M, CpuBackend, AnyUpdate, AnyEstimator> optimizer_;
};

}  // namespace

std::unique_ptr<AnyOptimizer> make_optimizer(FinetuneOptions const& options, ParameterSet const& parameters,
                                             AnyExecutor executor) {
  return with_sampler_of(options, [&](auto sampler) {
    return with_mask_of(options, [&](auto mask) -> std::unique_ptr<AnyOptimizer> {
      return std::make_unique<BuiltOptimizer<decltype(sampler), decltype(mask)>>(options, parameters, sampler, mask,
                                                                                 executor);
    });
  });
}

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#include "any_optimizer.hpp"

#include <zeroth/zeroth.hpp>

#include "built_optimizer.hpp"
#include "gpu.hpp"
#include "method_arguments.hpp"

namespace zeroth::cli {
namespace {

/// Calls `body` with the update, for masks of the policy `Mask`: one type for all that keep nothing.
template <class Mask, class Body>
auto with_update_of(FinetuneOptions const& options, Body const& body) {
  Adam const adam{options.beta_1, options.beta_2, options.adam_epsilon, options.weight_decay};
  switch (options.update) {
    case UpdateName::sgd:
    case UpdateName::sign_sgd:
    case UpdateName::conservative_sgd:
      return body(plain_update_of(options));
    case UpdateName::momentum:
      return body(Momentum{options.beta_1, options.weight_decay});
    case UpdateName::window_momentum:
      if constexpr (depends_on_weights<MaskRuleOf<MaskState<Mask>>>)
        throw update_refusal(options);
      else
        return body(WindowMomentum{options.beta_1, options.window, options.weight_decay});
    case UpdateName::adam:
      return body(adam);
    case UpdateName::adamm:
      break;
  }
  return body(AdaMm{adam});
}

}  // namespace

std::unique_ptr<AnyOptimizer> make_optimizer(FinetuneOptions const& options, ParameterSet const& parameters,
                                             AnyExecutor executor, Gpu const* gpu) {
  if (gpu != nullptr) return gpu->optimizer(options, parameters);
  return build_optimizer(options, parameters, CpuBackend{executor}, [&]<class Mask>(Mask const&, auto const& body) {
    return with_update_of<Mask>(options, body);
  });
}

}  // namespace zeroth::cli

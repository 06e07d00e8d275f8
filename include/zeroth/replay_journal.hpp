// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/cpu.hpp>
#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/estimator/any_estimator.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/journal/any_mask.hpp>
#include <zeroth/journal/header.hpp>
#include <zeroth/journal/policy_text.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/uniform.hpp>
#include <zeroth/storage/rounding.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/sign_sgd.hpp>
#include <zeroth/update/window_momentum.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// Calls body with the first of the policies that has that description; returns whether there is one.
template <class Body, class... Policies>
bool with_described(std::string_view description, Body const& body, Policies const&... policies) {
  auto const is_it = [&](auto const& policy) {
    if (describe(policy) != description) return false;
    body(policy);
    return true;
  };
  return (is_it(policies) || ...);
}

/// The mask policy of the library that has that description; if there is none, one with another description.
template <Backend B>
[[nodiscard]] AnyMask<B> mask_of(std::string_view description, B const& backend, unsigned nested = 0) {
  constexpr unsigned most_nested = 16;  // a journal must not decide how deep this recursion goes
  PolicyText const text(description);
  auto const inner = [&](std::size_t argument) { return mask_of(text.arguments[argument], backend, nested + 1); };
  if (nested < most_nested && text.arguments.size() == 2 && text.name == "both")
    return {both(inner(0), inner(1)), backend};
  if (nested < most_nested && text.arguments.size() == 2 && text.name == "either")
    return {either(inner(0), inner(1)), backend};
  if (nested < most_nested && text.arguments.size() == 4 && text.name == "filtered") {
    TensorFilter filter{.include = text.list("include"), .exclude = text.list("exclude")};
    for (std::string const& role : text.list("exclude_roles"))
      filter.exclude_roles.push_back(PolicyText::choice_of<Role>(role, roles));
    return {Filtered{inner(0), filter}, backend};
  }
  auto const sparsity = text.number<double>("sparsity");
  auto const scope = text.choice<Scope>("scope", 3);
  auto const vectors = text.choice<Coverage>("vectors", coverages);
  auto const refresh_every = text.number<std::uint32_t>("refresh_every");
  RandomMask const random{sparsity, text.number<std::uint64_t>("seed"), vectors,
                          text.number<std::uint32_t>("redraw_every")};
  AnyMask<B> mask;
  with_described(
      description,
      [&](auto const& policy) {
        mask = {policy, backend};
      },
      Dense{}, SmallestMagnitude{sparsity, scope, vectors, refresh_every},
      LargestMagnitude{sparsity, scope, vectors, refresh_every}, random);
  return mask;
}

/// Calls body with the update of the library that has that description; returns whether there is one.
template <class Body>
bool with_update(std::string_view description, Body const& body) {
  PolicyText const text(description);
  auto const decay = text.number<double>("weight_decay");
  auto const beta = text.number<double>("beta");
  Adam const adam{text.number<double>("beta_1"), text.number<double>("beta_2"), text.number<double>("epsilon"), decay};
  return with_described(description, body, Sgd{decay}, SignSgd{decay}, Momentum{beta, decay},
                        WindowMomentum{beta, text.number<std::uint32_t>("window"), decay}, adam, AdaMm{adam});
}

/// The tensors that a run tuned, in its order: their memory is that of the parameters with their names.
/// @param source where the journal comes from, for messages
/// @throws InvalidFile naming the first tensor that is missing or has another shape, type or offset
[[nodiscard]] inline ParameterSet tensors_of(JournalHeader const& header, ParameterSet const& parameters,
                                             std::string const& source) {
  ParameterSet tensors;
  for (JournalTensor const& tensor : header.tensors) {
    auto const refuse = [&](std::string const& expected, std::string const& found) {
      throw InvalidFile(source + ": tensor '" + tensor.name + "': expected " + expected + ", as the run had, found " +
                        found);
    };
    Parameter const* const found = parameters.find(tensor.name);
    if (found == nullptr)
      refuse(to_string(tensor.shape), "none of that name among " + std::to_string(parameters.size()) + " tensors");
    Parameter parameter = *found;
    if (parameter.shape != tensor.shape) refuse("shape " + to_string(tensor.shape), to_string(parameter.shape));
    if (parameter.dtype != tensor.dtype)
      refuse("type " + std::string(to_string(tensor.dtype)), std::string(to_string(parameter.dtype)));
    if (parameter.offset != tensor.offset)
      refuse("offset " + std::to_string(tensor.offset), std::to_string(parameter.offset));
    parameter.role = tensor.role;
    parameter.stream = tensor.stream;
    tensors.add(std::move(parameter));
  }
  return tensors;
}

/// See zeroth::replay_journal.
/// @throws InvalidArgument for values that no run has, such as an epsilon of 0
template <Backend B>
void replay_journal(Journal const& journal, ParameterSet const& parameters, ReplayOptions const& options,
                    B const& backend) {
  auto const field = [&](char const* name) { return value_of(journal.header().fields, name); };
  auto const require = [&](bool is_known, char const* what, char const* known) {
    if (!is_known)
      throw InvalidFile(options.source + ": " + what + ": expected one of the library's, " + known + ", found " +
                        field(what) + ": only a program that has it can replay this journal");
  };
  constexpr std::string_view conservative = "conservative-";
  std::string update = field("update");
  Options run{.epsilon = PolicyText::number_of<double>(field("epsilon")),
              .samples = journal.header().samples,
              .seed = PolicyText::number_of<std::uint64_t>(field("seed")),
              .rounding = PolicyText::choice_of<Rounding>(field("rounding"), roundings)};
  if (update.starts_with(conservative)) {
    run.acceptance = Acceptance::lowest_of_three;
    update.erase(0, conservative.size());
  }
  AnyMask<B> const mask = mask_of(field("mask"), backend);
  require(mask.description() == field("mask"), "mask",
          "smallest-magnitude, largest-magnitude, random, dense, filtered, both and either");
  AnyEstimator estimator;
  auto const take = [&](auto const& choice) { estimator = AnyEstimator(choice); };
  require(with_described(field("estimator"), take, CentralDifference{}, OneSided{}, Fzoo{}), "estimator",
          "central-difference, one-sided and fzoo");
  ParameterSet const tensors = tensors_of(journal.header(), parameters, options.source);
  auto const replay_with = [&](auto const& sampler) {
    bool const has_update = with_update(update, [&](auto const& its_update) {
      ZerothOrderOptimizer optimizer(tensors, sampler, mask, backend, its_update, estimator, run);
      replay(journal, optimizer, options);
    });
    require(has_update, "update", "sgd, conservative-sgd, sign-sgd, momentum, window-momentum, adam and adamm");
  };
  require(with_described(field("sampler"), replay_with, Gaussian{}, Rademacher{}, Uniform{}), "sampler",
          "gaussian, rademacher and uniform");
}

}  // namespace detail

/// Replays a journal over its base weights, wherever they lie: the weights become those of the run, to the bit.
///
///     zeroth::replay_journal(zeroth::read_journal("run.journal"), parameters);
///
/// The optimizer is built from what the journal says: samplers, masks, updates and estimators of the library with all
/// their settings. Tensors are found by name, in any order; their roles and noise streams are those of the journal, and
/// parameters that it does not name keep their bits. A program that has a policy of its own replays its journals with
/// `replay`.
///
/// Takes as long as the updates of the run, plus a pass over the weights per step if the mask depends on them; 1 bit
/// per weight besides what the update keeps.
/// @param parameters over the base weights
/// @param options `notes` are those that the journal must have; by default none
/// @throws InvalidFile naming the journal and the first thing that does not fit: a policy that is not the library's, a
///   tensor that is missing or has another shape, type or offset, or other base weights
template <Backend B = CpuBackend>
void replay_journal(Journal const& journal, ParameterSet const& parameters, ReplayOptions const& options = {},
                    B const& backend = B()) {
  try {
    detail::replay_journal(journal, parameters, options, backend);
  } catch (InvalidArgument const& error) {
    throw InvalidFile(options.source + ": " + error.what());
  }
}

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/error.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/step/mirrors.hpp>
#include <zeroth/step/remainder_memory.hpp>
#include <zeroth/step_record.hpp>
#include <zeroth/storage/memory.hpp>
#include <zeroth/update/update.hpp>

namespace zeroth::ZEROTH_ISA {

/// A past update, as the scalars that reproduce it.
struct PastUpdate {
  std::uint32_t step = 0;
  std::vector<float> coefficients{};  ///< factor of each sample's noise
};

/// A decided update as the lists that its passes need. Built before anything is written, because building it can fail.
struct Change {
  float decay = 0;
  float step_size = 0;
  std::vector<NoiseTerm> terms{};  ///< the step's own noise first, then that of older updates
};

/// Turns the scalars of a step into new weights, and owns what that needs across steps: the remainders of 16-bit
/// weights, the values that an elementwise update keeps per weight, the last updates of an update with window, and the
/// count of updates.
template <class U, Sampler S, class State, Backend B>
class Updater {
 public:
  Updater(ParameterSet const& parameters, State const& masks, B const& backend, U const& update, Options const& options)
      : parameters_(parameters),
        masks_(masks),
        backend_(backend),
        update_(update),
        remainders_(parameters, options.rounding),
        state_(parameters.size()) {}

  /// The lists of an update. @param record of a decided step
  [[nodiscard]] Change change_of(StepRecord const& record) const {
    DefaultFloatEnvironment const environment;
    Change change{record.decay, record.step_size};
    auto add = [&](std::uint64_t step, std::span<float const> coefficients, [[maybe_unused]] std::uint32_t age) {
      for (std::uint32_t s = 0; s < coefficients.size(); ++s) {
        NoiseTerm term{static_cast<std::uint32_t>(step), s, coefficients[s]};
        if constexpr (UpdateWithWindow<U>)
          term.coefficient = update_.term_coefficient(term.coefficient, change.step_size, age);
        change.terms.push_back(term);
      }
    };
    add(record.step, record.coefficients, 0);
    std::uint32_t age = 0;
    for (PastUpdate const& past : past_) add(past.step, past.coefficients, ++age);
    return change;
  }

  /// Whether everything that the update would add fits an f32. @param record of a decided or skipped step
  [[nodiscard]] bool fits([[maybe_unused]] StepRecord const& record) const {
    if constexpr (UpdateWithWindow<U>)
      if (!record.skipped())
        for (NoiseTerm const& term : change_of(record).terms)
          if (!is_finite(term.coefficient)) return false;
    return true;
  }

  /// Allocates everything that a step's update needs, which can fail, and returns its lists.
  /// @param record of a decided step; a skipped one needs nothing
  /// @param form has `unperturbed(index of a tensor)`, which returns the tensor with unperturbed weights
  template <class Form>
  [[nodiscard]] Change prepare(StepRecord const& record, Form const& form) {
    if (record.skipped()) return {};
    DefaultFloatEnvironment const environment;
    auto const step = static_cast<std::uint32_t>(record.step);
    reserve(form, step);
    if constexpr (UpdateWithWindow<U>) {
      past_.reserve(past_.size() + 1);
      made_ = {step, record.coefficients};
    }
    return change_of(record);
  }

  /// Allocates what the update keeps per weight, at the unperturbed weights.
  template <class Form>
  void reserve(Form const& form, std::uint32_t step) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (masks_.tensor(i, step).coverage == Coverage::none) continue;
      (void)as_update({}, i, form.unperturbed(i), step);
      if constexpr (ElementwiseUpdate<U>) (void)state(i);
    }
  }

  /// The first pass of the change over a tensor, as an update: with rounding and the tensor's remainders.
  [[nodiscard]] ElementwisePass pass_of(Change const& change, std::size_t index, Parameter const& unperturbed,
                                        std::uint32_t step) {
    std::span<NoiseTerm const> const terms = std::span(change.terms).first(std::min(change.terms.size(), max_terms));
    return as_update({.decay = change.decay, .terms = terms}, index, unperturbed, step);
  }

  /// Runs that pass, with terms to restore if the pass has any; returns how many weights were active.
  template <class Rule>
  std::uint64_t update(std::size_t index, void const* source, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
                       ElementwisePass const& pass, [[maybe_unused]] Change const& change) {
    if constexpr (ElementwiseUpdate<U>)
      return backend_.apply_rule(parameters_[index], source, mask, noise, pass,
                                 update_.rule(change.step_size, updates_ + 1), state(index));
    else
      return backend_.apply(parameters_[index], source, mask, noise, pass);
  }

  /// After the first pass over every tensor: adds the rest of a window with more terms than a pass takes. Its weights
  /// are f32, so the bits do not depend on where the sum is split. The first pass already counted the active weights.
  void add_rest([[maybe_unused]] NoiseField<S> const& noise, [[maybe_unused]] Change const& change) {
    if constexpr (UpdateWithWindow<U>) {
      if (change.terms.size() <= max_terms) return;
      DefaultFloatEnvironment const environment;
      (void)count_active(backend_, [&] {
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
          auto const mask = masks_.tensor(i, noise.step);
          if (mask.coverage == Coverage::none) continue;
          for (std::size_t at = max_terms; at < change.terms.size(); at += max_terms) {
            std::size_t const count = std::min(max_terms, change.terms.size() - at);
            backend_.apply(parameters_[i], nullptr, mask, noise,
                           ElementwisePass{.terms = std::span(change.terms).subspan(at, count)});
          }
        }
        return std::uint64_t{0};
      });
      for (std::size_t i = 0; i < parameters_.size(); ++i)
        if (masks_.tensor(i, noise.step).coverage != Coverage::none) detail::write_mirrors(parameters_[i], backend_);
    }
  }

  /// Records that the prepared update was made, unless the step was skipped.
  void finish(StepRecord const& record) noexcept {
    if (record.skipped()) return;
    ++updates_;
    if constexpr (UpdateWithWindow<U>) {
      past_.insert(past_.begin(), std::move(made_));
      if (past_.size() > updates_before(update_)) past_.pop_back();
    }
  }

  /// The remainders of a tensor; none before its first update.
  [[nodiscard]] BackendBuffer const& remainders(std::size_t index) const noexcept { return remainders_.of(index); }

  /// Bytes held in addition to the weights.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = remainders_.bytes();
    for (BackendBuffer const& values : state_) total += values.bytes();
    return total;
  }

 private:
  [[nodiscard]] ElementwisePass as_update(ElementwisePass const& pass, std::size_t index, Parameter const& unperturbed,
                                          std::uint32_t step) {
    return remainders_.update(pass, index, unperturbed, masks_.tensor(index, step), is_fixed_mask(masks_), backend_);
  }

  /// The values that an elementwise update keeps for the weights of a tensor: planes of f32, initially zero.
  /// @throws InvalidArgument naming the tensor, if they take more bytes than the address space has
  [[nodiscard]] float* state(std::size_t index) {
    constexpr std::size_t bytes_per_weight = U::state_floats * sizeof(float);
    if constexpr (bytes_per_weight != 0) {
      Parameter const& tensor = parameters_[index];
      if (tensor.size() > std::numeric_limits<std::size_t>::max() / bytes_per_weight)
        throw InvalidArgument("parameter '" + tensor.name + "': its update keeps " + std::to_string(bytes_per_weight) +
                              " bytes per weight, which for " + std::to_string(tensor.size()) +
                              " weights exceeds the address space");
      if (state_[index].empty()) state_[index] = {backend_, bytes_per_weight * static_cast<std::size_t>(tensor.size())};
    }
    return state_[index].template as<float>();
  }

  ParameterSet const& parameters_;
  State const& masks_;
  B const& backend_;
  U const& update_;
  RemainderMemory remainders_;
  std::vector<BackendBuffer> state_;  // per tensor
  std::vector<PastUpdate> past_;      // newest first
  PastUpdate made_;                   // prepared
  std::uint64_t updates_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/step/rounding_memory.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA {

/// Moves the weights, where they lie, between the points of a step, and puts them back.
///
/// The mask of a step is that of the weights before anything was perturbed. A mask worked out on perturbed weights is
/// another mask, so one that depends on the weights is stored for the step: 1 bit a weight. With Restore::exact the
/// unperturbed weights themselves are kept instead, in as many bytes as they take.
///
/// Weights of 16 bits are rounded to nearest at each point; only the update rounds as the options say.
template <Sampler S, class State, Backend B>
class InPlaceWeights {
 public:
  InPlaceWeights(ParameterSet const& parameters, State const& masks, B const& backend, Restore restore,
                 RoundingMemory& rounding)
      : parameters_(parameters), masks_(masks), backend_(backend), restore_(restore), rounding_(rounding) {}

  /// Starts a step at unperturbed weights.
  void begin(NoiseField<S> const& noise, float epsilon) {
    noise_ = noise;
    epsilon_ = epsilon;
    at_ = Lane{};
    if (restore_ == Restore::exact)
      save_weights();
    else if constexpr (stores_mask)
      save_masks();
  }

  /// Moves the weights from the point where they are to theta + sign epsilon m z(sample). Allocates nothing itself.
  ///
  /// An exception leaves the weights between the two points. With Restore::exact `put_back` undoes that too.
  void move_to(Lane lane) {
    std::array<NoiseTerm, 2> list;
    std::size_t count = 0;
    bool const relative = restore_ == Restore::arithmetic;
    if (relative && at_.sign != 0 && lane.sign != 0 && at_.sample == lane.sample) {
      list[count++] = {lane.sample, static_cast<float>(lane.sign - at_.sign) * epsilon_};
    } else {
      if (relative && at_.sign != 0) list[count++] = undo();
      if (lane.sign != 0) list[count++] = {lane.sample, static_cast<float>(lane.sign) * epsilon_};
    }
    at_ = lane;
    std::span<NoiseTerm const> const terms(list.data(), count);
    run([&](std::size_t index, void const* source, auto const& mask) {
      return backend_.apply(parameters_[index], source, mask, noise_, ElementwisePass{.terms = terms});
    });
  }

  /// Writes what the update leaves of the unperturbed weights, which `lane` names; with Restore::exact alone.
  void move_to(Lane lane, ElementwisePass const& update) {
    at_ = lane;
    run([&](std::size_t index, void const* source, auto const& mask) {
      // What is kept beside the weights stays as it is until the step is taken.
      ElementwisePass trial = rounded(update, index);
      std::span<std::byte const> const beside = rounding_.memory(index);
      if (trial.beside.data != nullptr) {
        if (trial_.bytes < beside.size()) trial_ = keep(beside.size());
        transfer_for(backend_, trial_.memory.get(), beside.data(), beside.size());
        trial.beside.data = trial_.memory.get();
      }
      return backend_.apply(parameters_[index], source, mask, noise_, trial);
    });
  }

  /// Makes what the update's rounding keeps beside the weights, so that `finish` allocates nothing.
  void prepare_finish() {
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (coverage(i) != Coverage::none) (void)rounded({}, i);
  }

  /// Puts the weights back and updates them, in one pass; returns the number of active weights.
  /// @param update called as update(tensor's index, source, mask, pass), to do what Backend::apply does with that pass
  template <class Update>
  std::uint64_t finish(ElementwisePass pass, Update const& update) {
    NoiseTerm const back = undo();
    if (restore_ == Restore::arithmetic && at_.sign != 0) pass.restore = {&back, 1};
    at_ = Lane{};
    return run([&](std::size_t index, void const* source, auto const& mask) {
      return update(index, source, mask, rounded(pass, index));
    });
  }

  /// Puts the weights back.
  void put_back() {
    if (at_.sign != 0) move_to(Lane{});
  }

  /// Bytes held beside the weights.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (Kept const& kept : masks_kept_) total += kept.bytes;
    for (Kept const& kept : saved_) total += kept.bytes;
    return total;
  }

 private:
  static constexpr bool stores_mask = depends_on_weights<MaskRuleOf<State>>;

  /// Memory that the backend's passes reach.
  struct Kept {
    std::shared_ptr<std::byte> memory;
    std::size_t bytes = 0;
  };
  [[nodiscard]] Kept keep(std::size_t bytes) const { return {allocate_for(backend_, bytes), bytes}; }

  [[nodiscard]] NoiseTerm undo() const noexcept { return {at_.sample, -static_cast<float>(at_.sign) * epsilon_}; }

  /// The pass as an update of that tensor.
  [[nodiscard]] ElementwisePass rounded(ElementwisePass const& pass, std::size_t index) {
    Parameter unperturbed = parameters_[index];
    if (restore_ == Restore::exact) unperturbed.data = saved_[index].memory.get();
    return rounding_.update(pass, index, unperturbed, masks_.tensor(index, noise_.step), is_fixed_mask(masks_),
                            backend_);
  }

  void save_weights() {
    if (saved_.empty()) {
      std::vector<Kept> saved;
      for (Parameter const& p : parameters_) saved.push_back(keep(static_cast<std::size_t>(p.bytes())));
      saved_ = std::move(saved);  // of all tensors or, if one has no room, of none
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      backend_.copy(parameters_[i], {saved_[i].memory.get(), saved_[i].bytes});
  }

  void save_masks() {
    DefaultFloatEnvironment const environment;
    masks_kept_.resize(parameters_.size());
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (coverage(i) != Coverage::some) continue;
      if (masks_kept_[i].memory == nullptr) masks_kept_[i] = keep(Bitmap::words_of(parameters_[i]) * 8);
      backend_.mask_bits(parameters_[i], masks_.tensor(i, noise_.step), words(i));
    }
  }

  /// The mask that is stored for the step.
  [[nodiscard]] std::span<std::uint64_t> words(std::size_t i) const {
    return {reinterpret_cast<std::uint64_t*>(masks_kept_[i].memory.get()), masks_kept_[i].bytes / 8};
  }

  [[nodiscard]] Coverage coverage(std::size_t i) const { return masks_.tensor(i, noise_.step).coverage; }

  /// Sums apply(index, source of the weights, mask) over the tensors that are touched.
  template <class Apply>
  std::uint64_t run(Apply const& apply) const {
    DefaultFloatEnvironment const environment;
    return count_active(backend_, [&] {
      std::uint64_t active = 0;
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        if (coverage(i) == Coverage::none) continue;
        if (restore_ == Restore::exact)
          active += apply(i, saved_[i].memory.get(), masks_.tensor(i, noise_.step));
        else if constexpr (stores_mask)
          active += apply(i, nullptr,
                          TensorMask<BitmapRule>{coverage(i), {words(i).data(), parameters_[i].offset / tile_size}});
        else
          active += apply(i, nullptr, masks_.tensor(i, noise_.step));
      }
      return active;
    });
  }

  ParameterSet const& parameters_;
  State const& masks_;
  B const& backend_;
  Restore restore_;
  RoundingMemory& rounding_;
  NoiseField<S> noise_{};
  float epsilon_ = 0;
  Lane at_{};
  std::vector<Kept> masks_kept_;
  std::vector<Kept> saved_;
  Kept trial_;  // what is beside one tensor, for a point that may not become the step
};

}  // namespace zeroth::ZEROTH_ISA

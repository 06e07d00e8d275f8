// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/describe.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA {

/// A mask policy that is chosen at run time, so that a program compiles one optimizer for all of them. At the start of
/// each step it writes its mask as bits, from which the passes of the step take it: one more pass over the weights, and
/// 1 bit per weight.
template <Backend B>
class AnyMask {
 public:
  using Rule = BitmapRule;

  /// The masks of one optimizer's tensors.
  class State {
   public:
    [[nodiscard]] TensorMask<Rule> tensor(std::size_t index, std::uint32_t /*step*/) const { return masks_[index]; }

    void begin_step(ParameterSet const& parameters, WeightReader const& weights, std::uint32_t step) {
      if (!masks_.empty() && is_fixed()) return;
      state_->begin_step(parameters, weights, step);
      masks_.resize(parameters.size());
      bits_.resize(parameters.size());
      for (std::size_t i = 0; i < parameters.size(); ++i) masks_[i] = written(parameters[i], i, step);
    }

    /// False also for a mask that stays the same function of weights that change: here it is bits.
    [[nodiscard]] bool is_fixed() const { return state_->is_fixed(); }

   private:
    friend AnyMask;
    struct Concept {
      virtual ~Concept() = default;
      virtual void begin_step(ParameterSet const& parameters, WeightReader const& weights, std::uint32_t step) = 0;
      [[nodiscard]] virtual bool is_fixed() const = 0;
      [[nodiscard]] virtual Coverage coverage(std::size_t index, std::uint32_t step) const = 0;
      virtual void write_bits(Parameter const& tensor, std::size_t index, std::uint32_t step,
                              std::span<std::uint64_t> words) const = 0;
    };
    template <class Inner>
    struct Model final : Concept {
      Model(Inner inner, B const& its_backend) : state(std::move(inner)), backend(its_backend) {}

      void begin_step(ParameterSet const& parameters, WeightReader const& weights, std::uint32_t step) override {
        begin_mask_step(state, parameters, weights, step);
      }
      [[nodiscard]] bool is_fixed() const override {
        return !depends_on_weights<MaskRuleOf<Inner>> && is_fixed_mask(state);
      }
      [[nodiscard]] Coverage coverage(std::size_t index, std::uint32_t step) const override {
        return state.tensor(index, step).coverage;
      }
      void write_bits(Parameter const& tensor, std::size_t index, std::uint32_t step,
                      std::span<std::uint64_t> words) const override {
        backend.mask_bits(tensor, state.tensor(index, step), words);
      }

      Inner state;
      B backend;
    };

    State(std::unique_ptr<Concept> state, B const& backend) : state_(std::move(state)), backend_(backend) {}

    [[nodiscard]] TensorMask<Rule> written(Parameter const& tensor, std::size_t index, std::uint32_t step) {
      Coverage const coverage = state_->coverage(index, step);
      if (coverage != Coverage::some) return {coverage, {}};
      BackendBuffer& bits = bits_[index];
      if (bits.empty()) bits = {backend_, Bitmap::words_of(tensor) * sizeof(std::uint64_t)};
      auto* const words = bits.template as<std::uint64_t>();
      state_->write_bits(tensor, index, step, {words, bits.bytes() / sizeof(std::uint64_t)});
      return {coverage, {words, tensor.offset / tile_size}};
    }

    std::unique_ptr<Concept> state_;
    B backend_;
    std::vector<BackendBuffer> bits_;
    std::vector<TensorMask<Rule>> masks_;  // empty before the first step
  };

  /// No policy: only to be assigned to.
  AnyMask() = default;

  template <MaskPolicy Policy>
  AnyMask(Policy policy, B const& backend)
      : description_(describe(policy)),
        prepare_([policy = std::move(policy), backend](ParameterSet const& parameters, WeightReader const& weights) {
          auto state = prepare_mask(policy, parameters, weights);
          using Inner = decltype(state);
          return State(std::make_unique<typename State::template Model<Inner>>(std::move(state), backend), backend);
        }) {}

  [[nodiscard]] State prepare(ParameterSet const& parameters, WeightReader const& weights) const {
    return prepare_(parameters, weights);
  }
  [[nodiscard]] std::string_view name() const noexcept { return description_; }
  [[nodiscard]] std::string description() const { return description_; }
  bool operator==(AnyMask const& other) const { return description_ == other.description_; }

 private:
  std::string description_;
  std::function<State(ParameterSet const&, WeightReader const&)> prepare_;
};

}  // namespace zeroth::ZEROTH_ISA

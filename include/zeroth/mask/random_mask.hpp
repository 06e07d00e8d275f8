// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth::ZEROTH_ISA {

/// Selects each weight with a fixed probability, by 16 random bits that depend only on seed, stream and index.
struct RandomRule {
  static constexpr bool depends_on_weights = false;
  static constexpr unsigned values_per_block = 8;

  RandomSource source;
  std::uint32_t limit = 0;  ///< a weight is active if its 16 bits are below it

  [[nodiscard]] ZEROTH_HOST_DEVICE bool operator()(float /*theta*/, std::uint64_t element) const noexcept {
    BlockPosition const at = block_position<values_per_block>(element);
    std::uint32_t const word = source.block(at.block)[at.value / 2];
    return (at.value % 2 == 0 ? word & 0xffffU : word >> 16) < limit;
  }
};

/// Active: a random share (1 - sparsity) of the weights, the paper's baseline R-MeZO. It costs no memory.
///
/// The share is rounded to a multiple of 2^-16 and holds in expectation. The mask stays the same for the whole run
/// (redraw_every = 0), or is redrawn every `redraw_every` steps.
struct RandomMask {
  double sparsity = 0.75;  ///< share of weights left out, in [0, 1)
  std::uint64_t seed = 0;
  Coverage vectors = Coverage::all;  ///< treatment of norm weights and biases: all, none, or some (thinned as well)
  std::uint32_t redraw_every = 0;    ///< steps between redraws; 0: never redraw

  using Rule = RandomRule;

  struct State {
    std::uint32_t redraw_every = 0;
    std::vector<TensorMask<Rule>> masks;

    [[nodiscard]] TensorMask<Rule> tensor(std::size_t index, std::uint32_t step) const noexcept {
      TensorMask<Rule> mask = masks[index];
      mask.rule.source.step = redraw_every == 0 ? 0 : step / redraw_every;
      return mask;
    }
    [[nodiscard]] bool is_fixed() const noexcept { return redraw_every == 0; }
  };

  /// @throws InvalidArgument if sparsity is outside [0, 1) or `vectors` is not one of Coverage's
  [[nodiscard]] State prepare(ParameterSet const& parameters, WeightReader const& /*weights*/) const {
    if (!(sparsity >= 0 && sparsity < 1))
      throw InvalidArgument("sparsity must be in [0, 1), got " + number_text(sparsity));
    detail::require_choice(vectors, coverages, "vectors");
    State state{redraw_every, {}};
    auto const limit = static_cast<std::uint32_t>(std::lround((1.0 - sparsity) * 65536.0));
    for (Parameter const& p : parameters)
      state.masks.push_back({p.role == Role::vector ? vectors : Coverage::some,
                             {RandomSource{seed, 0, p.stream, 0, Purpose::mask}, limit}});
    return state;
  }

  [[nodiscard]] static constexpr std::string_view name() noexcept { return "random"; }
  [[nodiscard]] std::string description() const {
    return described(name(), {{"sparsity", number_text(sparsity)},
                              {"seed", number_text(seed)},
                              {"vectors", std::string(to_string(vectors))},
                              {"redraw_every", number_text(redraw_every)}});
  }
  bool operator==(RandomMask const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

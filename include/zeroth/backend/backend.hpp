// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/storage/beside.hpp>
#include <zeroth/storage/rounding.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/state_rule.hpp>

namespace zeroth::ZEROTH_ISA {

/// A multiple of the noise of one sample.
struct NoiseTerm {
  std::uint32_t sample = 0;
  float coefficient = 0;
};

/// What one pass over a tensor does to each active weight t, in f32 and in this order:
///
///     t <- t with what is beside it   of 16-bit weights, see Rounding
///     t <- fma(c, z(s), t)            for each (s, c) of `restore`: undoes a perturbation
///     t <- fma(-decay, t, t)          if decay is not 0
///     t <- fma(c, z(s), t)            for each (s, c) of `terms`, unless takes_sign
///     t <- t +- sign_step             if takes_sign: along the sign of sum c z(s), chained by fma from 0; 0 stays
///     t is rounded                    to 16 bits, if that is how the tensor is stored; what is beside it is replaced
///
/// Inactive weights keep their bits, and so does what is held beside them.
struct ElementwisePass {
  std::span<NoiseTerm const> restore{};
  float decay = 0;
  std::span<NoiseTerm const> terms{};
  bool takes_sign = false;
  float sign_step = 0;
  Rounding rounding = Rounding::nearest;  ///< of 16-bit weights; its random bits have the noise's seed and step
  BesideWeights beside{};                 ///< what the rounding keeps beside the tensor's weights; 0 at first
};

/// Where the weights live, and how elementwise passes run there. A cheap value: it owns no weights.
///
/// 1. `expand(tensor, mask, noise, lanes, epsilon, first, count, panels)` writes elements [first, first + count) of
///    lane k, fma(sign epsilon, z(sample), theta) where the mask is active and theta elsewhere, to panels[k]. `first`
///    counts from the tensor's memory. Safe to call from many threads; allocates nothing.
/// 2. `apply(tensor, source, mask, noise, pass)` writes the pass's result over the tensor and returns how many weights
///    were active. Weights and mask are taken from `source` (a copy, see 8), or from the tensor itself if null. It
///    should allocate nothing, as 1 and 3: an exception leaves the tensor half written, and the optimizer useless.
/// 3. `preview(tensor, mask, noise, pass, first, count, panel)` writes elements [first, first + count) as `apply` would
///    leave them to the panel, in f32, and nothing else. Safe to call from many threads; allocates nothing.
/// 4. `advance(tensor, source, mask, noise, pass, rule, state)` is `apply` of an update with state (StatefulUpdate):
/// where
///    `terms` would move an active weight, the rule does, with the direction sum c z(s), chained by fma from 0.
///    `state[k * tensor.size() + i]` is the k-th value of weight i.
/// 5. `mask_bits(tensor, mask, words)` writes the mask as bits, in words that begin at a tile's first element (Bitmap).
/// 6. `kth_magnitude(tensors, k)` returns the exact k-th smallest |theta|, k from 1, over those tensors together.
/// 7. `read(tensor, first, out)` copies weights to f32 on the host.
/// 8. `copy(tensor, out)` copies the tensor's memory as it is, tensor.bytes() bytes, to the host.
/// 9. `supports(dtype)` says which element types 1 to 8 take; `name()` identifies the backend in logs.
/// 10. Where the host's memory is not the backend's, it is a BackendWithMemory. State, what is beside the weights and a
///    rule's pointers then refer to its memory; `words` and `bytes` may lie in either.
/// 11. `count_later()` and `counted()`, if present: between the two, `apply` and `advance` may return 0 before their
/// work
///    is done, and `counted` returns the sum of what they would have returned.
/// 12. Every backend gives the bits that ReferenceBackend gives, also where the calling thread or one of its own rounds
///    otherwise or takes subnormal numbers for 0 (see DefaultFloatEnvironment). A mask sees a weight as its value in
///    f32.
/// 13. `checks_arithmetic`, if present and true (static constexpr bool): when an optimizer is made, `expand` and
/// `apply`
///    are called for a few weights in the host's memory, whose bits are known, see check_arithmetic.
template <class T>
concept Backend = std::copyable<T> &&
    requires(T const& backend, Parameter const& tensor, void const* weights, TensorMask<Dense::Rule> const& mask,
             NoiseField<Gaussian> const& noise, std::span<Lane const> lanes, std::span<float* const> panels,
             ElementwisePass const& pass, std::span<std::uint64_t> words, std::span<Parameter const* const> tensors,
             std::span<float> out, std::span<std::byte> bytes, float* panel) {
  backend.expand(tensor, mask, noise, lanes, float{}, std::uint64_t{}, std::uint64_t{}, panels);
  { backend.apply(tensor, weights, mask, noise, pass) } -> std::convertible_to<std::uint64_t>;
  backend.preview(tensor, mask, noise, pass, std::uint64_t{}, std::uint64_t{}, panel);
  {
    backend.advance(tensor, weights, mask, noise, pass, MomentumRule{}, panels[0])
    } -> std::convertible_to<std::uint64_t>;
  backend.mask_bits(tensor, mask, words);
  { backend.kth_magnitude(tensors, std::uint64_t{}) } -> std::convertible_to<float>;
  backend.read(tensor, std::uint64_t{}, out);
  backend.copy(tensor, bytes);
  { backend.supports(DataType::f32) } -> std::convertible_to<bool>;
  { backend.name() } -> std::convertible_to<std::string_view>;
};

/// The sum of what `apply` and `advance` return within body(), which adds them up and returns the sum.
template <class B, class Body>
[[nodiscard]] std::uint64_t count_active(B const& backend, Body const& body) {
  if constexpr (requires { backend.count_later(); }) {
    backend.count_later();
    body();
    return backend.counted();
  } else {
    return body();
  }
}

}  // namespace zeroth::ZEROTH_ISA

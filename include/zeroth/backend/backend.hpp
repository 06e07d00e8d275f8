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

namespace zeroth {

/// A multiple of the noise of one sample.
struct NoiseTerm {
  std::uint32_t sample = 0;
  float coefficient = 0;
};

/// What one pass over a tensor does to each active weight t, in f32 and in this order:
///
///     t <- fma(c, z(s), t)            for each (s, c) of `restore`: undoes a perturbation
///     t <- fma(-decay, t, t)          if decay is not 0
///     t <- fma(c, z(s), t)            for each (s, c) of `terms`, unless takes_sign
///     t <- t +- sign_step             if takes_sign: along the sign of sum c z(s), chained by fma from 0; 0 stays
///
/// Inactive weights keep their bits.
struct ElementwisePass {
  std::span<NoiseTerm const> restore{};
  float decay = 0;
  std::span<NoiseTerm const> terms{};
  bool takes_sign = false;
  float sign_step = 0;
};

/// Where the weights live, and how elementwise passes run there. A cheap value: it owns no weights.
///
/// 1. `expand(tensor, mask, noise, lanes, epsilon, first, count, panels)` writes elements [first, first + count) of
///    lane k, fma(sign epsilon, z(sample), theta) where the mask is active and theta elsewhere, to panels[k]. `first`
///    counts from the tensor's memory. Safe to call from many threads; allocates nothing.
/// 2. `apply(tensor, source, mask, noise, pass)` writes the pass's result over the tensor and returns how many weights
///    were active. Weights and mask are taken from `source` (f32, the tensor's size), or from the tensor itself if
///    null.
/// 3. `mask_bits(tensor, mask, words)` writes the mask as bits, in words that begin at a tile's first element (Bitmap).
/// 4. `kth_magnitude(tensors, k)` returns the exact k-th smallest |theta|, k from 1, over those tensors together.
/// 5. `read(tensor, first, out)` copies weights to f32 on the host.
/// 6. `supports(dtype)` says which element types 1 to 5 take; `name()` identifies the backend in logs.
/// 7. Every backend gives the bits that ReferenceBackend gives.
template <class T>
concept Backend = std::copyable<T> &&
    requires(T const& backend, Parameter const& tensor, float* weights, TensorMask<Dense::Rule> const& mask,
             NoiseField<Gaussian> const& noise, std::span<Lane const> lanes, std::span<float* const> panels,
             ElementwisePass const& pass, std::span<std::uint64_t> words, std::span<Parameter const* const> tensors,
             std::span<float> out) {
  backend.expand(tensor, mask, noise, lanes, float{}, std::uint64_t{}, std::uint64_t{}, panels);
  { backend.apply(tensor, weights, mask, noise, pass) } -> std::convertible_to<std::uint64_t>;
  backend.mask_bits(tensor, mask, words);
  { backend.kth_magnitude(tensors, std::uint64_t{}) } -> std::convertible_to<float>;
  backend.read(tensor, std::uint64_t{}, out);
  { backend.supports(DataType::f32) } -> std::convertible_to<bool>;
  { backend.name() } -> std::convertible_to<std::string_view>;
};

}  // namespace zeroth

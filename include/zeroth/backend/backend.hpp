// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <zeroth/backend/elementwise_pass.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/storage/memory.hpp>
#include <zeroth/update/elementwise_rule.hpp>
#include <zeroth/update/momentum.hpp>

namespace zeroth::ZEROTH_ISA {

/// Where the weights live, and how elementwise passes run there. A cheap value that owns no weights.
///
/// 1. `expand(tensor, mask, noise, points, epsilon, first, count, panels)` writes elements [first, first + count) of
///    point k, fma(sign epsilon, z(sample), theta) where the mask is active and theta elsewhere, to panels[k]. `first`
///    counts from the tensor's memory. Safe to call from many threads; allocates nothing.
/// 2. `apply(tensor, source, mask, noise, pass)` writes the pass's result over the tensor and returns how many weights
///    were active. It takes weights and mask from `source` (a copy, see 8), or from the tensor itself if `source` is
///    null. Like 1 and 3 it should allocate nothing: an exception leaves the tensor half written and the optimizer
///    useless.
/// 3. `preview(tensor, mask, noise, pass, first, count, panel)` writes elements [first, first + count) to the panel as
///    `apply` would leave them, in f32, and writes nothing else. Safe to call from many threads; allocates nothing.
/// 4. `apply_rule(tensor, source, mask, noise, pass, rule, state)` is `apply` for an ElementwiseUpdate: the rule,
///    instead of the terms, moves each active weight. `state[k * tensor.size() + i]` is the k-th value of weight i;
///    null if the rule keeps none.
/// 5. `mask_bits(tensor, mask, words)` writes the mask as bits, in words that begin at a tile's first element (Bitmap).
/// 6. `kth_magnitude(tensors, k)` returns the exact k-th smallest |theta|, k from 1, over all of those tensors
///    together.
/// 7. `read(tensor, first, out)` copies weights to f32 on the host.
/// 8. `copy(tensor, out)` copies the tensor's memory unchanged, tensor.bytes() bytes, to the host.
/// 9. `supports(dtype)` says which element types 1 to 8 take; `name()` identifies the backend in logs.
/// 10. Every backend gives the bits of ReferenceBackend, even if the calling thread or one of its own threads rounds
///    differently or treats subnormal numbers as 0 (see DefaultFloatEnvironment). A mask sees a weight as its f32
///    value.
///
/// Optional members: BackendWithMemory, BackendWithDeferredCounts, BackendWithPanels, BackendWithCorrections,
/// BackendWithExecutor, BackendWithKnownArithmetic.
template <class T>
concept Backend = std::copyable<T> &&
    requires(T const& backend, Parameter const& tensor, void const* weights, TensorMask<Dense::Rule> const& mask,
             NoiseField<Gaussian> const& noise, std::span<Point const> points, std::span<float* const> panels,
             ElementwisePass const& pass, std::span<std::uint64_t> words, std::span<Parameter const* const> tensors,
             std::span<float> out, std::span<std::byte> bytes, float* panel) {
  backend.expand(tensor, mask, noise, points, float{}, std::uint64_t{}, std::uint64_t{}, panels);
  { backend.apply(tensor, weights, mask, noise, pass) } -> std::convertible_to<std::uint64_t>;
  backend.preview(tensor, mask, noise, pass, std::uint64_t{}, std::uint64_t{}, panel);
  {
    backend.apply_rule(tensor, weights, mask, noise, pass, MomentumRule{}, panel)
    } -> std::convertible_to<std::uint64_t>;
  backend.mask_bits(tensor, mask, words);
  { backend.kth_magnitude(tensors, std::uint64_t{}) } -> std::convertible_to<float>;
  backend.read(tensor, std::uint64_t{}, out);
  backend.copy(tensor, bytes);
  { backend.supports(DataType::f32) } -> std::convertible_to<bool>;
  { backend.name() } -> std::convertible_to<std::string_view>;
};

/// A backend whose passes need not wait for their counts: between `count_later()` and `counted()`, `apply` and
/// `apply_rule` may return 0 before their work is done; `counted` returns the sum of what they would have returned.
template <class T>
concept BackendWithDeferredCounts = requires(T const& backend) {
  backend.count_later();
  { backend.counted() } -> std::convertible_to<std::uint64_t>;
};

/// A backend that expands to panels in its own memory, of any type and of many pieces: for models that keep their data
/// there. `expand_to(tensor, mask, noise, points, epsilon, request, panels)` is `expand` as a PanelRequest says.
template <class T>
concept BackendWithPanels = requires(T const& backend, Parameter const& tensor, TensorMask<Dense::Rule> const& mask,
                                     NoiseField<Gaussian> const& noise, std::span<Point const> points,
                                     PanelRequest const& request, std::span<void* const> panels) {
  backend.expand_to(tensor, mask, noise, points, float{}, request, panels);
};

/// A backend on host memory whose passes keep and use Corrections: `apply` and `apply_rule` with `pass.corrections`
/// take the weights and the mask from what the corrections give back, and keep new ones as they say. Without this,
/// exact restore in place keeps a copy of the weights.
template <class T>
concept BackendWithCorrections = !BackendWithMemory<T> && requires {
  requires T::has_corrections;
};

/// A backend that lends the executor of its threads.
template <class T>
concept BackendWithExecutor = requires(T const& backend) {
  { backend.executor() } -> std::convertible_to<AnyExecutor>;
};

/// A backend on host memory that asks for a check of its arithmetic: when an optimizer is made, `expand` and `apply`
/// are called for a few weights whose results are known to the bit, see check_arithmetic.
template <class T>
concept BackendWithKnownArithmetic = !BackendWithMemory<T> && requires {
  requires bool{T::checks_arithmetic};
};

/// The sum of what `apply` and `apply_rule` return within body(), which adds it up and returns it.
template <class B, class Body>
[[nodiscard]] std::uint64_t count_active(B const& backend, Body const& body) {
  if constexpr (BackendWithDeferredCounts<B>) {
    backend.count_later();
    body();
    return backend.counted();
  } else {
    return body();
  }
}

}  // namespace zeroth::ZEROTH_ISA

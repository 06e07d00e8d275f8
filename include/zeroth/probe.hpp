// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA {

/// A point at which a probe evaluates the loss: theta + sign * epsilon * m * z(sample). Or a candidate: theta as the
/// current step (sign +1) or its reverse (-1) would leave it, see Acceptance.
struct Point {
  std::uint32_t sample = 0;   ///< which direction z
  std::int32_t sign = 0;      ///< +1, -1, or 0 for theta itself
  bool is_candidate = false;  ///< `sample` is then unused

  bool operator==(Point const&) const = default;
};

/// Which panels a caller of `expand_to` wants, and their type: those of `expand`, or those of many pieces of a tensor
/// at once, such as rows of an embedding.
struct PanelRequest {
  std::uint64_t first = 0;                ///< as for `expand`
  std::uint64_t count = 0;                ///< elements per piece
  DataType dtype = DataType::f32;         ///< type of the panels; 16-bit ones are the f32 panels rounded to nearest
  std::uint64_t const* pieces = nullptr;  ///< piece i begins at first + pieces[i] * count; null: one, at `first`
  std::uint64_t piece_count = 1;          ///< number of pieces; they are contiguous in each point's panel
};

/// What a model uses to evaluate K perturbed copies of itself at once, without writing theta.
///
/// 1. `points()` are the K points, in the order in which the objective writes its K losses.
/// 2. `expand(parameter, first, count, panels)` writes, for each point k, elements [first, first + count) of the
///    perturbed tensor to panels[k][0 .. count). `parameter` is its index in the ParameterSet, `first` counts from the
///    first element of that parameter's memory. Elements that the mask leaves out are theta's own, bit for bit.
/// 3. `expand` is const, safe to call from many threads at once, allocates nothing, and gives the same bits however the
///    tensor is cut into panels.
/// 4. `step()` and `micro_batch()` identify the evaluation, so that an objective can pick its batch.
/// 5. `has_panels()` and `expand_to(parameter, request, panels)` are optional, for models that keep their data in the
///    backend's memory: where `has_panels()` is true, `expand_to` does what `expand` does, as a PanelRequest says.
template <class T>
concept Probe = requires(T const& probe, std::size_t parameter, std::uint64_t first, std::uint64_t count,
                         std::span<float* const> panels) {
  { probe.points() } -> std::convertible_to<std::span<Point const>>;
  { probe.step() } -> std::convertible_to<std::uint64_t>;
  { probe.micro_batch() } -> std::convertible_to<std::uint32_t>;
  probe.expand(parameter, first, count, panels);
};

/// A probe with its type erased, for engines that are not templates; non-owning, one indirect call per panel.
class AnyProbe {
 public:
  template <Probe P>
  requires(!std::same_as<P, AnyProbe>)
      AnyProbe(P const& probe)  // NOLINT(google-explicit-constructor): a reference type, meant to bind at the call
      : object_(std::addressof(probe)),
        points_(probe.points()),
        step_(probe.step()),
        micro_batch_(probe.micro_batch()),
        expand_([](void const* object, std::size_t parameter, std::uint64_t first, std::uint64_t count,
                   std::span<float* const> panels) {
          static_cast<P const*>(object)->expand(parameter, first, count, panels);
        }),
        has_panels_([&] {
          if constexpr (requires { probe.has_panels(); }) return probe.has_panels();
          return false;
        }()),
        expand_to_([]([[maybe_unused]] void const* object, [[maybe_unused]] std::size_t parameter,
                      [[maybe_unused]] PanelRequest const& request, [[maybe_unused]] std::span<void* const> panels) {
          if constexpr (requires(P const& p) { p.expand_to(parameter, request, panels); })
            static_cast<P const*>(object)->expand_to(parameter, request, panels);
        }) {}

  [[nodiscard]] std::span<Point const> points() const noexcept { return points_; }
  [[nodiscard]] std::uint64_t step() const noexcept { return step_; }
  [[nodiscard]] std::uint32_t micro_batch() const noexcept { return micro_batch_; }

  /// See Probe.
  void expand(std::size_t parameter, std::uint64_t first, std::uint64_t count, std::span<float* const> panels) const {
    expand_(object_, parameter, first, count, panels);
  }
  [[nodiscard]] bool has_panels() const noexcept { return has_panels_; }
  /// @pre has_panels()
  void expand_to(std::size_t parameter, PanelRequest const& request, std::span<void* const> panels) const {
    expand_to_(object_, parameter, request, panels);
  }

 private:
  void const* object_;
  std::span<Point const> points_;
  std::uint64_t step_;
  std::uint32_t micro_batch_;
  void (*expand_)(void const*, std::size_t, std::uint64_t, std::uint64_t, std::span<float* const>);
  bool has_panels_;
  void (*expand_to_)(void const*, std::size_t, PanelRequest const&, std::span<void* const>);
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/sampler/sampler.hpp>

namespace zeroth::ZEROTH_ISA {

/// The optimizer's own probe: theta + sign epsilon m(theta) z(sample), or theta after each candidate pass, for the
/// points of one evaluation. Nothing is stored: each request for a panel recomputes noise and mask. A view, valid
/// during the evaluation.
template <Sampler S, class State, Backend B>
class MaskedProbe {
 public:
  MaskedProbe(ParameterSet const& parameters, State const& masks, B const& backend, NoiseField<S> const& noise,
              std::span<Point const> points, float epsilon, std::uint32_t micro_batch)
      : parameters_(&parameters),
        masks_(&masks),
        backend_(&backend),
        noise_(noise),
        points_(points),
        epsilon_(epsilon),
        micro_batch_(micro_batch) {}

  /// As above, for the weights that passes would leave: all tensors for the first point, then all for the next.
  MaskedProbe(ParameterSet const& parameters, State const& masks, B const& backend, NoiseField<S> const& noise,
              std::span<Point const> points, std::span<ElementwisePass const> candidates, std::uint32_t micro_batch)
      : MaskedProbe(parameters, masks, backend, noise, points, 0, micro_batch) {
    candidates_ = candidates;
  }

  [[nodiscard]] std::span<Point const> points() const noexcept { return points_; }
  [[nodiscard]] std::uint64_t step() const noexcept { return noise_.step; }
  [[nodiscard]] std::uint32_t micro_batch() const noexcept { return micro_batch_; }

  /// See Probe.
  void expand(std::size_t parameter, std::uint64_t first, std::uint64_t count, std::span<float* const> panels) const {
    DefaultFloatEnvironment const environment;
    Parameter const& tensor = (*parameters_)[parameter];
    auto const mask = masks_->tensor(parameter, noise_.step);
    if (candidates_.empty()) return backend_->expand(tensor, mask, noise_, points_, epsilon_, first, count, panels);
    for (std::size_t k = 0; k < points_.size(); ++k)
      backend_->preview(tensor, mask, noise_, candidates_[k * parameters_->size() + parameter], first, count,
                        panels[k]);
  }

  /// See Probe. False for candidates and without a BackendWithPanels.
  [[nodiscard]] bool has_panels() const noexcept { return BackendWithPanels<B> && candidates_.empty(); }
  void expand_to(std::size_t parameter, PanelRequest const& request,
                 std::span<void* const> panels) const requires BackendWithPanels<B> {
    backend_->expand_to((*parameters_)[parameter], masks_->tensor(parameter, noise_.step), noise_, points_, epsilon_,
                        request, panels);
  }

 private:
  ParameterSet const* parameters_;
  State const* masks_;
  B const* backend_;
  NoiseField<S> noise_;
  std::span<Point const> points_;
  std::span<ElementwisePass const> candidates_{};
  float epsilon_;
  std::uint32_t micro_batch_;
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/sampler/sampler.hpp>

namespace zeroth {

/// The optimizer's own probe: theta + sign epsilon m(theta) z(sample) for the lanes of one evaluation. Nothing is
/// stored: noise and mask are worked out anew wherever a panel is asked for. A view, valid during the evaluation.
template <Sampler S, class State, Backend B>
class MaskedProbe {
 public:
  MaskedProbe(ParameterSet const& parameters, State const& masks, B const& backend, NoiseField<S> const& noise,
              std::span<Lane const> lanes, float epsilon, std::uint32_t micro_batch)
      : parameters_(&parameters),
        masks_(&masks),
        backend_(&backend),
        noise_(noise),
        lanes_(lanes),
        epsilon_(epsilon),
        micro_batch_(micro_batch) {}

  [[nodiscard]] std::span<Lane const> lanes() const noexcept { return lanes_; }
  [[nodiscard]] std::uint64_t step() const noexcept { return noise_.step; }
  [[nodiscard]] std::uint32_t micro_batch() const noexcept { return micro_batch_; }

  /// See Probe.
  void expand(std::size_t parameter, std::uint64_t first, std::uint64_t count, std::span<float* const> panels) const {
    backend_->expand((*parameters_)[parameter], masks_->tensor(parameter, noise_.step), noise_, lanes_, epsilon_, first,
                     count, panels);
  }

 private:
  ParameterSet const* parameters_;
  State const* masks_;
  B const* backend_;
  NoiseField<S> noise_;
  std::span<Lane const> lanes_;
  float epsilon_;
  std::uint32_t micro_batch_;
};

}  // namespace zeroth

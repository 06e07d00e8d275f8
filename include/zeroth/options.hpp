// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/storage/rounding.hpp>
#include <zeroth/update/schedule.hpp>

namespace zeroth::ZEROTH_ISA {

/// How the in-place form restores the weights.
enum class Restore : std::uint8_t {
  /// By subtracting what was added: takes no memory, but each step leaves an active weight off by a few roundings of
  /// the *perturbed* weight: about 4e-8 epsilon, however small the weight itself is. A weight of 1e-8 moves by 0.4% of
  /// itself per step (root mean square, epsilon 1e-3; docs/design.md, Drift). Only for f32: in 16 bits the error is as
  /// large as the steps of the perturbation itself, so it is rejected.
  arithmetic,
  /// To the bit, with the bits of the fused form: what rounding took from a perturbed weight is kept, in one byte per
  /// weight (Corrections). On a backend without corrections, as CUDA is, and with Acceptance::lowest_of_three, a copy
  /// of
  /// the weights is kept instead.
  exact,
};

/// Which steps are taken.
enum class Acceptance : std::uint8_t {
  always,
  /// Of theta, the step and its reverse, the one with the lowest loss on the batch; theta itself if neither is lower
  /// (ZO-SGD-Cons; Zhang et al., "Revisiting Zeroth-Order Optimization for Memory-Efficient LLM Fine-Tuning: A
  /// Benchmark", arXiv 2402.11592). The loss of a batch never rises.
  ///
  /// Three more evaluations per step, two if the estimator evaluates theta anyway, at the bits that the update would
  /// write. Fused, they cost no memory and no write; in place they need Restore::exact. Only for an Update without
  /// window: what another update would leave cannot be evaluated before it is written.
  lowest_of_three,
};
inline constexpr std::uint8_t acceptances = 2;  ///< number of values

/// The largest perturbation scale, far beyond any useful one: for every z of the library's samplers, theta +- epsilon z
/// and 2 epsilon still fit an f32.
inline constexpr double max_epsilon = 1e30;

/// Settings of a run; checked when the optimizer is made.
struct Options {
  double epsilon = 1e-3;                ///< perturbation scale, > 0, at most max_epsilon
  double learning_rate = 1e-6;          ///< peak of the schedule, >= 0, finite as an f32
  Schedule schedule{};                  ///< scales the learning rate at each step
  std::uint32_t samples = 1;            ///< directions z per step, averaged (n-SPSA)
  std::uint32_t samples_per_probe = 1;  ///< directions per fused evaluation; memory grows with it
  std::uint32_t micro_batches = 1;      ///< evaluations per point, averaged: gradient accumulation
  std::uint64_t seed = 0;               ///< seed of the perturbations
  std::optional<double> clip{};         ///< bound on each |projected gradient|, > 0
  Acceptance acceptance = Acceptance::always;
  Restore restore = Restore::exact;          ///< in-place form only; a replay restores as the run did
  Rounding rounding = Rounding::extra_byte;  ///< of updated weights that are stored in 16 bits

  /// @throws InvalidArgument naming the field, its range and its value
  void check() const {
    auto require = [](bool holds, char const* field, char const* range, auto value) {
      if (!holds) throw InvalidArgument(std::string(field) + " must be " + range + ", got " + number_text(value));
    };
    require(is_finite(epsilon) && static_cast<float>(epsilon) > 0, "epsilon", "> 0 and finite", epsilon);
    require(epsilon <= max_epsilon, "epsilon", "at most 1e+30, so that theta +- epsilon z is finite", epsilon);
    require(is_finite(learning_rate) && learning_rate >= 0, "learning_rate", ">= 0 and finite", learning_rate);
    require(is_finite(static_cast<float>(learning_rate)), "learning_rate", "finite as an f32: at most 3.4e+38",
            learning_rate);
    require(samples >= 1 && samples <= max_samples, "samples", "in [1, 4096]", samples);
    require(samples_per_probe >= 1, "samples_per_probe", ">= 1", samples_per_probe);
    require(micro_batches >= 1, "micro_batches", ">= 1", micro_batches);
    if (clip) require(is_finite(*clip) && *clip > 0, "clip", "> 0 and finite", *clip);
    detail::require_choice(acceptance, acceptances, "acceptance");
    detail::require_choice(restore, 2, "restore");
    detail::require_choice(rounding, roundings, "rounding");
    detail::require_choice(schedule.shape, 3, "schedule.shape");
    schedule.check();
  }

  bool operator==(Options const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/number_text.hpp>
#include <zeroth/random/float_bits.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/storage/rounding.hpp>
#include <zeroth/update/schedule.hpp>

namespace zeroth {

/// How the in-place form puts the weights back.
enum class Restore : std::uint8_t {
  /// By subtracting what was added: no memory, but each step may leave an ulp's error in a perturbed weight. For f32
  /// alone: in 16 bits the error is as large as the perturbation's own steps, and is refused.
  arithmetic,
  /// From a copy: exact, and the bits are those of the fused form, for as many bytes as the tuned weights take.
  exact,
};

/// What a run of the optimizer is set to; checked when the optimizer is made.
struct Options {
  double epsilon = 1e-3;                     ///< perturbation scale, > 0
  double learning_rate = 1e-6;               ///< peak of the schedule, >= 0
  Schedule schedule{};                       ///< factor of the learning rate at each step
  std::uint32_t samples = 1;                 ///< directions z a step, averaged (n-SPSA)
  std::uint32_t samples_per_probe = 1;       ///< directions a fused objective evaluates at once; memory grows with it
  std::uint32_t micro_batches = 1;           ///< evaluations a point, averaged: gradient accumulation
  std::uint64_t seed = 0;                    ///< of the perturbations
  std::optional<double> clip{};              ///< bound on each |projected gradient|, > 0
  Restore restore = Restore::arithmetic;     ///< in-place form only
  Rounding rounding = Rounding::extra_byte;  ///< of updated weights that are stored in 16 bits

  /// @throws InvalidArgument naming the field, its range and its value
  void check() const {
    auto require = [](bool holds, char const* field, char const* range, auto value) {
      if (!holds) throw InvalidArgument(std::string(field) + " must be " + range + ", got " + number_text(value));
    };
    require(is_finite(static_cast<float>(epsilon)) && static_cast<float>(epsilon) > 0, "epsilon", "> 0 and finite",
            epsilon);
    require(is_finite(learning_rate) && learning_rate >= 0, "learning_rate", ">= 0 and finite", learning_rate);
    require(samples >= 1 && samples <= max_samples, "samples", "in [1, 4096]", samples);
    require(samples_per_probe >= 1, "samples_per_probe", ">= 1", samples_per_probe);
    require(micro_batches >= 1, "micro_batches", ">= 1", micro_batches);
    if (clip) require(is_finite(*clip) && *clip > 0, "clip", "> 0 and finite", *clip);
    schedule.check();
  }

  bool operator==(Options const&) const = default;
};

}  // namespace zeroth

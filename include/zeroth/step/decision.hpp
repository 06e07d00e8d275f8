// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/options.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/step_report.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/update.hpp>

namespace zeroth::ZEROTH_ISA {

/// From losses to what is done to the weights: the scalar half of a step, without weights and noise. Cheap to make; it
/// refers to what it is made of.
template <class U, Estimator E>
class Decision {
 public:
  Decision(Options const& options, U const& update, E const& estimator)
      : options_(options), update_(update), estimator_(estimator) {}

  /// @throws InvalidArgument naming what the estimator does not go with
  void check() const {
    std::string const name(estimator_.name());
    if (!detail::are_unit_signs(signs()))
      throw InvalidArgument("estimator '" + name + "': its signs must be +1 or -1, one at least");
    std::uint32_t const least = least_samples_of(estimator_);
    if (options_.samples < least)
      throw InvalidArgument("samples must be at least " + std::to_string(least) + " for estimator '" + name +
                            "', got " + std::to_string(options_.samples));
  }

  /// The points of a step: theta itself, if anybody wants it, then by sample and sign.
  [[nodiscard]] std::vector<Lane> lanes() const {
    std::vector<Lane> lanes(base_lanes());
    for (std::uint32_t sample = 0; sample < options_.samples; ++sample)
      for (std::int32_t sign : signs()) lanes.push_back({sample, sign});
    return lanes;
  }

  /// How many points, from the one at `first` on, the next probe takes: the samples of one probe, and the base with the
  /// first.
  [[nodiscard]] std::size_t lanes_in_probe(std::size_t first) const noexcept {
    std::size_t const samples = std::min(options_.samples_per_probe, options_.samples);
    return (first == 0 ? base_lanes() : 0) + samples * signs().size();
  }

  /// The perturbation scale as it is applied.
  [[nodiscard]] float epsilon() const noexcept {
    DefaultFloatEnvironment const environment;
    return rounded_single(options_.epsilon);
  }

  [[nodiscard]] double learning_rate(std::uint64_t step) const {
    DefaultFloatEnvironment const environment;
    return rounded_product(options_.learning_rate, options_.schedule(step));
  }

  /// Adds a point's loss on one micro-batch to its mean over all of them.
  void add_micro_batch(double& mean, double loss) const noexcept {
    DefaultFloatEnvironment const environment;
    mean = with_share(mean, loss, options_.micro_batches);
  }

  /// Fills in what follows from the losses.
  void decide(StepReport& report) const {
    DefaultFloatEnvironment const environment;
    for (double loss : report.losses)
      report.loss = with_share(report.loss, loss, static_cast<double>(report.losses.size()));
    if (!all_finite(report.losses)) report.skip_reason = SkipReason::non_finite_loss;
    if (report.skipped()) return;

    double const base = estimator_.uses_base ? report.losses[0] : 0;
    std::span<double const> const losses = std::span(report.losses).subspan(base_lanes());
    double const scale = scale_of(estimator_, losses);
    auto const distance = static_cast<double>(epsilon());
    for (std::uint32_t s = 0; s < options_.samples; ++s) {
      std::span<double const> const of_sample = losses.subspan(s * signs().size(), signs().size());
      double g = rounded_product(scale, estimator_.projected_gradient(base, of_sample, distance));
      if (options_.clip && std::abs(g) > *options_.clip) {
        g = std::copysign(*options_.clip, g);
        report.clipped = true;
      }
      report.projected_gradients.push_back(g);
      report.projected_gradient = with_share(report.projected_gradient, g, options_.samples);
    }

    report.coefficients.resize(options_.samples);
    if constexpr (StatefulUpdate<U> || WindowedUpdate<U>)  // of the estimate of the gradient, without the learning rate
      detail::mean_coefficients(report.projected_gradients, report.coefficients);
    else
      update_.coefficients(report.projected_gradients, report.learning_rate, report.coefficients);
    report.decay = rounded_single(update_.decay(report.learning_rate));
    report.step_size = rounded_single(report.learning_rate);
    for (float c : report.coefficients)
      if (!is_finite(c)) return skip(report, SkipReason::non_finite_coefficient);
    if (!is_finite(report.decay) || !is_finite(report.step_size)) skip(report, SkipReason::non_finite_coefficient);
  }

  /// Takes the lowest of theta, the step and its reverse.
  /// @param report decided, with the losses of both candidates
  static void choose(StepReport& report) {
    DefaultFloatEnvironment const environment;
    if (!all_finite(report.candidate_losses)) return skip(report, SkipReason::non_finite_loss);
    double const base = report.losses[0];
    double const step = report.candidate_losses[0];
    double const reverse = report.candidate_losses[1];
    if (step < base && step <= reverse) return;
    if (reverse >= base) return skip(report, SkipReason::no_lower_loss);
    for (float& c : report.coefficients) c = -c;
  }

  /// Makes a step that was decided on one that is skipped.
  static void skip(StepReport& report, SkipReason reason) {
    report.skip_reason = reason;
    report.coefficients.clear();
    report.decay = 0;
    report.step_size = 0;
  }

 private:
  [[nodiscard]] static bool all_finite(std::span<double const> losses) noexcept {
    for (double loss : losses)
      if (!is_finite(loss)) return false;
    return true;
  }

  [[nodiscard]] std::span<std::int32_t const> signs() const noexcept { return estimator_.signs; }
  [[nodiscard]] std::size_t base_lanes() const noexcept {
    return estimator_.uses_base || only_descends(update_) ? 1 : 0;
  }

  Options const& options_;
  U const& update_;
  E const& estimator_;
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#include <algorithm>
#include <span>
#include <vector>

#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/zeroth.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>

#include "../measure.hpp"
#include "batch.hpp"
#include "case.hpp"
#include "machine.hpp"

namespace zeroth_bench {
namespace {

using zeroth::model::AnyDecoder;
using zeroth::model::CandidateScorer;
using zeroth::model::DecoderWeights;

/// Seconds of each round.
struct Times {
  std::vector<double> forwards;  ///< two of them
  std::vector<double> probe;     ///< both points of the step, evaluated together
  std::vector<double> step;      ///< including the probe
};

template <class Sampler, class Mask>
Times alternate(Sampler const& sampler, Mask const& mask, Case const& what, DecoderWeights const& weights,
                zeroth::AnyExecutor executor, int rounds) {
  AnyDecoder decoder = make_decoder(weights, what.operations, executor, what.compute);
  CandidateScorer scorer(decoder);
  auto const batch = random_batch(what.tokens, weights.config().vocabulary);
  // A learning rate so small that no weight changes: every round then does the same work.
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), sampler, mask, zeroth::CpuBackend(executor),
                                         {.epsilon = 1e-3, .learning_rate = 1e-20, .rounding = what.rounding});
  Times times;
  for (int round = -1; round < rounds; ++round) {
    double forwards = 0;
    double probe = 0;
    double step = 0;
    auto evaluate = [&](zeroth::AnyProbe const& lanes, std::span<double> losses) {
      probe = seconds([&] { std::ranges::copy(scorer.score(batch, lanes).losses, losses.begin()); });
    };
    auto run_forwards = [&] {
      forwards = seconds([&] {
        scorer.score(batch);
        scorer.score(batch);
      });
    };
    // Each goes first in every other round.
    if (round % 2 == 0) run_forwards();
    step = seconds([&] { optimizer.step(evaluate); });
    if (round % 2 != 0) run_forwards();
    if (round < 0) continue;  // the first one allocates
    times.forwards.push_back(forwards);
    times.probe.push_back(probe);
    times.step.push_back(step);
  }
  return times;
}

}  // namespace

nlohmann::json measure_step(Case const& what, Settings const& settings) {
  zeroth::ThreadPool const executor(settings.threads);
  DecoderWeights const weights = zeroth::model::load_gguf(zeroth::model::GgufFile(settings.model), what.dtype);
  auto with_mask = [&](auto const& mask) {
    auto with = [&](auto const& sampler) {
      return alternate(sampler, mask, what, weights, zeroth::AnyExecutor(executor), settings.rounds);
    };
    return what.noise == Noise::gaussian ? with(zeroth::Gaussian{}) : with(zeroth::Rademacher{});
  };
  Times const times =
      what.method == Method::mezo ? with_mask(zeroth::Dense{}) : with_mask(zeroth::SmallestMagnitude{.sparsity = 0.75});
  std::vector<double> update;
  for (std::size_t i = 0; i < times.step.size(); ++i) update.push_back(times.step[i] - times.probe[i]);

  double weight_bytes = 0;
  double f32_bytes = 0;
  for (zeroth::Parameter const& p : weights.parameters()) {
    weight_bytes += static_cast<double>(p.size() * size_of(p.dtype));
    f32_bytes += static_cast<double>(p.size() * sizeof(float));
  }
  auto const peak = static_cast<double>(peak_memory_bytes());
  nlohmann::json result;
  put(result, "step_over_two_forwards", ratio(times.step, times.forwards));
  put(result, "probes_over_two_forwards", ratio(times.probe, times.forwards));
  put(result, "update_over_two_forwards", ratio(update, times.forwards));
  put(result, "two_forwards_seconds", spread(times.forwards));
  result["peak_over_weights"] = peak / weight_bytes;
  result["peak_over_f32_weights"] = peak / f32_bytes;
  result["peak_bytes"] = peak;
  result["weight_bytes"] = weight_bytes;
  return result;
}

}  // namespace zeroth_bench

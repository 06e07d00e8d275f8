// SPDX-License-Identifier: MIT
#include <algorithm>
#include <span>
#include <vector>

#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/zeroth.hpp>
#include <zeroth_model/adapter/block_scales.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/adapter/sparse_delta.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>

#include "../measure.hpp"
#include "batch.hpp"
#include "case.hpp"
#include "machine.hpp"

namespace zeroth_bench {
namespace {

using zeroth::model::AnyDecoder;
using zeroth::model::CandidateScorer;
using zeroth::model::CpuOps;
using zeroth::model::Decoder;
using zeroth::model::DecoderWeights;

/// Steps of parameters beside some weights, and plain forwards of these.
template <class Tuned>
class Runner {
 public:
  Runner(DecoderWeights const& weights, Tuned tuned, zeroth::AnyExecutor executor)
      : tuned_(std::move(tuned)),
        plain_(Decoder(weights, CpuOps(executor))),
        decoder_(Decoder(weights, tuned_, CpuOps(executor))),
        scorer_of_plain_(plain_),
        scorer_(decoder_),
        // A learning rate so small that nothing changes: every round then does the same work.
        optimizer_(tuned_.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{.sparsity = 0.75},
                   zeroth::CpuBackend(executor), {.epsilon = 1e-3, .learning_rate = 1e-20}) {}
  Runner(Runner const&) = delete;
  Runner& operator=(Runner const&) = delete;

  void forward(std::vector<zeroth::model::Example> const& batch) { scorer_of_plain_.score(batch); }

  void step(std::vector<zeroth::model::Example> const& batch) {
    optimizer_.step([&](zeroth::AnyProbe const& lanes, std::span<double> losses) {
      std::ranges::copy(scorer_.score(batch, lanes).losses, losses.begin());
    });
  }

  [[nodiscard]] double bytes() const { return static_cast<double>(tuned_.parameters().bytes()); }

 private:
  Tuned tuned_;
  AnyDecoder plain_;
  AnyDecoder decoder_;
  CandidateScorer<AnyDecoder> scorer_of_plain_;
  CandidateScorer<AnyDecoder> scorer_;
  zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::SmallestMagnitude, zeroth::CpuBackend> optimizer_;
};

template <class Stored, class Decoded>
nlohmann::json alternate(Stored& stored, Decoded& decoded, std::size_t tokens, std::uint32_t vocabulary, int rounds) {
  auto const batch = random_batch(tokens, vocabulary);
  std::vector<double> stored_forwards, decoded_forwards, stored_step, decoded_step;
  auto twice = [&](auto& runner) {
    return seconds([&] {
      runner.forward(batch);
      runner.forward(batch);
    });
  };
  for (int round = -1; round < rounds; ++round) {
    double times[4] = {};
    auto const of_stored = [&] {
      times[0] = twice(stored);
      times[1] = seconds([&] { stored.step(batch); });
    };
    auto const of_decoded = [&] {
      times[2] = twice(decoded);
      times[3] = seconds([&] { decoded.step(batch); });
    };
    // Each goes first in every other round.
    if (round % 2 == 0) of_stored();
    of_decoded();
    if (round % 2 != 0) of_stored();
    if (round < 0) continue;  // the first one allocates
    stored_forwards.push_back(times[0]);
    stored_step.push_back(times[1]);
    decoded_forwards.push_back(times[2]);
    decoded_step.push_back(times[3]);
  }
  nlohmann::json result;
  put(result, "step_over_two_forwards", ratio(stored_step, stored_forwards));
  put(result, "step_over_decoded_step", ratio(stored_step, decoded_step));
  put(result, "forward_over_decoded_forward", ratio(stored_forwards, decoded_forwards));
  put(result, "two_forwards_seconds", spread(stored_forwards));
  result["tuned_bytes"] = stored.bytes();
  return result;
}

}  // namespace

nlohmann::json measure_beside(Beside what, std::size_t tokens, Settings const& settings) {
  zeroth::ThreadPool pool(settings.threads);
  zeroth::AnyExecutor const executor(pool);
  zeroth::model::GgufFile const file(settings.model);
  DecoderWeights const stored = zeroth::model::map_gguf(file);
  DecoderWeights const decoded = zeroth::model::load_gguf(file);
  std::uint32_t const vocabulary = stored.config().vocabulary;
  if (what == Beside::scales) {
    // Decoded weights have no scales, so their steps tune a delta with about as many parameters.
    Runner of_stored(stored, zeroth::model::BlockScales(stored), executor);
    Runner of_decoded(decoded, zeroth::model::SparseDelta(decoded, {.share = 1.0 / 32}), executor);
    return alternate(of_stored, of_decoded, tokens, vocabulary, settings.rounds);
  }
  auto const with = [&](auto const& make) {
    Runner of_stored(stored, make(stored), executor);
    Runner of_decoded(decoded, make(decoded), executor);
    return alternate(of_stored, of_decoded, tokens, vocabulary, settings.rounds);
  };
  if (what == Beside::delta)
    return with([](DecoderWeights const& base) { return zeroth::model::SparseDelta(base, {.share = 0.01}); });
  return with([](DecoderWeights const& base) { return zeroth::model::LoraAdapter(base, {.rank = 8}); });
}

}  // namespace zeroth_bench

// SPDX-License-Identifier: MIT
#include <cmath>
#include <vector>

#include <zeroth/executor/openmp.hpp>
#include <zeroth/model/load_gguf.hpp>

#include "../measure.hpp"
#include "batch.hpp"
#include "case.hpp"
#include "machine.hpp"

namespace zeroth_bench {

bool has(Operations operations) {
#ifdef ZEROTH_ONEDNN
  static_cast<void>(operations);
  return true;
#else
  return operations != Operations::onednn;
#endif
}

nlohmann::json measure_products(std::size_t tokens, Operations operations, zeroth::DataType compute,
                                Settings const& settings) {
  zeroth::OpenMpExecutor const executor(settings.threads);
  zeroth::model::DecoderWeights const weights = zeroth::model::load_gguf(zeroth::model::GgufFile(settings.model));
  auto usual = make_decoder(weights, Operations::cpu, zeroth::AnyExecutor(executor));
  auto other = make_decoder(weights, operations, zeroth::AnyExecutor(executor), compute);
  zeroth::model::CandidateScorer usual_scorer(usual);
  zeroth::model::CandidateScorer other_scorer(other);
  auto const batch = random_batch(tokens, weights.config().vocabulary);
  double const work = operations_of(weights, products_of(weights, tokens));

  std::vector<double> f32_forward;  // operations a second, each round
  std::vector<double> forward;
  double f32_loss = 0;
  double loss = 0;
  for (int round = -1; round < settings.rounds; ++round) {
    auto run_usual = [&] { return work / seconds([&] { f32_loss = usual_scorer.score(batch).losses[0]; }); };
    auto run_other = [&] { return work / seconds([&] { loss = other_scorer.score(batch).losses[0]; }); };
    // Each goes first in every other round.
    double const first = round % 2 == 0 ? run_usual() : run_other();
    double const second = round % 2 == 0 ? run_other() : run_usual();
    if (round < 0) continue;  // the first one allocates
    f32_forward.push_back(round % 2 == 0 ? first : second);
    forward.push_back(round % 2 == 0 ? second : first);
  }
  nlohmann::json result;
  put(result, "forward_over_f32_forward", ratio(forward, f32_forward));
  put(result, "forward_flops", spread(forward));
  put(result, "f32_forward_flops", spread(f32_forward));
  result["f32_loss"] = f32_loss;
  result["loss_difference"] = loss - f32_loss;
  return result;
}

}  // namespace zeroth_bench

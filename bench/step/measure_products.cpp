// SPDX-License-Identifier: MIT
#include <array>
#include <cstddef>
#include <vector>

#include <zeroth/executor/thread_pool.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>

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
  zeroth::ThreadPool const executor(settings.threads);
  zeroth::model::DecoderWeights const weights = zeroth::model::load_gguf(zeroth::model::GgufFile(settings.model));
  auto decoder = make_decoder(weights, operations, zeroth::AnyExecutor(executor), compute);
  auto usual = make_decoder(weights, Operations::cpu, zeroth::AnyExecutor(executor));
  auto eigen = make_decoder(weights, Operations::eigen, zeroth::AnyExecutor(executor));
  std::array scorers{zeroth::model::CandidateScorer(decoder), zeroth::model::CandidateScorer(usual),
                     zeroth::model::CandidateScorer(eigen)};
  auto const batch = random_batch(tokens, weights.config().vocabulary);
  double const work = operations_of(weights, products_of(weights, tokens));

  std::array<std::vector<double>, 3> flops;  // of each decoder, per round
  std::array<double, 3> losses{};
  for (int round = -1; round < settings.rounds; ++round) {
    for (std::size_t turn = 0; turn < scorers.size(); ++turn) {
      // Each goes first in every third round.
      std::size_t const which = (turn + static_cast<std::size_t>(round + 1)) % scorers.size();
      double const found = work / seconds([&] { losses[which] = scorers[which].score(batch).losses[0]; });
      if (round >= 0) flops[which].push_back(found);  // the first one allocates
    }
  }
  nlohmann::json result;
  put(result, "forward_over_f32_forward", ratio(flops[0], flops[1]));
  put(result, "forward_over_eigen_f32_forward", ratio(flops[0], flops[2]));
  put(result, "forward_flops", spread(flops[0]));
  put(result, "f32_forward_flops", spread(flops[1]));
  put(result, "eigen_f32_forward_flops", spread(flops[2]));
  result["f32_loss"] = losses[1];
  result["loss_difference"] = losses[0] - losses[1];
  return result;
}

}  // namespace zeroth_bench

// SPDX-License-Identifier: MIT
// Work is divided as a function of shapes only: with any number of threads, scores, probes and whole runs have the same
// bits.
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include <zeroth/executor/thread_pool.hpp>
#include <zeroth_model/ops/eigen.hpp>
#ifdef ZEROTH_ONEDNN
#include <zeroth_model/ops/onednn.hpp>
#endif
#include <zeroth/zeroth.hpp>
#include <zeroth_model/decoder/scoring.hpp>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "executors.hpp"

using namespace zeroth_test;
using zeroth::AnyExecutor;
using zeroth::model::CandidateScorer;
using zeroth::model::CpuOps;
using zeroth::model::Decoder;
using zeroth::model::DecoderWeights;
using zeroth::model::EigenOps;
using zeroth::model::Example;

namespace {

/// The results of a run.
struct Run {
  std::vector<double> losses;  ///< for every lane of every step, and for theta at the end
  std::vector<std::vector<float>> weights;
  bool operator==(Run const&) const = default;
};

/// Candidates of one token and of several, so that both logits and log-probabilities are requested from the head.
std::vector<Example> examples(std::size_t step) {
  std::vector<Example> result;
  for (std::size_t i = 0; i < 5; ++i) {
    Example example{{}, {{3}, {11}}, i % 2};
    if (step % 2 != 0) example.candidates = {{3, 4}, {11, 12, 13}};
    for (std::size_t t = 0; t < 7 + 9 * i; ++t)
      example.prompt.push_back(static_cast<std::int32_t>((31 * i + 17 * t + step) % 97));
    result.push_back(std::move(example));
  }
  return result;
}

template <class Ops>
Run run(std::string const& model, AnyExecutor executor, bool in_place) {
  DecoderWeights weights = load_golden(model);
  Decoder decoder(weights, Ops(executor));
  CandidateScorer scorer(decoder);
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{},
                                         zeroth::CpuBackend(executor), {.epsilon = 1e-3, .learning_rate = 1e-3});
  Run result;
  for (std::size_t step = 0; step < 4; ++step) {
    auto const batch = examples(step);
    auto fused = [&](zeroth::AnyProbe const& probe, std::span<double> losses) {
      std::ranges::copy(scorer.score(batch, probe).losses, losses.begin());
    };
    auto plain = [&] { return scorer.score(batch).losses[0]; };
    auto const report = in_place ? optimizer.step(plain) : optimizer.step(fused);
    CHECK(report.projected_gradient != 0);
    result.losses.insert(result.losses.end(), report.losses.begin(), report.losses.end());
  }
  result.losses.push_back(scorer.score(examples(1)).losses[0]);
  for (std::size_t p = 0; p < weights.parameters().size(); ++p)
    result.weights.emplace_back(weights.values(p).begin(), weights.values(p).end());
  return result;
}

template <class Ops>
void check_runs(std::string const& model, bool in_place) {
  INFO(model << (in_place ? ", in place" : ", fused"));
  Run const serial = run<Ops>(model, {}, in_place);
  for (unsigned threads : {1U, 2U, 3U, 7U}) {
    INFO(threads << " threads");
    zeroth::ThreadPool const executor(threads);
    CHECK(run<Ops>(model, AnyExecutor(executor), in_place) == serial);
  }
  ShuffledExecutor const shuffled;
  CHECK(run<Ops>(model, AnyExecutor(shuffled), in_place) == serial);
}

}  // namespace

TEST_CASE("a run on the vector code has the same bits on any number of threads") {
  for (std::string model : golden_models)
    for (bool in_place : {false, true}) check_runs<CpuOps>(model, in_place);
}

namespace {

struct Bf16CpuOps : CpuOps {
  explicit Bf16CpuOps(AnyExecutor executor)
      : CpuOps(executor, zeroth::best_instruction_set(), zeroth::DataType::bf16) {}
};

}  // namespace

TEST_CASE("a run on the vector code in bf16 has the same bits on any number of threads") {
  for (bool in_place : {false, true}) check_runs<Bf16CpuOps>("gqa_odd_tied", in_place);
}

#ifdef ZEROTH_ONEDNN

namespace {

struct Bf16OneDnnOps : zeroth::model::OneDnnOps {
  explicit Bf16OneDnnOps(AnyExecutor executor) : OneDnnOps(executor, zeroth::DataType::bf16) {}
};

}  // namespace

TEST_CASE("a run on oneDNN's products has the same bits on any number of threads") {
  for (bool in_place : {false, true}) {
    check_runs<zeroth::model::OneDnnOps>("gqa_odd_tied", in_place);
    check_runs<Bf16OneDnnOps>("gqa_odd_tied", in_place);
  }
}

#endif

TEST_CASE("a run on Eigen has the same bits on any number of threads") {
  for (std::string model : golden_models)
    for (bool in_place : {false, true}) check_runs<EigenOps>(model, in_place);
}

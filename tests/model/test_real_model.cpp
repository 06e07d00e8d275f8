// SPDX-License-Identifier: MIT
// Tests on a model of real size. $ZEROTH_SMOLLM2 names SmolLM2-135M's GGUF file; without it these are skipped.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/zeroth.hpp>
#include <zeroth_model/decoder/decoder.hpp>
#include <zeroth_model/decoder/scoring.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>
#include <zeroth_model/ops/eigen.hpp>

#include "catch.hpp"
#include "decoder_support.hpp"

using namespace zeroth_test;
using zeroth::SmallestMagnitude;
using zeroth::ZerothOrderOptimizer;

namespace {

zeroth::model::DecoderWeights load_real_model(char const* path) {
  return zeroth::model::load_gguf(zeroth::model::GgufFile(path));
}

/// The CPU backend, which compares the mask of every pass with the expected one.
class ComparingBackend : public zeroth::CpuBackend {
 public:
  static constexpr bool checks_arithmetic = false;  // it accepts only the model's tensors

  struct Expected {
    zeroth::ParameterSet const* parameters;
    std::vector<zeroth::Bitmap> bits;
    std::size_t passes = 0;
    std::size_t differing = 0;
  };

  ComparingBackend(zeroth::AnyExecutor executor, Expected& expected) : CpuBackend(executor), expected_(&expected) {}

  template <zeroth::Sampler S, zeroth::MaskRule Rule>
  std::uint64_t apply(zeroth::Parameter const& tensor, void const* source, zeroth::TensorMask<Rule> const& mask,
                      zeroth::NoiseField<S> const& noise, zeroth::ElementwisePass const& pass) const {
    zeroth::Bitmap found(tensor);
    mask_bits(tensor, mask, found.words());
    ++expected_->passes;
    if (found != expected_->bits[expected_->parameters->index_of(tensor.name)]) ++expected_->differing;
    return CpuBackend::apply(tensor, source, mask, noise, pass);
  }

 private:
  Expected* expected_;
};

/// SmallestMagnitude that claims to ignore the weights: its mask is then not stored, and recomputed from perturbed
/// weights.
struct RecomputesMask {
  struct Rule : zeroth::MagnitudeRule<true> {
    static constexpr bool depends_on_weights = false;
  };
  struct State {
    SmallestMagnitude::State state;
    [[nodiscard]] zeroth::TensorMask<Rule> tensor(std::size_t index, std::uint32_t step) const {
      auto const mask = state.tensor(index, step);
      return {mask.coverage, Rule{mask.rule}};
    }
  };
  [[nodiscard]] State prepare(zeroth::ParameterSet const& parameters, zeroth::WeightReader const& weights) const {
    return {SmallestMagnitude{}.prepare(parameters, weights)};
  }
  static constexpr std::string_view name() { return "recomputes-mask"; }
  bool operator==(RecomputesMask const&) const = default;
};

/// Takes steps in place; returns how many passes had a mask other than the fused form has at the start of their step.
template <class Mask>
std::size_t differing_passes(zeroth::model::DecoderWeights& weights, Mask const& mask, int steps) {
  zeroth::ThreadPool executor;
  ComparingBackend::Expected expected{&weights.parameters(), {}};
  ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, mask, ComparingBackend(executor, expected),
                                 {.epsilon = 1e-3, .learning_rate = 1e-5});
  // A loss that costs nothing compared with the passes over the weights.
  std::span<float const> const some = weights.values(weights.tensors().layers[3].down.weight).first(5000);
  auto loss = [&] {
    double sum = 0;
    for (float w : some) sum += 100 * static_cast<double>(w) * static_cast<double>(w);
    return sum;
  };
  for (int step = 0; step < steps; ++step) {
    expected.bits.clear();
    for (std::size_t i = 0; i < weights.parameters().size(); ++i) expected.bits.push_back(optimizer.active_bits(i));
    CHECK_FALSE(optimizer.step(loss).skipped());
  }
  CHECK(expected.passes == static_cast<std::size_t>(3 * steps) * weights.parameters().size());
  return expected.differing;
}

/// Losses of two fused steps, with candidates of one token and then of several, and those of theta after each.
template <class Ops>
std::vector<double> losses_of_run(char const* path, unsigned threads) {
  auto weights = load_real_model(path);
  zeroth::ThreadPool const executor(threads);
  zeroth::model::Decoder decoder(weights, Ops(executor));
  zeroth::model::CandidateScorer scorer(decoder);
  ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, SmallestMagnitude{},
                                 zeroth::CpuBackend(executor), {.epsilon = 1e-3, .learning_rate = 1e-6});
  std::vector<double> losses;
  for (bool const single : {true, false}) {
    std::vector<zeroth::model::Example> batch;
    for (std::size_t i = 0; i < 4; ++i) {
      batch.push_back({{}, {{6330}, {3075}}, i % 2});
      if (!single) batch[i].candidates = {{6330, 17}, {3075, 504, 2698}};
      for (std::size_t t = 0; t < 20 + 7 * i; ++t)
        batch[i].prompt.push_back(static_cast<std::int32_t>((7919 * i + 104729 * t) % 49152));
    }
    auto const report = optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> lanes) {
      std::ranges::copy(scorer.score(batch, probe).losses, lanes.begin());
    });
    losses.insert(losses.end(), report.losses.begin(), report.losses.end());
    losses.push_back(scorer.score(batch).losses[0]);
  }
  return losses;
}

template <class Ops>
void check_threads(char const* path) {
  auto const one = losses_of_run<Ops>(path, 1);
  CHECK(one[0] != one[1]);
  CHECK(one[2] != one[0]);
  for (unsigned threads : {2U, 3U}) CHECK(losses_of_run<Ops>(path, threads) == one);
}

}  // namespace

TEST_CASE("SmolLM2 has losses of the same bits on any number of threads") {
  char const* const path = std::getenv("ZEROTH_SMOLLM2");
  if (path == nullptr) ZEROTH_SKIP("ZEROTH_SMOLLM2 does not name a GGUF file");
  check_threads<zeroth::model::CpuOps>(path);
  check_threads<zeroth::model::EigenOps>(path);
}

TEST_CASE("in place, the active weights of SmolLM2 are those of the fused form at each of 100 steps") {
  char const* const path = std::getenv("ZEROTH_SMOLLM2");
  if (path == nullptr) ZEROTH_SKIP("ZEROTH_SMOLLM2 does not name a GGUF file");
  auto weights = load_real_model(path);
  CHECK(differing_passes(weights, SmallestMagnitude{}, 100) == 0);
}

TEST_CASE("on SmolLM2 a mask worked out on perturbed weights is noticed") {
  char const* const path = std::getenv("ZEROTH_SMOLLM2");
  if (path == nullptr) ZEROTH_SKIP("ZEROTH_SMOLLM2 does not name a GGUF file");
  auto weights = load_real_model(path);
  // Every matrix of the model, in the two passes of the first step that start from perturbed weights.
  CHECK(differing_passes(weights, RecomputesMask{}, 1) == 2 * (1 + 30 * 7));
}

TEST_CASE("fused steps on SmolLM2 run with theta write-protected during the evaluation") {
  char const* const path = std::getenv("ZEROTH_SMOLLM2");
  if (path == nullptr) ZEROTH_SKIP("ZEROTH_SMOLLM2 does not name a GGUF file");
  auto weights = load_real_model(path);
  zeroth::ThreadPool executor;
  zeroth::model::Decoder cpu(weights, zeroth::model::CpuOps(executor));
  zeroth::model::Decoder eigen(weights, zeroth::model::EigenOps(executor));
  zeroth::model::PackedBatch batch;
  add_scored(batch, {504, 2698, 314, 260, 3075, 17, 504, 6330});
  ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, SmallestMagnitude{},
                                 zeroth::CpuBackend(executor), {.epsilon = 1e-3, .learning_rate = 1e-6});
  auto mean = [](std::span<double const> values) {
    double sum = 0;
    for (double value : values) sum -= value / static_cast<double>(values.size());
    return sum;
  };
  auto const memory = weights.memory();
  for (int step = 0; step < 2; ++step) {
    auto const report = optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
      // A write would now end the process with SIGSEGV, which Catch reports as a failure.
      REQUIRE(::mprotect(memory.data(), memory.size(), PROT_READ) == 0);
      auto const scores = score(cpu, batch, probe);
      auto const others = score(eigen, batch, probe);
      REQUIRE(::mprotect(memory.data(), memory.size(), PROT_READ | PROT_WRITE) == 0);
      std::size_t const each = batch.requests().size();
      for (std::size_t k = 0; k < losses.size(); ++k) {
        losses[k] = mean(std::span(scores).subspan(k * each, each));
        CHECK(losses[k] == Approx(mean(std::span(others).subspan(k * each, each))).margin(1e-4));
      }
    });
    CHECK(report.losses[0] != report.losses[1]);
    CHECK(report.active_weights > weights.parameters().weights() / 5);
  }
}

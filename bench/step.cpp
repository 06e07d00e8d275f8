// SPDX-License-Identifier: MIT
// What a step costs beside the two plain forwards that it cannot do without: bench_step MODEL.gguf [THREADS [ROUNDS]].
//
// Forwards, probe and step alternate in one run and are compared round by round, because machines drift: what counts is
// the median of the ratios and their spread, not the seconds.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include <zeroth/backend/eigen.hpp>
#include <zeroth/executor/openmp.hpp>
#include <zeroth/model/load_gguf.hpp>
#include <zeroth/model/ops_cpu.hpp>
#include <zeroth/model/ops_eigen.hpp>
#include <zeroth/model/scoring.hpp>
#include <zeroth/zeroth.hpp>

namespace {

using zeroth::model::Decoder;
using zeroth::model::DecoderWeights;

constexpr std::size_t sequences = 16;
constexpr std::size_t sequence_tokens = 32;

/// Seconds that a call takes.
template <class F>
double seconds(F&& call) {
  auto const start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print_ratios(char const* what, std::vector<double> ratios) {
  std::sort(ratios.begin(), ratios.end());
  std::printf("  %-24s %.3f (%.3f to %.3f)\n", what, ratios[ratios.size() / 2], ratios.front(), ratios.back());
}

std::vector<zeroth::model::Example> examples(DecoderWeights const& weights) {
  std::vector<zeroth::model::Example> result;
  for (std::size_t i = 0; i < sequences; ++i) {
    zeroth::model::Example example{{}, {{5}, {9}}, 0};
    for (std::size_t t = 0; t < sequence_tokens; ++t)
      example.prompt.push_back(
          static_cast<std::int32_t>(zeroth::draw_example(1, 0, i * sequence_tokens + t, weights.config().vocabulary)));
    result.push_back(std::move(example));
  }
  return result;
}

/// Multiplications and additions of one forward's linear layers.
double flops(DecoderWeights const& weights) {
  double sum = 0;
  for (zeroth::Parameter const& p : weights.parameters())
    if (p.role == zeroth::Role::matrix) sum += 2.0 * static_cast<double>(p.size() * sequences * sequence_tokens);
  return sum;
}

template <class Ops, class Mask>
void measure(std::string const& name, DecoderWeights const& weights, Mask const& mask,
             zeroth::OpenMpExecutor const& executor, int rounds) {
  Decoder<Ops> decoder(weights, Ops(executor));
  zeroth::model::CandidateScorer scorer(decoder);
  auto const batch = examples(weights);
  // A learning rate so small that no weight changes: every round is then the same work.
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, mask, zeroth::CpuBackend(executor),
                                         {.epsilon = 1e-3, .learning_rate = 1e-20});
  std::vector<double> probe_ratios;
  std::vector<double> step_ratios;
  double fastest = 1e9;
  for (int round = -1; round < rounds; ++round) {
    double const forwards = seconds([&] {
      scorer.score(batch);
      scorer.score(batch);
    });
    double probe = 0;
    double const step = seconds([&] {
      optimizer.step([&](zeroth::AnyProbe const& lanes, std::span<double> losses) {
        probe = seconds([&] { std::ranges::copy(scorer.score(batch, lanes).losses, losses.begin()); });
      });
    });
    if (round < 0) continue;  // the first one allocates
    fastest = std::min(fastest, forwards);
    probe_ratios.push_back(probe / forwards);
    step_ratios.push_back(step / forwards);
  }
  std::printf("%s: two forwards %.3f s, %.0f GFLOP/s at best\n", name.c_str(), fastest,
              2 * flops(weights) / fastest / 1e9);
  print_ratios("probe / two forwards", probe_ratios);
  print_ratios("step / two forwards", step_ratios);
}

/// Eigen's products at the shapes of the model's layers, alone.
void measure_eigen_products(DecoderWeights const& weights, zeroth::OpenMpExecutor const& executor, int rounds) {
  using Matrix = zeroth::model::RowMajorMatrix;
  constexpr auto rows = static_cast<Eigen::Index>(sequences * sequence_tokens);
  auto const pieces = static_cast<Eigen::Index>(executor.concurrency());
  double fastest = 1e9;
  for (int round = 0; round < rounds; ++round) {
    double total = 0;
    for (zeroth::Parameter const& p : weights.parameters()) {
      if (p.role != zeroth::Role::matrix) continue;
      auto const w = zeroth::EigenBackend::map(p);
      Matrix const x = Matrix::Constant(rows, w.cols(), 0.5F);
      Matrix y(rows, w.rows());
      total += seconds([&] {
        zeroth::AnyExecutor(executor).parallel_for(static_cast<std::size_t>(pieces), [&](std::size_t piece) {
          Eigen::Index const first = rows * static_cast<Eigen::Index>(piece) / pieces;
          Eigen::Index const count = rows * static_cast<Eigen::Index>(piece + 1) / pieces - first;
          y.middleRows(first, count).noalias() = x.middleRows(first, count) * w.transpose();
        });
      });
    }
    fastest = std::min(fastest, total);
  }
  std::printf("Eigen's products alone: %.0f GFLOP/s at best\n", flops(weights) / fastest / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL.gguf [THREADS [ROUNDS]]\n", argv[0]);
    return 2;
  }
  zeroth::OpenMpExecutor const executor(argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 0);
  int const rounds = argc > 3 ? std::max(1, std::atoi(argv[3])) : 9;
  try {
    DecoderWeights const weights = zeroth::model::load_gguf(zeroth::model::GgufFile(argv[1]));
    std::printf("%zu x %zu tokens, %u threads, %d rounds: median (lowest to highest)\n", sequences, sequence_tokens,
                executor.concurrency(), rounds);
    using zeroth::model::CpuOps;
    using zeroth::model::EigenOps;
    measure<CpuOps>("cpu, MeZO", weights, zeroth::Dense{}, executor, rounds);
    measure<CpuOps>("cpu, Sparse MeZO", weights, zeroth::SmallestMagnitude{}, executor, rounds);
    measure<EigenOps>("eigen, Sparse MeZO", weights, zeroth::SmallestMagnitude{}, executor, rounds);
    measure_eigen_products(weights, executor, rounds);
  } catch (zeroth::Error const& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 2;
  }
}

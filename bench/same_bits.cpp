// SPDX-License-Identifier: MIT
// One side of bench/same_bits, which compares builds: a run over the weights of a small decoder that writes a journal,
// or the replay of one. The tuned weights are written as stored in memory, tensor after tensor.
//
//   bench_same_bits record MODEL.gguf f32|bf16 JOURNAL WEIGHTS reference|cpu THREADS fused|in-place|in-place-exact
//   bench_same_bits replay MODEL.gguf f32|bf16 JOURNAL WEIGHTS reference|cpu THREADS

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <zeroth/executor/openmp.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth/zeroth.hpp>
#include <zeroth_model/decoder/scoring.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>
#include <zeroth_model/ops/cpu.hpp>

namespace {

constexpr std::uint64_t steps = 100;

struct Arguments {
  bool records;
  std::string model;
  zeroth::DataType dtype;
  std::string journal;
  std::string weights;
  std::string backend;
  unsigned threads;
  std::string form;
};

/// A batch of examples with three candidates, generated from numbers.
std::vector<zeroth::model::Example> examples_for(std::uint32_t vocabulary) {
  std::vector<zeroth::model::Example> examples;
  std::uint32_t token = 1;
  auto next = [&] { return static_cast<std::int32_t>((token = token * 1103515245U + 12345U) % vocabulary); };
  for (std::size_t i = 0; i < 4; ++i) {
    zeroth::model::Example example{.prompt = {}, .candidates = {}, .label = i % 3};
    for (std::size_t k = 0; k < 3 + i; ++k) example.prompt.push_back(next());
    for (std::size_t c = 0; c < 3; ++c) example.candidates.push_back({next(), next()});
    examples.push_back(std::move(example));
  }
  return examples;
}

template <class Optimizer>
void record(Optimizer& optimizer, zeroth::model::DecoderWeights const& weights, zeroth::AnyExecutor executor,
            Arguments const& arguments) {
  zeroth::model::Decoder decoder(weights, zeroth::model::CpuOps(executor));
  zeroth::model::CandidateScorer scorer(decoder);
  std::vector<zeroth::model::Example> const batch = examples_for(weights.config().vocabulary);
  zeroth::JournalFile journal(arguments.journal, optimizer);
  while (optimizer.steps() < steps) {
    if (arguments.form == "fused")
      journal.append(optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
        std::vector<double> const& measured = scorer.score(batch, probe).losses;
        std::copy(measured.begin(), measured.end(), losses.begin());
      }));
    else
      journal.append(optimizer.step([&] { return scorer.score(batch).losses[0]; }));
  }
}

template <class Backend>
void run(Arguments const& arguments, Backend const& backend, zeroth::AnyExecutor executor) {
  zeroth::model::GgufFile const file(arguments.model);
  zeroth::model::DecoderWeights const weights = zeroth::model::load_gguf(file, arguments.dtype);
  zeroth::Options options{.epsilon = 1e-2, .learning_rate = 1e-2, .samples = 2, .seed = 11};
  if (arguments.form == "in-place") options.restore = zeroth::Restore::arithmetic;
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{},
                                         zeroth::SmallestMagnitude{.sparsity = 0.5}, backend, options);
  if (arguments.records)
    record(optimizer, weights, executor, arguments);
  else
    zeroth::replay(zeroth::read_journal(arguments.journal), optimizer, {.source = arguments.journal});
  std::ofstream out(arguments.weights, std::ios::binary);
  for (zeroth::Parameter const& p : weights.parameters())
    out.write(static_cast<char const*>(p.data), static_cast<std::streamsize>(p.bytes()));
  if (!out.flush()) throw std::runtime_error(arguments.weights + ": cannot write");
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> const words(argv + 1, argv + argc);
  bool const records = !words.empty() && words[0] == "record";
  if (words.size() != (records ? 8U : 7U)) {
    std::fputs("usage: see the head of bench/same_bits.cpp\n", stderr);
    return 2;
  }
  try {
    Arguments const arguments{.records = records,
                              .model = words[1],
                              .dtype = words[2] == "bf16" ? zeroth::DataType::bf16 : zeroth::DataType::f32,
                              .journal = words[3],
                              .weights = words[4],
                              .backend = words[5],
                              .threads = static_cast<unsigned>(std::stoul(words[6])),
                              .form = records ? words[7] : ""};
    zeroth::OpenMpExecutor executor(arguments.threads);
    if (arguments.backend == "reference")
      run(arguments, zeroth::ReferenceBackend{}, executor);
    else
      run(arguments, zeroth::CpuBackend{executor}, executor);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "bench_same_bits: %s\n", error.what());
    return 2;
  }
  return 0;
}

// SPDX-License-Identifier: MIT
// Steps and forwards on demand, so that another program can time its own between them: bench_step_server MODEL.gguf
//
// Reads requests and writes answers, one line of JSON each:
//   {"do": "forwards" | "mezo" | "s_mezo", "operations": "cpu" | "eigen" | "onednn",
//    "examples": [{"prompt": [1, 2], "candidates": [[5], [9]], "label": 0}]}
//   {"seconds": 0.5, "losses": [1.25], "rows": 512, "products": 1e11}
// Two plain forwards, or a step; its losses are those at theta, or at the two points of the step. `products` are the
// multiplications and additions of one forward's matrix products. The first line says how many a token takes, and which
// operations this build has.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>
#include <zeroth/executor/openmp.hpp>
#include <zeroth/model/load_gguf.hpp>
#include <zeroth/model/scoring.hpp>
#include <zeroth/zeroth.hpp>

#include "../measure.hpp"
#include "../step/machine.hpp"

namespace zeroth_bench {
namespace {

using zeroth::model::AnyDecoder;
using zeroth::model::DecoderWeights;
using zeroth::model::Example;

/// A learning rate so small that no weight changes: every step is then the same work.
constexpr double learning_rate = 1e-20;

std::vector<Example> examples_of(nlohmann::json const& request) {
  std::vector<Example> examples;
  for (auto const& one : request.at("examples"))
    examples.push_back({one.at("prompt").get<std::vector<std::int32_t>>(),
                        one.at("candidates").get<std::vector<std::vector<std::int32_t>>>(),
                        one.at("label").get<std::size_t>()});
  return examples;
}

/// A decoder on one set of operations, and what its steps need.
class Runner {
 public:
  Runner(DecoderWeights& weights, Operations operations, zeroth::AnyExecutor executor)
      : weights_(weights),
        decoder_(make_decoder(weights, operations, executor)),
        scorer_(decoder_),
        dense_(weights.parameters(), zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend(executor),
               {.epsilon = 1e-3, .learning_rate = learning_rate}),
        sparse_(weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{.sparsity = 0.75},
                zeroth::CpuBackend(executor), {.epsilon = 1e-3, .learning_rate = learning_rate}) {}

  nlohmann::json answer(std::string const& what, std::vector<Example> const& examples) {
    std::vector<double> losses;
    auto evaluate = [&](zeroth::AnyProbe const& lanes, std::span<double> out) {
      losses = scorer_.score(examples, lanes).losses;
      std::ranges::copy(losses, out.begin());
    };
    double time = 0;
    if (what == "forwards") {
      time = seconds([&] {
        scorer_.score(examples);
        losses = scorer_.score(examples).losses;
      });
    } else if (what == "mezo") {
      time = seconds([&] { dense_.step(evaluate); });
    } else if (what == "s_mezo") {
      time = seconds([&] { sparse_.step(evaluate); });
    } else {
      throw zeroth::InvalidArgument("do: expected forwards, mezo or s_mezo, found '" + what + "'");
    }
    std::size_t const rows = scorer_.batch().rows();
    return {{"seconds", time},
            {"losses", losses},
            {"rows", rows},
            {"products", operations_of(weights_, products_of(weights_, rows))}};
  }

 private:
  DecoderWeights& weights_;
  AnyDecoder decoder_;
  zeroth::model::CandidateScorer<AnyDecoder> scorer_;
  zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::CpuBackend> dense_;
  zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::SmallestMagnitude, zeroth::CpuBackend> sparse_;
};

/// Multiplications and additions that a token takes in all matrices of the layers, and in the whole head.
nlohmann::json work_of_a_token(DecoderWeights const& weights) {
  double layers = 0;
  for (auto const& layer : weights.tensors().layers)
    for (auto const& linear :
         {layer.query, layer.key, layer.value, layer.attention_out, layer.gate, layer.up, layer.down})
      if (linear.weight != zeroth::model::no_tensor)
        layers += 2.0 * static_cast<double>(weights.parameters()[linear.weight].size());
  auto const& config = weights.config();
  return {{"layers", layers},
          {"head", 2.0 * static_cast<double>(config.vocabulary) * static_cast<double>(config.hidden)}};
}

int run(int argc, char** argv) {
  CLI::App app("Steps and forwards on demand, for a program that times its own between them");
  std::string model;
  unsigned threads = 0;
  app.add_option("model", model, "GGUF file")->required();
  app.add_option("--threads", threads, "threads; 0: all")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  zeroth::OpenMpExecutor const executor(threads);
  DecoderWeights weights = zeroth::model::load_gguf(zeroth::model::GgufFile(model));
  std::map<std::string, Runner> runners;
  auto add = [&](char const* name, Operations operations) {
    runners.try_emplace(name, weights, operations, zeroth::AnyExecutor(executor));
  };
  add("cpu", Operations::cpu);
  add("eigen", Operations::eigen);
#ifdef ZEROTH_ONEDNN
  add("onednn", Operations::onednn);
#endif
  nlohmann::json greeting = work_of_a_token(weights);
  for (auto const& [name, runner] : runners) greeting["operations"].push_back(name);
  std::cout << greeting << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    auto const request = nlohmann::json::parse(line);
    std::cout << runners.at(request.at("operations")).answer(request.at("do"), examples_of(request)) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace zeroth_bench

int main(int argc, char** argv) {
  try {
    return zeroth_bench::run(argc, argv);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 2;
  }
}

// SPDX-License-Identifier: MIT
// zeroth's side of bench/versus on a CPU: bench_step_server MODEL.gguf
//
// Answers requests as described in step_runner.hpp, which may also name "operations": "cpu" (the default), "eigen" or
// "onednn". `products` in an answer are the multiplications and additions of one forward's matrix products. The first
// line says how many of them a token takes, and which operations this build has.

#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>

#include "../step/machine.hpp"
#include "step_runner.hpp"

namespace zeroth_bench {
namespace {

using zeroth::model::DecoderWeights;

/// Multiplications and additions per token in all matrices of the layers, and in the whole head.
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

  zeroth::ThreadPool const executor(threads);
  DecoderWeights weights = zeroth::model::load_gguf(zeroth::model::GgufFile(model));
  zeroth::CpuBackend const backend{zeroth::AnyExecutor(executor)};
  std::map<std::string, StepRunner<zeroth::CpuBackend>> runners;
  auto add = [&](char const* name, Operations operations) {
    runners.try_emplace(name, weights, make_decoder(weights, operations, zeroth::AnyExecutor(executor)), backend);
  };
  add("cpu", Operations::cpu);
  add("eigen", Operations::eigen);
#ifdef ZEROTH_ONEDNN
  add("onednn", Operations::onednn);
#endif
  nlohmann::json greeting = work_of_a_token(weights);
  for (auto const& [name, runner] : runners) greeting["operations"].push_back(name);
  serve(greeting, [&](nlohmann::json const& request) {
    nlohmann::json answer = runners.at(request.value("operations", "cpu")).answer(request);
    answer["products"] = operations_of(weights, products_of(weights, answer.at("rows")));
    return answer;
  });
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

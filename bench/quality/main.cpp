// SPDX-License-Identifier: MIT
// The quality of gradient estimates where the gradient is known: bench_quality [--smoke] [--threads N].
// docs/estimators.md shows the results. Prints, last, one line of JSON with every figure.

#include <CLI/CLI.hpp>
#include <cstdio>

#include <zeroth/executor/openmp.hpp>

#include "experiment.hpp"

int main(int argc, char** argv) {
  CLI::App app("The quality of estimates of a gradient");
  zeroth_bench::Extent extent;
  unsigned threads = 0;
  app.add_flag("--smoke", extent.smoke, "only so much that every line runs");
  app.add_option("--threads", threads, "0: as many as there are cores");
  CLI11_PARSE(app, argc, argv);
  zeroth::OpenMpExecutor executor(threads);
  extent.executor = executor;

  nlohmann::json result = {{"part", "quality"}, {"experiments", nlohmann::json::array()}};
  auto add = [&](nlohmann::json const& experiments) {
    for (auto const& experiment : experiments) result["experiments"].push_back(experiment);
  };
  add(zeroth_bench::cosine_experiments(extent));
  nlohmann::json const decoder = zeroth_bench::decoder_experiments(extent);
  add(decoder["experiments"]);
  result["decoder"] = decoder["check"];
  add(zeroth_bench::step_experiments(extent));
  std::printf("%s\n", result.dump().c_str());
}

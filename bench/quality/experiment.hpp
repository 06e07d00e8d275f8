// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include <zeroth/executor.hpp>

namespace zeroth_bench {

/// How much is measured: everything, or only enough to run every line.
struct Extent {
  bool smoke = false;
  zeroth::AnyExecutor executor{};

  /// `whole`, or a small number in a smoke run.
  template <class T>
  [[nodiscard]] T operator()(T whole, T little) const {
    return smoke ? little : whole;
  }
};

/// A figure: series of measured points, each next to its theoretical value, and lines of theory only.
class Experiment {
 public:
  Experiment(std::string name, std::string title, std::string x, std::string y)
      : json_{{"name", std::move(name)}, {"title", std::move(title)}, {"x", std::move(x)}, {"y", std::move(y)}} {
    json_["series"] = nlohmann::json::array();
    std::printf("\n%s\n%s against %s\n", json_["title"].get<std::string>().c_str(),
                json_["y"].get<std::string>().c_str(), json_["x"].get<std::string>().c_str());
  }

  void series(std::string name) {
    std::printf("  %s\n", name.c_str());
    json_["series"].push_back({{"name", std::move(name)}, {"points", nlohmann::json::array()}});
  }

  /// A point of the last series; `theory` 0: none, `y` 0: theory only.
  void point(double x, double y, double error, double theory) {
    nlohmann::json point = {{"x", x}};
    if (y != 0) point.update({{"y", y}, {"error", error}});
    if (theory != 0) point["theory"] = theory;
    json_["series"].back()["points"].push_back(std::move(point));
    std::printf("    %12.6g: %12.5g +- %-10.2g theory %12.5g\n", x, y, error, theory);
    std::fflush(stdout);
  }

  [[nodiscard]] nlohmann::json json() && { return std::move(json_); }

 private:
  nlohmann::json json_;
};

/// cosine_experiments.cpp: the angle to the gradient against dimension, directions, sparsity and noise.
[[nodiscard]] nlohmann::json cosine_experiments(Extent const& extent);
/// step_experiments.cpp: steps to a tolerance against dimension, sparsity, tolerance and directions.
[[nodiscard]] nlohmann::json step_experiments(Extent const& extent);
/// decoder_experiments.cpp: the small transformer.
[[nodiscard]] nlohmann::json decoder_experiments(Extent const& extent);

}  // namespace zeroth_bench

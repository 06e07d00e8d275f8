// SPDX-License-Identifier: MIT
// The cost of a step compared with the two plain forwards that it needs at least: bench_step MODEL.gguf [OPTION]...
//
// Forwards, probe and step alternate in one run and are compared round by round, because machines drift: the result is
// the median of the ratios and their spread, not the seconds. Each case runs in its own process, so its peak memory is
// its own. Prints, last, one line of JSON with every figure.

#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "../child.hpp"
#include "case.hpp"

namespace zeroth_bench {

std::string Case::name() const {
  return std::string(method == Method::mezo ? "mezo" : "s_mezo") +
         (noise == Noise::gaussian ? "_gaussian" : "_rademacher") + "_" + std::string(to_string(dtype)) + "_" +
         std::to_string(tokens) + suffix(operations, compute) +
         (rounding == zeroth::Rounding::extra_byte ? "" : "_" + std::string(to_string(rounding)));
}

std::string suffix(Operations operations, zeroth::DataType compute) {
  return std::string(operations == Operations::eigen    ? "_eigen"
                     : operations == Operations::onednn ? "_onednn"
                                                        : "") +
         (compute == zeroth::DataType::bf16 ? "_bf16_products" : "");
}

namespace {

/// The measurements, by name, in order.
struct Job {
  std::string name;
  std::function<nlohmann::json()> measure;
};

std::vector<Job> all_jobs(Settings const& settings) {
  std::vector<Job> jobs;
  for (std::size_t tokens : {512U, 2048U})
    jobs.push_back(
        {"forward_f32_" + std::to_string(tokens), [=] { return measure_forward(tokens, Operations::cpu, settings); }});
  std::vector<Case> cases;
  auto add = [&](zeroth::DataType dtype, std::size_t tokens) {
    for (Method method : {Method::mezo, Method::s_mezo})
      for (Noise noise : {Noise::gaussian, Noise::rademacher})
        cases.push_back({.method = method, .noise = noise, .dtype = dtype, .tokens = tokens});
  };
  add(zeroth::DataType::f32, 512);
  add(zeroth::DataType::bf16, 512);
  // For machines that cannot spare a byte in addition to the weights.
  cases.push_back({.method = Method::mezo, .dtype = zeroth::DataType::bf16, .rounding = zeroth::Rounding::stochastic});
  add(zeroth::DataType::f32, 2048);
  cases.push_back({.operations = Operations::eigen});
  // Other products, and steps with them.
  auto const others = [] {
    std::vector<std::pair<Operations, zeroth::DataType>> result{{Operations::cpu, zeroth::DataType::bf16}};
    if (has(Operations::onednn))
      for (auto compute : {zeroth::DataType::f32, zeroth::DataType::bf16})
        result.emplace_back(Operations::onednn, compute);
    return result;
  }();
  for (auto const& [operations, compute] : others) {
    for (std::size_t tokens : {512U, 2048U}) {
      std::string const name = "products_" + std::to_string(tokens) + suffix(operations, compute);
      jobs.push_back({name, [=, operations = operations, compute = compute] {
                        return measure_products(tokens, operations, compute, settings);
                      }});
    }
    cases.push_back({.operations = operations, .compute = compute});
  }
  for (std::size_t tokens : {16U, 32U, 64U, 128U, 512U})
    for (auto const& [name, what] :
         {std::pair("lora", Beside::lora), std::pair("delta", Beside::delta), std::pair("scales", Beside::scales)})
      jobs.push_back({"beside_" + std::string(name) + "_" + std::to_string(tokens),
                      [=, what = what] { return measure_beside(what, tokens, settings); }});
  for (Case const& what : cases) jobs.push_back({what.name(), [=] { return measure_step(what, settings); }});
  return jobs;
}

/// Prints a figure and its spread, if the case has it.
void print(nlohmann::json const& figures, std::string const& name, char const* format, double unit = 1) {
  if (!figures.contains(name)) return;
  std::printf("  %-28s ", name.c_str());
  std::printf(format, figures[name].get<double>() / unit);
  if (auto const spread = figures.find(name + "_spread"); spread != figures.end()) {
    for (std::size_t end : {0U, 1U}) {
      std::printf(end == 0 ? " (" : " to ");
      std::printf(format, (*spread)[end].get<double>() / unit);
    }
    std::printf(")");
  }
  std::printf("\n");
}

int run(int argc, char** argv) {
  CLI::App app("What a step costs beside two plain forwards");
  Settings settings;
  std::vector<std::string> parts;
  std::string left_out;
  bool list = false;
  app.add_option("model", settings.model, "GGUF file")->required();
  app.add_option("--threads", settings.threads, "threads; 0: all")->capture_default_str();
  app.add_option("--rounds", settings.rounds, "rounds of each case")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--only", parts, "only cases whose names contain each of these");
  app.add_option("--except", left_out, "no cases whose names contain this");
  app.add_flag("--list", list, "print the names of the cases");
  CLI11_PARSE(app, argc, argv);

  nlohmann::json results;
  for (Job const& job : all_jobs(settings)) {
    auto missing = [&](std::string const& part) { return job.name.find(part) == std::string::npos; };
    if (std::any_of(parts.begin(), parts.end(), missing) || (!left_out.empty() && !missing(left_out))) continue;
    std::printf("%s\n", job.name.c_str());
    std::fflush(stdout);
    if (list) continue;
    nlohmann::json const figures = in_child(job.measure);
    for (char const* name :
         {"step_over_two_forwards", "probes_over_two_forwards", "update_over_two_forwards", "two_forwards_seconds",
          "peak_over_weights", "peak_over_f32_weights", "forward_over_eigen_products", "forward_share_of_peak",
          "forward_over_f32_forward", "forward_over_eigen_f32_forward", "loss_difference", "step_over_decoded_step",
          "forward_over_decoded_forward"})
      print(figures, name, "%.3f");
    for (char const* name : {"forward_flops", "eigen_products_flops", "peak_flops"})
      print(figures, name, "%.0f G", 1e9);
    results[job.name] = figures;
  }
  if (list) return 0;
  std::printf("%s\n", results.dump().c_str());
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

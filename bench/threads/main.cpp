// SPDX-License-Identifier: MIT
// What it costs to hand work to threads, by the program's pool and by OpenMP: bench_threads [OPTION]...
//
// First the nanoseconds that a loop of tasks which do nothing takes: one loop right after another, and after a pause in
// which threads still spin, or have gone to sleep. Then steps of small models on one thread, on the pool and on OpenMP,
// taking turns, on a quiet machine and beside loops that are busy all the time. Ratios are those of one round; the
// result is their median and spread. Prints, last, one line of JSON with every figure.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include <zeroth/executor/openmp.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/zeroth.hpp>
#include <zeroth_model/decoder/decoder.hpp>
#include <zeroth_model/decoder/scoring.hpp>
#include <zeroth_model/ops/cpu.hpp>
#include <zeroth_model/weights/random_weights.hpp>

#include "../measure.hpp"
#include "busy_loops.hpp"

namespace zeroth_bench {
namespace {

using zeroth::AnyExecutor;
using zeroth::model::CpuOps;
using zeroth::model::DecoderConfig;
using zeroth::model::DecoderWeights;
using zeroth::model::Example;

struct Settings {
  unsigned threads = 0;
  int rounds = 9;
  double seconds = 0.1;  ///< what a measurement takes at least, on one thread of a quiet machine
  std::string only;
};

/// A random model and a batch, in sequences of 32 tokens.
struct Model {
  char const* name;
  std::uint32_t hidden;
  std::uint32_t layers;
  std::size_t tokens;
};

constexpr Model models[] = {{"1M_32", 128, 6, 32}, {"1M_512", 128, 6, 512}, {"25M_512", 512, 8, 512}};

DecoderWeights random_model(Model const& model) {
  DecoderConfig config;
  config.layers = model.layers;
  config.hidden = model.hidden;
  config.feed_forward = 8 * model.hidden / 3 / 16 * 16;
  config.head_dim = 32;
  config.heads = config.kv_heads = model.hidden / config.head_dim;
  config.vocabulary = 512;
  config.context_length = 64;
  config.tied_head = true;
  DecoderWeights weights(config);
  zeroth::model::fill_random(weights, zeroth::CpuBackend{}, 1);
  return weights;
}

/// Steps of S-MeZO on one executor, over weights that all of them share and none changes.
class Steps {
 public:
  Steps(DecoderWeights& weights, std::vector<Example> const& batch, AnyExecutor executor)
      : batch_(batch),
        decoder_(weights, CpuOps(executor)),
        scorer_(decoder_),
        optimizer_(weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{}, zeroth::CpuBackend(executor),
                   {.epsilon = 1e-3, .learning_rate = 1e-20}) {}

  /// Seconds of that many steps.
  [[nodiscard]] double run(int steps) {
    // Threads of the one before may still spin.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return seconds([&] {
      for (int i = 0; i < steps; ++i)
        optimizer_.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
          std::ranges::copy(scorer_.score(batch_, probe).losses, losses.begin());
        });
    });
  }

 private:
  std::vector<Example> const& batch_;
  zeroth::model::Decoder<CpuOps> decoder_;
  zeroth::model::CandidateScorer<zeroth::model::Decoder<CpuOps>> scorer_;
  zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::SmallestMagnitude, zeroth::CpuBackend> optimizer_;
};

std::vector<Example> batch_of(Model const& model) {
  constexpr std::size_t length = 32;
  std::vector<Example> batch;
  for (std::size_t s = 0; s < model.tokens / length; ++s) {
    Example example{{}, {{3}, {5}}, s % 2};
    for (std::size_t t = 0; t < length; ++t)
      example.prompt.push_back(static_cast<std::int32_t>((31 * s + 17 * t) % 512));
    batch.push_back(std::move(example));
  }
  return batch;
}

nlohmann::json measure_steps(Model const& model, Load const& load, Settings const& settings) {
  DecoderWeights weights = random_model(model);
  std::vector<Example> const batch = batch_of(model);
  zeroth::ThreadPool const pool(settings.threads);
  zeroth::OpenMpExecutor const openmp(settings.threads);
  Steps on_one(weights, batch, {});
  Steps on_pool(weights, batch, pool);
  Steps on_openmp(weights, batch, openmp);
  (void)on_one.run(2);  // allocates
  (void)on_pool.run(2);
  (void)on_openmp.run(2);
  int const steps = std::max(1, static_cast<int>(std::ceil(settings.seconds / (on_one.run(4) / 4))));

  BusyLoops const loops(load);
  std::this_thread::sleep_for(std::chrono::milliseconds(load.processes == 0 ? 0 : 200));
  std::vector<double> one;
  std::vector<double> two;
  std::vector<double> three;
  for (int round = 0; round < settings.rounds; ++round) {
    if (round % 2 == 0) one.push_back(on_one.run(steps));
    two.push_back(on_pool.run(steps));
    if (round % 2 != 0) one.push_back(on_one.run(steps));
    three.push_back(on_openmp.run(steps));
  }
  nlohmann::json result;
  put(result, "pool_over_one_thread", ratio(two, one));
  put(result, "openmp_over_one_thread", ratio(three, one));
  put(result, "one_thread_seconds_per_step", [&] {
    std::vector<double> each;
    for (double total : one) each.push_back(total / steps);
    return spread(std::move(each));
  }());
  return result;
}

/// Waits without giving up the processor.
void wait_for(std::chrono::microseconds time) {
  auto const end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// Nanoseconds of a loop of that many empty tasks that begins so long after the last one.
double nanoseconds(AnyExecutor executor, std::size_t tasks, std::chrono::microseconds pause) {
  auto loop = [&] { executor.parallel_for(tasks, [](std::size_t) {}); };
  if (pause.count() == 0) {
    constexpr int loops = 20'000;
    loop();
    return 1e9 / loops * seconds([&] {
             for (int i = 0; i < loops; ++i) loop();
           });
  }
  constexpr int loops = 500;
  double sum = 0;
  for (int i = 0; i < loops; ++i) {
    wait_for(pause);
    sum += seconds(loop);
  }
  return 1e9 / loops * sum;
}

nlohmann::json measure_overhead(std::size_t tasks, std::chrono::microseconds pause, Settings const& settings) {
  zeroth::ThreadPool const pool(settings.threads);
  zeroth::OpenMpExecutor const openmp(settings.threads);
  std::vector<double> of_pool;
  std::vector<double> of_openmp;
  for (int round = 0; round < settings.rounds; ++round) {
    for (bool const is_pool : {round % 2 == 0, round % 2 != 0}) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      (is_pool ? of_pool : of_openmp)
          .push_back(is_pool ? nanoseconds(pool, tasks, pause) : nanoseconds(openmp, tasks, pause));
    }
  }
  nlohmann::json result;
  put(result, "pool_nanoseconds", spread(of_pool));
  put(result, "openmp_nanoseconds", spread(of_openmp));
  put(result, "pool_over_openmp", ratio(of_pool, of_openmp));
  return result;
}

/// The measurements, by name, in order.
struct Job {
  std::string name;
  std::function<nlohmann::json()> measure;
};

std::vector<Job> all_jobs(Settings const& settings) {
  std::vector<Job> jobs;
  unsigned const threads = zeroth::OpenMpExecutor(settings.threads).concurrency();
  for (std::size_t tasks : {std::size_t{threads}, std::size_t{64}})
    for (int pause : {0, 5, 500})
      jobs.push_back(
          {"loop_of_" + std::to_string(tasks) + (pause != 0 ? "_after_" + std::to_string(pause) + "_us" : ""),
           [=] { return measure_overhead(tasks, std::chrono::microseconds(pause), settings); }});
  unsigned const processors = zeroth::ThreadPool::default_threads();
  std::vector<Load> const loads{{"quiet", 0, 0},
                                {"one_niced_loop", 1, 19},
                                {"one_loop", 1, 0},
                                {"a_niced_loop_per_processor", processors, 19},
                                {"a_loop_per_processor", processors, 0}};
  for (Load const& load : loads)
    for (Model const& model : models)
      jobs.push_back(
          {"step_" + std::string(model.name) + "_" + load.name, [=] { return measure_steps(model, load, settings); }});
  return jobs;
}

void print(nlohmann::json const& figures) {
  for (auto const& [name, value] : figures.items())
    if (value.is_number())
      std::printf("  %-28s %.4g (%.4g to %.4g)\n", name.c_str(), value.get<double>(),
                  figures[name + "_spread"][0].get<double>(), figures[name + "_spread"][1].get<double>());
}

int run(int argc, char** argv) {
  CLI::App app("What it costs to hand work to threads, on a quiet machine and a busy one");
  Settings settings;
  bool list = false;
  app.add_option("--threads", settings.threads, "threads; 0: all")->capture_default_str();
  app.add_option("--rounds", settings.rounds, "rounds of each case")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--seconds", settings.seconds, "what a measurement takes at least")->capture_default_str();
  app.add_option("--only", settings.only, "only cases whose names contain this");
  app.add_flag("--list", list, "print the names of the cases");
  CLI11_PARSE(app, argc, argv);

  nlohmann::json results;
  for (Job const& job : all_jobs(settings)) {
    if (job.name.find(settings.only) == std::string::npos) continue;
    std::printf("%s\n", job.name.c_str());
    std::fflush(stdout);
    if (list) continue;
    nlohmann::json const figures = job.measure();
    print(figures);
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

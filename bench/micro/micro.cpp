// SPDX-License-Identifier: MIT
#include "micro.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace zeroth_bench {

namespace {

constexpr std::size_t beyond_caches = std::size_t{1} << 28;

/// Removes --threads=N from the command line and returns N.
unsigned take_threads(int& argc, char** argv) {
  unsigned threads = 1;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    std::string_view const argument = argv[i];
    if (argument.starts_with("--threads="))
      threads = static_cast<unsigned>(std::max(1, std::atoi(argv[i] + std::string_view("--threads=").size())));
    else
      argv[kept++] = argv[i];
  }
  argc = kept;
  return threads;
}

void add_context(char const* name, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  benchmark::AddCustomContext(name, text);
}

}  // namespace

Micro::Micro(int argc, char** argv) : executor_(take_threads(argc, argv)) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) std::exit(2);
}

void Micro::quantile() {
  add("quantile/median", sizes, types, [](Tensor const& tensor, zeroth::CpuBackend const& backend) {
    auto body = [&tensor, backend] {
      zeroth::Parameter const* const tensors[] = {&tensor.parameter()};
      benchmark::DoNotOptimize(backend.kth_magnitude(tensors, tensor.size() / 2));
    };
    return Benchmark{std::move(body), 2 * tensor.element_bytes(), Access::read, {}};
  });
}

void Micro::add(std::string const& name, std::vector<std::uint64_t> const& elements,
                std::vector<zeroth::DataType> const& dtypes, Make const& make) {
  for (zeroth::DataType dtype : dtypes) {
    if (!zeroth::CpuBackend::supports(dtype)) continue;
    for (zeroth::InstructionSet set : zeroth::every_instruction_set) {
      if (!zeroth::is_supported(set)) continue;
      for (std::uint64_t count : elements) {
        std::string const whole =
            name + "/" + text(to_string(dtype)) + "/" + text(to_string(set)) + "/" + std::to_string(count);
        auto* const registered = benchmark::RegisterBenchmark(
            whole.c_str(), [=, this](benchmark::State& state) { time(state, make, set, dtype, count); });
        // A single thread is measured in processor time, so sharing the machine matters less.
        if (executor_.concurrency() > 1) registered->UseRealTime();
      }
    }
  }
}

void Micro::time(benchmark::State& state, Make const& make, zeroth::InstructionSet set, zeroth::DataType dtype,
                 std::uint64_t elements) {
  std::unique_ptr<Tensor>& tensor = tensors_[{dtype, elements}];
  if (!tensor) tensor = std::make_unique<Tensor>(elements, dtype);
  Benchmark const made = make(*tensor, zeroth::CpuBackend(executor_, set));
  made.body();
  for (auto _ : state) made.body();
  auto const n = static_cast<double>(elements);
  auto rate = [&](char const* name, double an_element, double peak) {
    if (an_element != 0)
      state.counters[name] = benchmark::Counter(n * an_element / peak, benchmark::Counter::kIsIterationInvariantRate);
  };
  rate("values", 1, 1);
  rate("bytes", made.bytes, 1);
  rate("of_memory", made.bytes, made.access == Access::read ? peaks_.read : peaks_.update);
  rate("of_fma", made.work.operations, peaks_.fma);
  rate("of_multiply", made.work.products, peaks_.multiply);
}

int Micro::run() {
  peaks_ = measure_peaks(executor_, beyond_caches);
  add_context("threads", executor_.concurrency());
  add_context("peak_read_bytes", peaks_.read);
  add_context("peak_copy_bytes", peaks_.copy);
  add_context("peak_update_bytes", peaks_.update);
  add_context("peak_fma_operations", peaks_.fma);
  add_context("peak_multiply_products", peaks_.multiply);
  return benchmark::RunSpecifiedBenchmarks() == 0 ? 1 : 0;
}

}  // namespace zeroth_bench

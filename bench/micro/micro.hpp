// SPDX-License-Identifier: MIT
#pragma once

// Micro-benchmarks for any Sampler, MaskPolicy, Update and Estimator, built-in or user-defined, on Google Benchmark.
// docs/benchmarking.md shows how to measure your own.

#include <benchmark/benchmark.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/zeroth.hpp>

#include "peaks.hpp"
#include "tensor.hpp"

namespace zeroth_bench {

/// Arithmetic per value.
struct Work {
  double operations = 0;  ///< f32, a multiply-add counts as two
  double products = 0;    ///< 32 x 32 bits to 64
};

/// The arithmetic of a sampler's definition: Philox's products, divided among the values of a block, and the map of the
/// built-in samplers; a user's own map is not counted.
template <zeroth::Sampler S>
[[nodiscard]] Work work_of(S const& /*sampler*/) {
  double const products = 14.0 / zeroth::values_per_block<S>;
  // normal_pair: 16 multiply-adds, 5 products, a sum and a square root for two values.
  if constexpr (std::is_same_v<S, zeroth::Gaussian>) return {19.5, products};
  if constexpr (std::is_same_v<S, zeroth::Uniform>) return {1, products};
  return {0, products};
}

/// Registers and runs benchmarks, each for every instruction set of this machine, every element type that the backend
/// supports and every size.
///
/// Their names are KIND/WHAT/TYPE/SET/ELEMENTS. Counters: `values` and `bytes` per second, and `of_memory`, `of_fma`
/// and `of_multiply`: the share of this machine's peak, measured at the start of the same run. Bytes are those of the
/// stored tensor that are read and written; panels stay in a cache and do not count.
class Micro {
 public:
  /// Takes Google Benchmark's options and --threads=N (default 1) from the command line.
  Micro(int argc, char** argv);

  /// Only z: one lane expanded from f32 within the first-level cache.
  template <zeroth::Sampler S>
  void sampler(S const& s) {
    add("sampler/" + text(s.name()), {panel_size}, {zeroth::DataType::f32},
        [s](Tensor const& tensor, zeroth::CpuBackend const& backend) {
          auto body = [&tensor, s, backend, panel = std::vector<float>(panel_size)]() mutable {
            zeroth::Point const lane{0, 1};
            float* const out = panel.data();
            backend.expand(tensor.parameter(), everything(), zeroth::NoiseField<S>{s, 1}, {&lane, 1}, 1.0F, 0,
                           panel_size, {&out, 1});
            benchmark::DoNotOptimize(panel[0]);
          };
          return Benchmark{std::move(body), 0, Access::none, work_of(s)};
        });
  }

  /// The mask as bits.
  template <zeroth::MaskPolicy M>
  void mask(M const& policy) {
    add("mask/" + text(policy.name()), sizes, types, [policy](Tensor const& tensor, zeroth::CpuBackend const& backend) {
      auto const state = zeroth::prepare_mask(policy, tensor.parameters(), zeroth::WeightReader(backend));
      auto body = [&tensor, state, backend, bits = zeroth::Bitmap(tensor.parameter())]() mutable {
        backend.mask_bits(tensor.parameter(), state.tensor(0, 0), bits.words());
        benchmark::DoNotOptimize(bits.words()[0]);
      };
      bool const reads = zeroth::depends_on_weights<zeroth::MaskRuleOf<zeroth::MaskState<M>>>;
      return Benchmark{std::move(body), reads ? tensor.element_bytes() : 0, Access::read, {}};
    });
  }

  /// The exact median of the magnitudes.
  void quantile();

  /// theta <- theta + c m z in place: what the in-place form does before each loss.
  template <zeroth::Sampler S, zeroth::MaskPolicy M>
  void perturb(S const& s, M const& policy) {
    add_pass("perturb/" + text(s.name()) + "+" + text(policy.name()), s, policy, zeroth::Sgd{});
  }

  /// The pass that ends a step.
  template <zeroth::Sampler S, zeroth::MaskPolicy M, class U>
  void update(S const& s, M const& policy, U const& rule) {
    add_pass("update/" + text(rule.name()) + (rule.decay(1) != 0 ? "-decay+" : "+") + text(s.name()) + "+" +
                 text(policy.name()),
             s, policy, rule);
  }

  /// Panels of theta + eps m z and theta - eps m z, in a cache: what the fused form computes for each matrix.
  template <zeroth::Sampler S, zeroth::MaskPolicy M>
  void expand(S const& s, M const& policy) {
    add("expand/" + text(s.name()) + "+" + text(policy.name()), sizes, types,
        [s, policy](Tensor const& tensor, zeroth::CpuBackend const& backend) {
          auto const state = zeroth::prepare_mask(policy, tensor.parameters(), zeroth::WeightReader(backend));
          auto body = [&tensor, s, state, backend] {
            zeroth::Point const lanes[] = {{0, 1}, {0, -1}};
            for_panels(tensor, backend, 2, [&](std::uint64_t first, std::uint64_t count, std::span<float* const> out) {
              backend.expand(tensor.parameter(), state.tensor(0, 0), zeroth::NoiseField<S>{s, 1}, lanes, 1e-3F, first,
                             count, out);
            });
          };
          return Benchmark{std::move(body), tensor.element_bytes(), Access::read, plus(work_of(s), 4)};
        });
  }

  /// A whole step with an objective that requests every panel and computes nothing: the cost of an estimator and its
  /// lanes, apart from the forwards.
  template <zeroth::Sampler S, zeroth::MaskPolicy M, zeroth::Estimator E, zeroth::Update U = zeroth::Sgd>
  void step(S const& s, M const& policy, E const& estimator, U const& rule = {}) {
    add("step/" + text(estimator.name()) + "+" + text(s.name()) + "+" + text(policy.name()), sizes, types,
        [s, policy, estimator, rule](Tensor const& tensor, zeroth::CpuBackend const& backend) {
          using Optimizer = zeroth::ZerothOrderOptimizer<S, M, zeroth::CpuBackend, U, E>;
          auto optimizer = std::make_shared<Optimizer>(
              tensor.parameters(), s, policy, backend, rule, estimator,
              zeroth::Options{.learning_rate = no_change, .samples = least_samples_of(estimator)});
          auto body = [&tensor, backend, optimizer] {
            optimizer->step([&](auto const& probe, std::span<double> losses) {
              for_panels(tensor, backend, losses.size(),
                         [&](std::uint64_t first, std::uint64_t count, std::span<float* const> out) {
                           probe.expand(0, first, count, out);
                         });
              for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = static_cast<double>(k);
            });
          };
          return Benchmark{std::move(body), 3 * tensor.element_bytes(), Access::update, {}};
        });
  }

  /// A whole step in place with an objective that computes nothing: two points, restored and updated. In f32 with
  /// arithmetic restore too.
  template <zeroth::Sampler S, zeroth::MaskPolicy M>
  void in_place(S const& s, M const& policy) {
    for (zeroth::Restore restore : {zeroth::Restore::arithmetic, zeroth::Restore::exact}) {
      bool const is_exact = restore == zeroth::Restore::exact;
      add("in-place/" + std::string(is_exact ? "exact" : "arithmetic") + "+" + text(s.name()) + "+" +
              text(policy.name()),
          sizes, is_exact ? types : std::vector{zeroth::DataType::f32},
          [s, policy, restore](Tensor const& tensor, zeroth::CpuBackend const& backend) {
            using Optimizer = zeroth::ZerothOrderOptimizer<S, M, zeroth::CpuBackend>;
            auto optimizer =
                std::make_shared<Optimizer>(tensor.parameters(), s, policy, backend,
                                            zeroth::Options{.learning_rate = no_change, .restore = restore});
            auto body = [optimizer, loss = 0.0]() mutable { optimizer->step([&] { return loss += 1; }); };
            return Benchmark{std::move(body), 6 * tensor.element_bytes(), Access::update, {}};
          });
    }
  }

  /// The update of a dense step of any kind, with its state or past noise, as a journal's replay makes it; an update
  /// with a window has its window full.
  template <zeroth::Sampler S, class U>
  void replay(S const& s, U const& rule) {
    std::vector<zeroth::DataType> const dtypes =
        zeroth::UpdateWithWindow<U> ? std::vector{zeroth::DataType::f32} : types;
    add("replay/" + text(rule.name()) + "+" + text(s.name()), sizes, dtypes,
        [s, rule](Tensor const& tensor, zeroth::CpuBackend const& backend) {
          using Optimizer = zeroth::ZerothOrderOptimizer<S, zeroth::Dense, zeroth::CpuBackend, U>;
          auto optimizer =
              std::make_shared<Optimizer>(tensor.parameters(), s, zeroth::Dense{}, backend, rule, zeroth::Options{});
          auto const tiny = static_cast<float>(no_change);
          zeroth::StepRecord record{.step_size = tiny, .coefficients = {tiny}, .active_weights = tensor.size()};
          auto body = [optimizer, record]() mutable {
            record.step = optimizer->steps();
            optimizer->replay(record);
          };
          double bytes = 2 * tensor.element_bytes();
          if constexpr (zeroth::ElementwiseUpdate<U>) bytes += 2 * sizeof(float) * U::state_floats;
          if constexpr (zeroth::UpdateWithWindow<U>)
            for (std::uint32_t i = 1; i < rule.window; ++i) body();
          return Benchmark{std::move(body), bytes, Access::update, {}};
        });
  }

  /// Runs the benchmarks selected on the command line; returns the program's exit code.
  int run();

 private:
  /// The peak with which the bytes of a benchmark are compared.
  enum class Access : std::uint8_t { none, read, update };

  /// A timed function, and its work per element.
  struct Benchmark {
    std::function<void()> body;
    double bytes = 0;
    Access access = Access::none;
    Work work{};
  };
  using Make = std::function<Benchmark(Tensor const&, zeroth::CpuBackend const&)>;

  /// Two panels and their weights fit a first-level cache of 32 KiB.
  static constexpr std::uint64_t panel_size = 2048;
  /// In f32: 16 KiB, 512 KiB and 128 MiB, for two levels of caches and for memory.
  static inline std::vector<std::uint64_t> const sizes = {1U << 12, 1U << 17, 1U << 25};
  static inline std::vector<zeroth::DataType> const types = {zeroth::DataType::f32, zeroth::DataType::bf16,
                                                             zeroth::DataType::f16};
  /// A coefficient so small that no weight changes: every iteration then does the same work.
  static constexpr double no_change = 1e-20;

  static std::string text(std::string_view name) { return std::string(name); }
  static zeroth::TensorMask<zeroth::Dense::Rule> everything() { return {zeroth::Coverage::all, {}}; }
  static Work plus(Work work, double operations) { return {work.operations + operations, work.products}; }

  /// Calls body(first, count, panels) for each panel of the tensor; each thread takes a run of panels and reuses its
  /// scratch.
  template <class F>
  static void for_panels(Tensor const& tensor, zeroth::CpuBackend const& backend, std::size_t lanes, F&& body) {
    std::size_t const shares = backend.executor().concurrency();
    std::uint64_t const panels = (tensor.size() + panel_size - 1) / panel_size;
    backend.executor().parallel_for(shares, [&](std::size_t share) {
      std::vector<float> scratch(lanes * panel_size);
      std::vector<float*> out;
      for (std::size_t k = 0; k < lanes; ++k) out.push_back(&scratch[k * panel_size]);
      for (std::uint64_t p = panels * share / shares; p < panels * (share + 1) / shares; ++p)
        body(p * panel_size, std::min(panel_size, tensor.size() - p * panel_size), std::span<float* const>(out));
      benchmark::DoNotOptimize(scratch[0]);
    });
  }

  template <class S, class M, class U>
  void add_pass(std::string const& name, S const& s, M const& policy, U const& rule) {
    bool const decays = rule.decay(1) != 0;
    add(name, sizes, types, [s, policy, decays, rule](Tensor const& tensor, zeroth::CpuBackend const& backend) {
      auto const state = zeroth::prepare_mask(policy, tensor.parameters(), zeroth::WeightReader(backend));
      auto body = [&tensor, s, state, backend, decays, rule] {
        auto const tiny = static_cast<float>(no_change);
        zeroth::NoiseTerm const term{0, 0, tiny};
        zeroth::ElementwisePass const pass{.decay = decays ? tiny : 0, .terms = {&term, 1}};
        zeroth::NoiseField<S> const noise{s, 1};
        [[maybe_unused]] U const& update = rule;
        if constexpr (zeroth::ElementwiseUpdate<U>) {
          static_assert(U::state_floats == 0, "an update with state is timed by replay()");
          benchmark::DoNotOptimize(backend.apply_rule(tensor.parameter(), nullptr, state.tensor(0, 0), noise, pass,
                                                      update.rule(tiny, 1), nullptr));
        } else {
          benchmark::DoNotOptimize(backend.apply(tensor.parameter(), nullptr, state.tensor(0, 0), noise, pass));
        }
      };
      return Benchmark{std::move(body), 2 * tensor.element_bytes(), Access::update, plus(work_of(s), decays ? 4 : 2)};
    });
  }

  void add(std::string const& name, std::vector<std::uint64_t> const& elements,
           std::vector<zeroth::DataType> const& dtypes, Make const& make);
  void time(benchmark::State& state, Make const& make, zeroth::InstructionSet set, zeroth::DataType dtype,
            std::uint64_t elements);

  zeroth::ThreadPool executor_;
  Peaks peaks_;
  std::map<std::pair<zeroth::DataType, std::uint64_t>, std::unique_ptr<Tensor>> tensors_;
};

}  // namespace zeroth_bench

// SPDX-License-Identifier: MIT
// The cost of the CUDA backend's elementwise kernels, as a share of the bandwidth of a copy measured in alternation
// with them: bench_cuda [--smoke]. Expansions write panels of 8 to 96 MB, both lanes together. Prints each kernel as
// soon as it is measured, with a line of JSON. Without a device it says so and returns 77.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/random/normal.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/storage/narrow.hpp>

#include "report.hpp"

namespace {

using zeroth::DataType;
using zeroth::Gaussian;
using zeroth::NoiseField;
using zeroth::Rademacher;
using zeroth::Rounding;
using zeroth::TensorMask;
using Smallest = zeroth::TensorMask<zeroth::MagnitudeRule<true>>;

/// A matrix of LLaMA-7b's MLP, of some type.
struct Matrix {
  static constexpr std::uint64_t columns = 4096;

  Matrix(zeroth::CudaBackend const& backend, DataType dtype, std::uint64_t rows)
      : parameter{"mlp", zeroth::Role::matrix, {rows, columns}, dtype, nullptr, zeroth::stream_of("mlp"), 0} {
    auto const bytes = static_cast<std::size_t>(parameter.bytes());
    memory = backend.allocate(bytes);
    parameter.data = memory.get();
    std::vector<std::byte> weights(bytes);
    zeroth::RandomSource const source{1, 0, 0, 0, zeroth::Purpose::initialization};
    for (std::uint64_t i = 0; i < parameter.size(); ++i) {
      float const weight = 0.02F * zeroth::normal_pair(source.block(i)[0]).first;
      std::uint16_t const narrowed = dtype == DataType::f32 ? std::uint16_t{0} : narrow(dtype, weight);
      void const* const from = dtype == DataType::f32 ? static_cast<void const*>(&weight) : &narrowed;
      std::memcpy(weights.data() + i * size_of(dtype), from, size_of(dtype));
    }
    backend.transfer(parameter.data, weights.data(), bytes);
    zeroth::Parameter const* const only = &parameter;
    smallest.rule.threshold_bits = zeroth::magnitude_bits(backend.kth_magnitude({&only, 1}, parameter.size() / 4));
  }

  std::shared_ptr<std::byte> memory;
  zeroth::Parameter parameter;
  Smallest smallest;  // a quarter of the weights
};

struct Case {
  std::string name;
  double bytes;  ///< bytes that it must read and write
  std::function<void()> run;
};

class Benchmark {
 public:
  explicit Benchmark(bool smoke)
      : rows_(smoke ? 256 : 11008), rounds_(smoke ? 3 : 21), bytes_before_(zeroth_bench::device_bytes_in_use()) {
    matrices_.reserve(2);  // they are referred to
    for (DataType dtype : {DataType::bf16, DataType::f32}) matrices_.emplace_back(backend_, dtype, rows_);
    for (auto& panel : panels_) panel = backend_.allocate((std::size_t{panel_megabytes[4]} << 20) / 2);
    beside_ = backend_.allocate(static_cast<std::size_t>(matrices_[0].parameter.size()));
    for (auto& side : copied_) side = backend_.allocate(copy_bytes);
    for (Matrix const& matrix : matrices_) {
      add_expansions(matrix);
      add_passes(matrix);
      add_quantile(matrix);
    }
  }

  int run() {
    std::printf("%-46s %-32s share of copy bandwidth: median, lowest, highest of %d\n", "kernel", "ms", rounds_);
    std::vector<double> copies;
    for (Case const& one : cases_) {
      std::vector<double> of_copy;
      std::vector<double> rates;
      std::vector<double> times;
      for (int round = -2; round < rounds_; ++round) {  // the first two do not count
        double const copy = 2.0 * copy_bytes / seconds([&] {
                              backend_.device().transfer_async(copied_[0].get(), copied_[1].get(), copy_bytes, "copy");
                            });
        double const time = seconds(one.run);
        if (round < 0) continue;
        copies.push_back(copy);
        times.push_back(time * 1e3);
        rates.push_back(one.bytes / time);
        of_copy.push_back(one.bytes / time / copy);
      }
      report(one, times, rates, of_copy);
    }
    zeroth_bench::JsonObject result;
    result.text("part", "cuda_kernels");
    result.raw("device", zeroth_bench::describe_device(0).str());
    result.bytes("weights", static_cast<std::size_t>(matrices_[0].parameter.size()));
    result.raw("copy_bytes_per_second", zeroth_bench::spread_text(copies));
    result.bytes("backend_bytes", zeroth::CudaBackend::bytes());
    result.bytes("device_bytes", zeroth_bench::device_bytes_in_use() - bytes_before_);
    std::printf("%-46s %s bytes a second\n%s\n", "copy", zeroth_bench::spread_text(copies).c_str(),
                result.str().c_str());
    return 0;
  }

 private:
  static constexpr std::size_t copy_bytes = std::size_t{256} << 20;
  static constexpr unsigned panel_megabytes[] = {8, 16, 32, 64, 96};  // of both lanes

  template <class Work>
  [[nodiscard]] double seconds(Work const& work) const {
    return zeroth_bench::milliseconds(backend_.stream(), work) / 1e3;
  }

  void add(std::string const& what, Matrix const& matrix, double bytes_a_weight, std::function<void()> run) {
    std::string const dtype(to_string(matrix.parameter.dtype));
    cases_.push_back(
        {what + "/" + dtype, bytes_a_weight * static_cast<double>(matrix.parameter.size()), std::move(run)});
  }

  template <class S, class Rule>
  void add_expansion(std::string const& name, Matrix const& matrix, TensorMask<Rule> mask, DataType panel_dtype,
                     unsigned megabytes) {
    std::size_t const width = size_of(panel_dtype);
    std::uint64_t const most = (std::uint64_t{megabytes} << 20) / (2 * width);
    auto run = [this, &matrix, mask, panel_dtype, most] {
      zeroth::Point const lanes[] = {{0, +1}, {0, -1}};
      void* const panels[] = {panels_[0].get(), panels_[1].get()};
      std::uint64_t const size = matrix.parameter.size();
      for (std::uint64_t first = 0; first < size; first += most) {
        std::uint64_t const count = most < size - first ? most : size - first;
        backend_.expand_to(matrix.parameter, mask, NoiseField<S>{{}, 7, 0}, std::span(lanes), 1e-3F,
                           zeroth::PanelRequest{.first = first, .count = count, .dtype = panel_dtype},
                           std::span(panels));
      }
    };
    add("expand/" + name + "/to " + std::string(to_string(panel_dtype)) + "/" + std::to_string(megabytes) + " MB",
        matrix, static_cast<double>(size_of(matrix.parameter.dtype) + 2 * width), run);
  }

  void add_expansions(Matrix const& matrix) {
    constexpr unsigned usual = panel_megabytes[2];
    for (DataType panel_dtype : {DataType::bf16, DataType::f32}) {
      // f32 weights are only expanded to f32 panels.
      if (matrix.parameter.dtype == DataType::f32 && panel_dtype != DataType::f32) continue;
      for (unsigned megabytes : panel_megabytes)
        add_expansion<Gaussian>("gaussian/smallest", matrix, matrix.smallest, panel_dtype, megabytes);
      add_expansion<Gaussian>("gaussian/dense", matrix, TensorMask<zeroth::Dense::Rule>{zeroth::Coverage::all, {}},
                              panel_dtype, usual);
      add_expansion<Rademacher>("rademacher/smallest", matrix, matrix.smallest, panel_dtype, usual);
    }
  }

  template <class S>
  void add_pass(std::string const& name, Matrix const& matrix, Rounding rounding) {
    // Back and forth, so that the weights and the share of active ones stay the same.
    auto run = [this, &matrix, rounding, sign = 1.0F]() mutable {
      zeroth::NoiseTerm const term{0, 0, sign * 1e-6F};
      sign = -sign;
      backend_.count_later();
      backend_.apply(matrix.parameter, nullptr, matrix.smallest, NoiseField<S>{{}, 7, 0},
                     zeroth::ElementwisePass{.terms = {&term, 1}, .rounding = rounding, .remainders = {beside_.get()}});
    };
    double const beside =
        matrix.parameter.dtype == DataType::f32 ? 0 : 2 * static_cast<double>(remainder_bytes(rounding));
    add(name, matrix, 2 * static_cast<double>(size_of(matrix.parameter.dtype)) + beside, run);
  }

  void add_passes(Matrix const& matrix) {
    add_pass<Gaussian>("perturb/gaussian/smallest", matrix, Rounding::nearest);
    add_pass<Rademacher>("perturb/rademacher/smallest", matrix, Rounding::nearest);
    if (matrix.parameter.dtype == DataType::f32) return;
    add_pass<Gaussian>("update/gaussian/smallest/stochastic", matrix, Rounding::stochastic);
    add_pass<Gaussian>("update/gaussian/smallest/extra-byte", matrix, Rounding::extra_byte);
  }

  void add_quantile(Matrix const& matrix) {
    add("quantile", matrix, 3 * static_cast<double>(size_of(matrix.parameter.dtype)), [this, &matrix] {
      zeroth::Parameter const* const only = &matrix.parameter;
      (void)backend_.kth_magnitude({&only, 1}, matrix.parameter.size() / 4);
    });
  }

  static void report(Case const& one, std::vector<double> const& times, std::vector<double> const& rates,
                     std::vector<double> const& of_copy) {
    std::string const time = zeroth_bench::spread_text(times);
    std::string const share = zeroth_bench::spread_text(of_copy);
    std::printf("%-46s %-32s %s\n", one.name.c_str(), time.c_str(), share.c_str());
    zeroth_bench::JsonObject row;
    row.text("part", "cuda_kernel");
    row.text("kernel", one.name);
    row.raw("milliseconds", time);
    row.raw("bytes_per_second", zeroth_bench::spread_text(rates));
    row.raw("of_copy", share);
    std::printf("%s\n", row.str().c_str());
  }

  zeroth::CudaBackend backend_;
  std::uint64_t rows_;
  int rounds_;
  std::size_t bytes_before_;
  std::vector<Matrix> matrices_;
  std::shared_ptr<std::byte> panels_[2];
  std::shared_ptr<std::byte> beside_;
  std::shared_ptr<std::byte> copied_[2];
  std::vector<Case> cases_;
};

}  // namespace

int main(int argc, char** argv) {
  zeroth_bench::write_lines();
  bool const smoke = argc == 2 && std::string_view(argv[1]) == "--smoke";
  if (argc > 2 || (argc == 2 && !smoke)) {
    std::fprintf(stderr, "usage: bench_cuda [--smoke]\n");
    return 2;
  }
  std::string const why = zeroth::cuda::why_unusable(0);
  if (!why.empty()) {
    std::printf("skipped: %s\n", why.c_str());
    return 77;
  }
  try {
    return Benchmark(smoke).run();
  } catch (zeroth::Error const& error) {
    std::fprintf(stderr, "bench_cuda: %s\n", error.what());
    return 1;
  }
}

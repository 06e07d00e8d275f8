// SPDX-License-Identifier: MIT
// The effect of storing weights in 16 bits: bench_rounding MODEL.gguf [SAMPLE [STEPS [DRIFT_STEPS]]], as CSV.
//
// SAMPLE evenly spread weights of each matrix of the model take STEPS updates c z as in a run of MeZO, |c| = eta g, and
// are compared with the same updates summed in double. Before that, the in-place form perturbs and restores them
// DRIFT_STEPS times. docs/rounding.md has the results.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include <zeroth/zeroth.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>

namespace {

using zeroth::DataType;
using zeroth::Rounding;

constexpr double epsilon = 1e-3;
constexpr double sparsity = 0.75;

/// Weights of one tensor, evenly spread over it.
struct Sample {
  std::string name;
  std::vector<float> weights;
  float threshold;  ///< of the whole tensor, at that sparsity
};

std::vector<Sample> samples_of(zeroth::ParameterSet const& parameters, std::size_t count) {
  std::vector<Sample> samples;
  zeroth::CpuBackend const backend;
  for (zeroth::Parameter const& p : parameters) {
    if (p.role == zeroth::Role::vector) continue;
    zeroth::Parameter const* const tensor = &p;
    auto const active = static_cast<std::uint64_t>(std::ceil((1 - sparsity) * static_cast<double>(p.size())));
    Sample sample{p.name, {}, backend.kth_magnitude(std::span(&tensor, 1), active)};
    for (std::size_t i = 0; i < count; ++i)
      sample.weights.push_back(static_cast<float const*>(p.data)[p.size() * i / count]);
    samples.push_back(std::move(sample));
  }
  return samples;
}

/// The samples, stored as `dtype`.
class Stored {
 public:
  Stored(std::vector<Sample> const& samples, DataType dtype) {
    std::size_t bytes = 0;
    for (Sample const& sample : samples) bytes += sample.weights.size() * size_of(dtype);
    memory.resize(bytes);
    std::byte* next = memory.data();
    for (Sample const& sample : samples) {
      zeroth::narrow_values(dtype, sample.weights, next);
      parameters.add(sample.name, zeroth::Role::matrix, {1, sample.weights.size()}, dtype, next);
      next += sample.weights.size() * size_of(dtype);
    }
  }

  [[nodiscard]] std::vector<float> values(std::size_t tensor) const {
    std::vector<float> result(parameters[tensor].size());
    zeroth::CpuBackend{}.read(parameters[tensor], 0, result);
    return result;
  }

  zeroth::ParameterSet parameters;
  std::vector<std::byte> memory;
};

zeroth::NoiseField<zeroth::Gaussian> noise_of(std::uint32_t step) {
  return {{}, 1, step};
}

zeroth::TensorMask<zeroth::Dense::Rule> const dense{zeroth::Coverage::all, {}};

/// The sign of the projected gradient at a step.
double sign_of(std::uint32_t step) {
  return zeroth::draw_example(3, step, 0, 2) == 0 ? 1 : -1;
}

/// Sum of sign z over the steps for every weight of every sample.
std::vector<std::vector<double>> directions(std::vector<Sample> const& samples, std::uint32_t steps) {
  std::vector<Sample> zeros = samples;
  for (Sample& sample : zeros) std::fill(sample.weights.begin(), sample.weights.end(), 0.0F);
  Stored const stored(zeros, DataType::f32);
  std::vector<std::vector<double>> sums;
  for (Sample const& sample : samples) sums.emplace_back(sample.weights.size(), 0.0);
  std::vector<float> z(samples[0].weights.size());
  float* const panel = z.data();
  zeroth::Point const lane{0, 1};
  for (std::uint32_t step = 0; step < steps; ++step) {
    double const sign = sign_of(step);
    for (std::size_t t = 0; t < samples.size(); ++t) {
      zeroth::CpuBackend{}.expand(stored.parameters[t], dense, noise_of(step), std::span(&lane, 1), 1.0F, 0, z.size(),
                                  std::span(&panel, 1));
      for (std::size_t i = 0; i < z.size(); ++i) sums[t][i] += sign * static_cast<double>(z[i]);
    }
  }
  return sums;
}

/// How realised displacements compare with the intended ones.
class Comparison {
 public:
  void add(double intended, double error, double away_from_zero) {
    ++count_;
    products_ += intended * (intended + error);
    squares_ += intended * intended;
    errors_ += error * error;
    outward_ += error * away_from_zero;
  }
  [[nodiscard]] double gain() const { return products_ / squares_; }
  [[nodiscard]] double error() const { return std::sqrt(errors_ / count_); }
  [[nodiscard]] double outward() const { return outward_ / count_; }

 private:
  double count_ = 0;
  double products_ = 0;
  double squares_ = 0;
  double errors_ = 0;
  double outward_ = 0;
};

void updates(std::vector<Sample> const& samples, std::vector<std::vector<double>> const& sums, DataType dtype,
             Rounding rounding, double update, std::uint32_t steps) {
  Stored stored(samples, dtype);
  Stored const start(samples, dtype);
  zeroth::CpuBackend const backend;
  std::size_t const count = samples.size();
  std::vector<std::vector<std::byte>> beside(count);
  // Unchanged weights, of all and of the smallest; counted at every 20th step.
  std::vector<double> unchanged(count, 0);
  std::vector<double> unchanged_small(count, 0);
  std::uint32_t looks = 0;
  std::vector<std::vector<bool>> small(count);
  for (std::size_t t = 0; t < count; ++t) {
    beside[t].resize(samples[t].weights.size() * remainder_bytes(rounding));
    for (float w : start.values(t)) small[t].push_back(std::abs(w) <= samples[t].threshold);
  }
  for (std::uint32_t step = 0; step < steps; ++step) {
    bool const looks_now = step % 20 == 19;
    looks += looks_now ? 1 : 0;
    zeroth::NoiseTerm const term{step, 0, static_cast<float>(sign_of(step) * update)};
    for (std::size_t t = 0; t < count; ++t) {
      zeroth::Parameter const& p = stored.parameters[t];
      std::vector<std::byte> before;
      std::vector<std::byte> beside_before;
      if (looks_now) {
        before.assign(static_cast<std::byte const*>(p.data), static_cast<std::byte const*>(p.data) + p.bytes());
        beside_before = beside[t];
      }
      zeroth::ElementwisePass pass{.terms = {&term, 1}, .rounding = rounding};
      pass.remainders.data = beside[t].empty() ? nullptr : beside[t].data();
      backend.apply(p, nullptr, dense, noise_of(step), pass);
      if (!looks_now) continue;
      std::size_t const width = size_of(dtype);
      std::size_t const side = remainder_bytes(rounding);
      std::size_t same = 0;
      std::size_t same_small = 0;
      for (std::size_t i = 0; i < p.size(); ++i) {
        bool equal = std::equal(before.begin() + static_cast<std::ptrdiff_t>(i * width),
                                before.begin() + static_cast<std::ptrdiff_t>((i + 1) * width),
                                static_cast<std::byte const*>(p.data) + i * width);
        equal = equal && std::equal(beside_before.begin() + static_cast<std::ptrdiff_t>(i * side),
                                    beside_before.begin() + static_cast<std::ptrdiff_t>((i + 1) * side),
                                    beside[t].begin() + static_cast<std::ptrdiff_t>(i * side));
        same += equal ? 1 : 0;
        same_small += equal && small[t][i] ? 1 : 0;
      }
      unchanged[t] += static_cast<double>(same);
      unchanged_small[t] += static_cast<double>(same_small);
    }
  }
  for (std::size_t t = 0; t < count; ++t) {
    std::vector<float> const from = start.values(t);
    std::vector<float> const to = stored.values(t);
    Comparison all;
    Comparison smallest;
    std::size_t smalls = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      double const intended = update * sums[t][i];
      double const error = static_cast<double>(to[i]) - static_cast<double>(from[i]) - intended;
      double const outward = from[i] < 0 ? -1 : 1;
      all.add(intended, error, outward);
      if (!small[t][i]) continue;
      ++smalls;
      smallest.add(intended, error, outward);
    }
    auto print = [&](char const* which, Comparison const& c, double same, std::size_t n) {
      std::printf("%s,%s,%s,%s,%g,%.4f,%.4f,%.3e,%.3e\n", samples[t].name.c_str(), which,
                  std::string(to_string(dtype)).c_str(), std::string(to_string(rounding)).c_str(), update,
                  same / (static_cast<double>(looks) * static_cast<double>(n)), c.gain(), c.outward(), c.error());
    };
    print("all", all, unchanged[t], from.size());
    print("smallest", smallest, unchanged_small[t], smalls);
  }
  std::fflush(stdout);
}

template <class Mask>
void drift(std::vector<Sample> const& samples, char const* which, Mask const& policy, DataType dtype,
           zeroth::Restore restore, std::uint32_t steps) {
  Stored stored(samples, dtype);
  Stored const start(samples, dtype);
  zeroth::CpuBackend const backend;
  auto masks = prepare_mask(policy, stored.parameters, zeroth::WeightReader(backend));
  zeroth::ZerothOrderOptimizer optimizer(stored.parameters, zeroth::Gaussian{}, policy, backend,
                                         {.epsilon = epsilon, .seed = noise_of(0).seed, .restore = restore});
  double active = 0;
  for (std::size_t t = 0; t < samples.size(); ++t) {
    zeroth::Bitmap bits(stored.parameters[t]);
    backend.mask_bits(stored.parameters[t], masks.tensor(t, 0), bits.words());
    for (std::uint64_t word : bits.words()) active += std::popcount(word);
  }
  for (std::uint32_t step = 0; step < steps; ++step) {
    // A skipped step: there and back, without an update.
    optimizer.step([] { return std::numeric_limits<double>::infinity(); });
    if (step + 1 != 1 && step + 1 != 100 && step + 1 != 1000 && step + 1 != steps) continue;
    double changed = 0;
    double squares = 0;
    double largest = 0;
    for (std::size_t t = 0; t < samples.size(); ++t) {
      std::vector<float> const from = start.values(t);
      std::vector<float> const to = stored.values(t);
      for (std::size_t i = 0; i < from.size(); ++i) {
        double const d = static_cast<double>(to[i]) - static_cast<double>(from[i]);
        changed += zeroth::bits_of(from[i]) != zeroth::bits_of(to[i]) ? 1 : 0;
        squares += d * d;
        largest = std::max(largest, std::abs(d));
      }
    }
    std::printf("drift,%s,%s,%s,%u,%.4f,%.3e,%.3e\n", which, std::string(to_string(dtype)).c_str(),
                restore == zeroth::Restore::exact ? "exact" : "arithmetic", step + 1, changed / active,
                std::sqrt(squares / active), largest);
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s MODEL.gguf [SAMPLE [STEPS [DRIFT_STEPS]]]\n", argv[0]);
    return 2;
  }
  std::size_t const count = argc > 2 ? static_cast<std::size_t>(std::atol(argv[2])) : 128;
  auto const steps = static_cast<std::uint32_t>(argc > 3 ? std::atol(argv[3]) : 20000);
  auto const drift_steps = static_cast<std::uint32_t>(argc > 4 ? std::atol(argv[4]) : 10000);
  std::vector<Sample> samples;
  try {
    zeroth::model::DecoderWeights const weights = zeroth::model::load_gguf(zeroth::model::GgufFile(argv[1]));
    samples = samples_of(weights.parameters(), count);
  } catch (zeroth::Error const& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 2;
  }
  std::printf("# tensor, name, root mean square, threshold\n");
  for (Sample const& s : samples) {
    double squares = 0;
    for (float w : s.weights) squares += static_cast<double>(w) * static_cast<double>(w);
    std::printf("tensor,%s,%.4e,%.4e\n", s.name.c_str(), std::sqrt(squares / static_cast<double>(count)),
                static_cast<double>(s.threshold));
  }
  std::printf(
      "# drift, mask, dtype, restore, steps, share of active weights changed, rms of what they are off, largest\n");
  for (DataType dtype : {DataType::f32, DataType::bf16, DataType::f16})
    for (zeroth::Restore restore : {zeroth::Restore::arithmetic, zeroth::Restore::exact}) {
      drift(samples, "mezo", zeroth::Dense{}, dtype, restore, drift_steps);
      drift(samples, "s-mezo", zeroth::SmallestMagnitude{sparsity}, dtype, restore, drift_steps);
    }
  auto const sums = directions(samples, steps);
  std::printf(
      "# tensor, weights, dtype, rounding, eta g, share unchanged, gain, mean error away from 0, rms of the error\n");
  for (double update : {1e-6, 1e-5}) {
    updates(samples, sums, DataType::f32, Rounding::nearest, update, steps);
    for (DataType dtype : {DataType::bf16, DataType::f16})
      for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte})
        updates(samples, sums, dtype, rounding, update, steps);
  }
}

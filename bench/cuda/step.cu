// SPDX-License-Identifier: MIT
// What a step costs on a device beside two plain forwards, and what memory it takes:
//
//     bench_cuda_step [--smoke] [llama-7b|smollm2-135m]...
//
// Weights of bf16 are made there, in the shape of the model. Prints a table a model, and last a line of JSON. Without a
// device it says so and returns 77.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/masked_probe.hpp>
#include <zeroth/model/any_decoder.hpp>
#include <zeroth/model/ops_cuda.hpp>
#include <zeroth/model/published_models.hpp>
#include <zeroth/model/random_weights.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/random/data_order.hpp>
#include <zeroth/sampler/rademacher.hpp>

#include "report.hpp"

namespace {

using zeroth::CudaBackend;
using zeroth::CudaGraphBackend;
using zeroth::DataType;
using zeroth::model::DecoderConfig;
using zeroth::model::DecoderWeights;
using zeroth::model::ScoreKind;
using zeroth_bench::JsonObject;

constexpr std::size_t sequences = 16;
constexpr std::size_t candidates = 2;

/// A model to measure, and the tokens of each of its 16 sequences.
struct Shape {
  DecoderConfig config;
  std::size_t tokens;
};

Shape shape_of(std::string const& name, bool smoke) {
  Shape shape{zeroth::model::published_model(name), name == "smollm2-135m" ? std::size_t{32} : std::size_t{256}};
  if (smoke) shape.config.layers = 2;
  return shape;
}

/// Random tokens, of each sequence two that may follow it.
zeroth::model::PackedBatch random_batch(Shape const& shape) {
  zeroth::model::PackedBatch batch;
  std::vector<std::int32_t> tokens(shape.tokens);
  for (std::size_t s = 0; s < sequences; ++s) {
    for (std::size_t t = 0; t < shape.tokens; ++t)
      tokens[t] = static_cast<std::int32_t>(zeroth::draw_example(1, 0, s * shape.tokens + t, shape.config.vocabulary));
    batch.add_segment(tokens);
    for (std::int32_t candidate : {5, 9}) batch.request((s + 1) * shape.tokens - 1, candidate);
  }
  return batch;
}

/// Mean over the sequences of -log(softmax over the candidates) of the first.
double loss_of(std::span<double const> logits) {
  double sum = 0;
  for (std::size_t s = 0; s < sequences; ++s)
    sum += std::log1p(std::exp(logits[candidates * s + 1] - logits[candidates * s]));
  return sum / sequences;
}

/// Multiply-adds of the layers' matrix products for each token, times 2.
double flops_a_token(DecoderWeights const& weights) {
  double sum = 0;
  for (zeroth::Parameter const& p : weights.parameters())
    if (p.role == zeroth::Role::matrix) sum += 2.0 * static_cast<double>(p.size());
  return sum;
}

/// Operations a second of a large product of bf16.
class MatrixPeak {
 public:
  explicit MatrixPeak(CudaBackend const& backend) : stream_(backend.stream()), products_(backend.device()) {
    for (auto& matrix : matrices_) matrix = backend.allocate(size * size * sizeof(std::uint16_t));
  }

  [[nodiscard]] double measure() const {
    zeroth::model::cuda::Product product{};
    product.dtype = product.out_dtype = DataType::bf16;
    product.weights = matrices_[0].get();
    product.in = matrices_[1].get();
    product.out = matrices_[2].get();
    product.rows = product.columns = product.outputs = product.out_row = size;
    product.batch = 1;
    double const time = zeroth_bench::milliseconds(stream_, [&] { products_.run(product, "peak"); });
    return 2.0 * size * size * size / (time / 1e3);
  }

 private:
  static constexpr std::uint64_t size = 8192;
  cudaStream_t stream_;
  zeroth::model::cuda::CublasProducts products_;
  std::shared_ptr<std::byte> matrices_[3];
};

/// What is measured of a model, and where.
struct Subject {
  std::string name;
  Shape shape;
  std::size_t bytes_before = zeroth_bench::device_bytes_in_use();
  DecoderWeights weights;
  std::size_t bytes_of_weights = zeroth_bench::device_bytes_in_use() - bytes_before;
  zeroth::model::PackedBatch batch;
  int rounds;

  Subject(std::string model, Shape of_model, CudaBackend const& backend, bool smoke)
      : name(std::move(model)),
        shape(std::move(of_model)),
        weights(shape.config, name, DataType::bf16, zeroth::model::WeightMemory::of(backend)),
        batch(random_batch(shape)),
        rounds(smoke        ? 2
               : is_small() ? 21
                            : 5) {
    fill_random(weights, backend, 1);
  }

  /// Whether launches bound it.
  [[nodiscard]] bool is_small() const { return shape.tokens < 100; }
};

/// How passes and updates come to the device.
template <class B>
struct Way {
  B backend;
  zeroth::model::AnyDecoder decoder;
};

/// @tparam Ops over B
template <class Ops, class B>
Way<B> way(Subject const& subject, B const& backend, bool overlap) {
  zeroth::model::CudaOpsOptions options;
  options.dtype = DataType::bf16;
  options.overlap = overlap;
  return {backend, zeroth::model::AnyDecoder(zeroth::model::Decoder(subject.weights, Ops(backend, options)))};
}

/// A method's step and its parts, in turn with two plain forwards and the peak.
template <class B, class S, class M>
JsonObject measure(Subject& subject, Way<B>& way, MatrixPeak const& peak, std::string const& method, S sampler,
                   M mask) {
  B const& backend = way.backend;
  zeroth::ZerothOrderOptimizer optimizer(subject.weights.parameters(), sampler, mask, backend,
                                         {.epsilon = 1e-3, .learning_rate = 1e-9, .seed = 7});
  auto objective = [&](zeroth::AnyProbe const& probe, std::span<double> losses) {
    std::vector<double> logits(losses.size() * sequences * candidates);
    way.decoder.score(subject.batch, ScoreKind::logit, probe, logits);
    for (std::size_t k = 0; k < losses.size(); ++k)
      losses[k] = loss_of(std::span(logits).subspan(k * sequences * candidates, sequences * candidates));
  };
  zeroth::NoiseField<S> const noise{sampler, 7, 0};
  auto forward = [&] {
    std::vector<double> logits(sequences * candidates);
    way.decoder.score(subject.batch, ScoreKind::logit, logits);
  };
  auto probes = [&] {
    zeroth::MaskedProbe const probe(subject.weights.parameters(), optimizer.mask_state(), backend, noise,
                                    optimizer.lanes(), 1e-3F, 0);
    std::vector<double> losses(optimizer.lanes().size());
    objective(probe, losses);
  };
  auto update = [&] {
    zeroth::NoiseTerm const term{0, 0};
    backend.count_later();
    for (std::size_t i = 0; i < subject.weights.parameters().size(); ++i)
      backend.apply(subject.weights.parameters()[i], nullptr, optimizer.mask_state().tensor(i, 0), noise,
                    zeroth::ElementwisePass{.terms = {&term, 1}});
    (void)backend.counted();
  };
  std::vector<double> figures[8];
  enum { forwards, probing, updating, stepping, of_probes, of_step, of_peak, peaks };
  double const flops = 2 * flops_a_token(subject.weights) * static_cast<double>(sequences * subject.shape.tokens);
  // Two are not counted: a graph is made when its like comes the second time.
  for (int round = -2; round < subject.rounds; ++round) {
    auto ms = [&](auto const& work) { return zeroth_bench::milliseconds(backend.stream(), work); };
    double const best = peak.measure();
    double const plain = ms([&] {
      forward();
      forward();
    });
    double const probe = ms(probes);
    double const updated = ms(update);
    double const step = ms([&] { optimizer.step(objective); });
    if (round < 0) continue;
    double const all[] = {plain, probe, updated, step, probe / plain, step / plain, flops / (plain / 1e3) / best, best};
    for (std::size_t i = 0; i < std::size(all); ++i) figures[i].push_back(all[i]);
  }
  JsonObject row;
  char const* const names[] = {"two_forwards_ms", "probes_ms",  "update_ms",     "step_ms",
                               "probes_ratio",    "step_ratio", "share_of_peak", "peak_flops"};
  std::printf("%s, %s\n", subject.name.c_str(), method.c_str());
  for (std::size_t i = 0; i < std::size(names); ++i) {
    std::string const spread = zeroth_bench::spread_text(figures[i]);
    row.raw(names[i], spread);
    std::printf("  %-18s %s\n", names[i], spread.c_str());
  }
  row.bytes("optimizer_bytes", static_cast<std::size_t>(optimizer.bytes()));
  return row;
}

JsonObject measure_model(std::string const& name, CudaBackend const& backend, bool smoke) {
  MatrixPeak const peak(backend);
  Subject subject(name, shape_of(name, smoke), backend, smoke);
  JsonObject methods;
  auto overlapping = way<zeroth::model::CudaOps>(subject, backend, /*overlap=*/true);
  auto add = [&](std::string const& method, auto sampler, auto mask) {
    methods.raw(method, measure(subject, overlapping, peak, method, sampler, mask).str());
  };
  add("s_mezo_gaussian", zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75});
  add("s_mezo_rademacher", zeroth::Rademacher{}, zeroth::SmallestMagnitude{0.75});
  add("mezo_gaussian", zeroth::Gaussian{}, zeroth::Dense{});
  add("mezo_rademacher", zeroth::Rademacher{}, zeroth::Dense{});
  JsonObject result;
  result.bytes("weights", static_cast<std::size_t>(subject.weights.parameters().weights()));
  result.bytes("tokens", sequences * subject.shape.tokens);
  result.bytes("bytes_of_weights", subject.bytes_of_weights);
  result.bytes("bytes_beside", zeroth_bench::device_bytes_in_use() - subject.bytes_before - subject.bytes_of_weights);
  // The same step without what is meant to make it faster, or with more of it.
  auto add_way = [&](std::string const& what, auto other) {
    methods.raw("s_mezo_gaussian_" + what, measure(subject, other, peak, "s_mezo_gaussian, " + what, zeroth::Gaussian{},
                                                   zeroth::SmallestMagnitude{0.75})
                                               .str());
  };
  add_way("one_order", way<zeroth::model::CudaOps>(subject, backend, /*overlap=*/false));
  if (subject.is_small())
    add_way("graphs",
            way<zeroth::model::CudaGraphOps>(subject, CudaGraphBackend(0, backend.stream()), /*overlap=*/true));
  result.raw("methods", methods.str());
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  bool smoke = false;
  std::vector<std::string> models;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--smoke")
      smoke = true;
    else
      models.emplace_back(argv[i]);
  }
  if (models.empty()) models = {"smollm2-135m", "llama-7b"};
  std::string const why = zeroth::cuda::why_unusable(0);
  if (!why.empty()) {
    std::printf("skipped: %s\n", why.c_str());
    return 77;
  }
  try {
    JsonObject all;
    for (std::string const& name : models) {
      CudaBackend const backend(0);
      all.raw(name, measure_model(name, backend, smoke).str());
    }
    JsonObject result;
    result.text("part", "cuda_step");
    result.raw("device", zeroth_bench::describe_device(0).str());
    result.raw("models", all.str());
    std::printf("%s\n", result.str().c_str());
    return 0;
  } catch (zeroth::Error const& error) {
    std::fprintf(stderr, "bench_cuda_step: %s\n", error.what());
    return 1;
  }
}

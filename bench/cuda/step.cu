// SPDX-License-Identifier: MIT
// The cost of a step on a device compared with two plain forwards, and the memory it takes:
//
//     bench_cuda_step [--smoke] [--profile] [--rounds N] [--methods NAME,...] [llama-7b|smollm2-135m]...
//
// The bf16 weights are generated on the device, in the shape of the model. Prints a table for each method as soon as it
// is measured, with a line of JSON. --profile: the time of each part of a step, by events around each launch. Without a
// device it says so and returns 77.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/random/data_order.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/step/masked_probe.hpp>
#include <zeroth_model/decoder/any_decoder.hpp>
#include <zeroth_model/families/published_models.hpp>
#include <zeroth_model/ops/cuda.hpp>
#include <zeroth_model/weights/random_weights.hpp>

#include "report.hpp"
#include "timed_stream.hpp"

namespace {

using zeroth::CudaBackend;
using zeroth::CudaGraphBackend;
using zeroth::DataType;
using zeroth::model::DecoderConfig;
using zeroth::model::DecoderWeights;
using zeroth::model::ScoreKind;
using zeroth_bench::JsonObject;

/// The command line.
struct Request {
  bool smoke = false;
  bool profile = false;
  int rounds = 0;       ///< 0: chosen by the model
  std::string methods;  ///< names, each between commas; empty: all
  std::vector<std::string> models;

  [[nodiscard]] bool wants(std::string const& method) const {
    return methods.empty() || methods.find("," + method + ",") != std::string::npos;
  }
};

constexpr std::size_t sequences = 16;
constexpr std::size_t candidates = 2;

/// A model to measure, and the number of tokens in each of its 16 sequences.
struct Shape {
  DecoderConfig config;
  std::size_t tokens;
};

Shape shape_of(std::string const& name, bool smoke) {
  Shape shape{zeroth::model::published_model(name), name == "smollm2-135m" ? std::size_t{32} : std::size_t{256}};
  if (smoke) shape.config.layers = 2;
  return shape;
}

/// Random tokens; for each sequence, two tokens that may follow it.
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

/// Mean over the sequences of -log(softmax over the candidates) of the first candidate.
double loss_of(std::span<double const> logits) {
  double sum = 0;
  for (std::size_t s = 0; s < sequences; ++s)
    sum += std::log1p(std::exp(logits[candidates * s + 1] - logits[candidates * s]));
  return sum / sequences;
}

/// Multiply-adds of the layers' matrix products per token, times 2.
double flops_a_token(DecoderWeights const& weights) {
  double sum = 0;
  for (zeroth::Parameter const& p : weights.parameters())
    if (p.role == zeroth::Role::matrix) sum += 2.0 * static_cast<double>(p.size());
  return sum;
}

/// Operations per second of a large bf16 product, on normal numbers: on zeros a device draws less power and is faster.
class MatrixPeak {
 public:
  explicit MatrixPeak(CudaBackend const& backend) : stream_(backend.stream()), products_(backend.device()) {
    zeroth::NoiseTerm const term{0, 0, 1};
    std::uint32_t stream = 0;
    for (auto& matrix : matrices_) {
      matrix = backend.allocate(size * size * sizeof(std::uint16_t));
      zeroth::Parameter const parameter{
          "peak", zeroth::Role::matrix, {size, size}, DataType::bf16, matrix.get(), stream++, 0};
      backend.apply(parameter, nullptr, zeroth::TensorMask<zeroth::Dense::Rule>{zeroth::Coverage::all, {}},
                    zeroth::NoiseField<zeroth::Gaussian>{{}, 1, 0}, zeroth::ElementwisePass{.terms = {&term, 1}});
    }
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

  Subject(std::string model, Shape of_model, CudaBackend const& backend, Request const& request)
      : name(std::move(model)),
        shape(std::move(of_model)),
        weights(shape.config, name, DataType::bf16, zeroth::model::WeightMemory::of(backend)),
        batch(random_batch(shape)),
        rounds(request.rounds != 0 ? request.rounds
               : request.smoke     ? 2
               : is_small()        ? 21
                                   : 5) {
    fill_random(weights, backend, 1);
  }

  /// Whether launches dominate its time.
  [[nodiscard]] bool is_small() const { return shape.tokens < 100; }
};

/// How passes and updates reach the device.
template <class B>
struct Way {
  B backend;
  zeroth::model::AnyDecoder decoder;
};

/// @tparam Ops operations on B
template <class Ops, class B>
Way<B> way(Subject const& subject, B const& backend, bool overlap) {
  zeroth::model::CudaOpsOptions options;
  options.dtype = DataType::bf16;
  options.overlap = overlap;
  return {backend, zeroth::model::AnyDecoder(zeroth::model::Decoder(subject.weights, Ops(backend, options)))};
}

/// How a method steps.
struct Method {
  std::string name;
  zeroth::Rounding rounding = zeroth::Rounding::extra_byte;
};

zeroth::Options options_of(Method const& method) {
  return {.epsilon = 1e-3, .learning_rate = 1e-9, .seed = 7, .rounding = method.rounding};
}

/// The batch's losses, computed by a decoder.
template <class D>
void losses_of(Subject const& subject, D& decoder, zeroth::AnyProbe const& probe, std::span<double> losses) {
  std::vector<double> logits(losses.size() * sequences * candidates);
  decoder.score(subject.batch, ScoreKind::logit, probe, logits);
  for (std::size_t k = 0; k < losses.size(); ++k)
    losses[k] = loss_of(std::span(logits).subspan(k * sequences * candidates, sequences * candidates));
}
template <class D>
void forward(Subject const& subject, D& decoder) {
  std::vector<double> logits(sequences * candidates);
  decoder.score(subject.batch, ScoreKind::logit, logits);
}

/// The members that every line of a model has.
JsonObject line_of(char const* part, Subject const& subject, std::string const& method) {
  JsonObject row;
  row.text("part", part);
  row.text("model", subject.name);
  row.text("method", method);
  row.bytes("weights", static_cast<std::size_t>(subject.weights.parameters().weights()));
  row.bytes("tokens", sequences * subject.shape.tokens);
  row.bytes("bytes_of_weights", subject.bytes_of_weights);
  return row;
}

/// Measures a method's step and its parts, in alternation with two plain forwards and the peak.
template <class B, class S, class M>
void measure(Subject& subject, Way<B>& way, MatrixPeak const& peak, Method const& method, S sampler, M mask) {
  B const& backend = way.backend;
  zeroth::ZerothOrderOptimizer optimizer(subject.weights.parameters(), sampler, mask, backend, options_of(method));
  auto objective = [&](zeroth::AnyProbe const& probe, std::span<double> losses) {
    losses_of(subject, way.decoder, probe, losses);
  };
  zeroth::NoiseField<S> const noise{sampler, 7, 0};
  auto probes = [&] {
    zeroth::MaskedProbe const probe(subject.weights.parameters(), optimizer.mask_state(), backend, noise,
                                    optimizer.points(), 1e-3F, 0);
    std::vector<double> losses(optimizer.points().size());
    objective(probe, losses);
  };
  // A step without an evaluation: the update that `step` makes, including its rounding.
  auto update = [&](zeroth::AnyProbe const& /*probe*/, std::span<double> losses) {
    for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = k == 0 ? 1.001 : 1.0;
  };
  std::vector<double> figures[8];
  double const flops = 2 * flops_a_token(subject.weights) * static_cast<double>(sequences * subject.shape.tokens);
  // Two rounds do not count: a graph is built when a similar list comes the second time.
  for (int round = -2; round < subject.rounds; ++round) {
    auto ms = [&](auto const& work) { return zeroth_bench::milliseconds(backend.stream(), work); };
    double const best = peak.measure();
    double const plain = ms([&] {
      forward(subject, way.decoder);
      forward(subject, way.decoder);
    });
    double const probe = ms(probes);
    double const updated = ms([&] { optimizer.step(update); });
    double const step = ms([&] { optimizer.step(objective); });
    if (round < 0) continue;
    double const all[] = {plain, probe, updated, step, probe / plain, step / plain, flops / (plain / 1e3) / best, best};
    for (std::size_t i = 0; i < std::size(all); ++i) figures[i].push_back(all[i]);
  }
  JsonObject row = line_of("cuda_step", subject, method.name);
  char const* const names[] = {"two_forwards_ms", "probes_ms",  "update_ms",     "step_ms",
                               "probes_ratio",    "step_ratio", "share_of_peak", "peak_flops"};
  std::printf("%s, %s\n", subject.name.c_str(), method.name.c_str());
  for (std::size_t i = 0; i < std::size(names); ++i) {
    std::string const spread = zeroth_bench::spread_text(figures[i]);
    row.raw(names[i], spread);
    std::printf("  %-18s %s\n", names[i], spread.c_str());
  }
  row.text("rounding", std::string(to_string(method.rounding)));
  row.bytes("optimizer_bytes", static_cast<std::size_t>(optimizer.bytes()));
  // While the optimizer still holds its memory.
  row.bytes("remainder_bytes", zeroth_bench::device_bytes_in_use() - subject.bytes_before - subject.bytes_of_weights);
  std::printf("%s\n", row.str().c_str());
}

/// Times the parts of a step, and of two plain forwards: all in one order, with events around each launch.
void profile(Subject& subject, CudaBackend const& beneath, Request const& request) {
  zeroth_bench::TimedStream const stream(beneath.device());
  zeroth::cuda::BasicBackend<zeroth_bench::TimedStream> const backend(stream);
  zeroth_bench::TimedProducts const products{stream, zeroth::model::cuda::CublasProducts(beneath.device())};
  using Ops = zeroth::model::cuda::BasicOps<zeroth_bench::TimedStream, zeroth_bench::TimedProducts>;
  zeroth::model::Decoder decoder(
      subject.weights,
      Ops(stream, products, {.dtype = DataType::bf16, .panel_bytes = beneath.device().cache_bytes() / 3}));
  Method const method{"s_mezo_gaussian"};
  zeroth::ZerothOrderOptimizer optimizer(subject.weights.parameters(), zeroth::Gaussian{},
                                         zeroth::SmallestMagnitude{0.75}, backend, options_of(method));
  std::map<std::string, std::vector<double>> parts;
  for (int round = -1; round < (request.smoke ? 1 : 3); ++round) {
    (void)stream.take();
    forward(subject, decoder);
    forward(subject, decoder);
    zeroth_bench::TimedStream::Times const plain = stream.take();
    optimizer.step(
        [&](zeroth::AnyProbe const& probe, std::span<double> losses) { losses_of(subject, decoder, probe, losses); });
    zeroth_bench::TimedStream::Times const step = stream.take();
    if (round < 0) continue;
    for (auto const& [part, ms] : plain) parts["forwards_" + part + "_ms"].push_back(ms);
    for (auto const& [part, ms] : step) parts[part + "_ms"].push_back(ms);
    parts["tiling_ms"].push_back(step.at("products") - plain.at("products"));
  }
  JsonObject row = line_of("cuda_profile", subject, method.name);
  std::printf("%s, parts of two forwards and of a step\n", subject.name.c_str());
  for (auto const& [part, ms] : parts) {
    row.raw(part, zeroth_bench::spread_text(ms));
    std::printf("  %-34s %s\n", part.c_str(), zeroth_bench::spread_text(ms).c_str());
  }
  std::printf("%s\n", row.str().c_str());
}

void measure_model(std::string const& name, CudaBackend const& backend, Request const& request) {
  Subject subject(name, shape_of(name, request.smoke), backend, request);
  if (request.profile) return profile(subject, backend, request);
  MatrixPeak const peak(backend);
  auto overlapping = way<zeroth::model::CudaOps>(subject, backend, /*overlap=*/true);
  auto add = [&](Method const& method, auto sampler, auto mask) {
    if (request.wants(method.name)) measure(subject, overlapping, peak, method, sampler, mask);
  };
  zeroth::SmallestMagnitude const smallest{0.75};
  add({"s_mezo_gaussian"}, zeroth::Gaussian{}, smallest);
  add({"mezo_gaussian"}, zeroth::Gaussian{}, zeroth::Dense{});
  // With no memory in addition to the weights.
  add({"s_mezo_gaussian_stochastic", zeroth::Rounding::stochastic}, zeroth::Gaussian{}, smallest);
  add({"s_mezo_rademacher"}, zeroth::Rademacher{}, smallest);
  add({"mezo_rademacher"}, zeroth::Rademacher{}, zeroth::Dense{});
  // The same step without the parts that should make it faster, or with more of them.
  auto add_way = [&](std::string const& what, auto const& make) {
    Method const method{"s_mezo_gaussian_" + what};
    if (!request.wants(method.name)) return;
    auto other = make();
    measure(subject, other, peak, method, zeroth::Gaussian{}, smallest);
  };
  add_way("one_order", [&] { return way<zeroth::model::CudaOps>(subject, backend, /*overlap=*/false); });
  if (subject.is_small())
    add_way("graphs", [&] {
      return way<zeroth::model::CudaGraphOps>(subject, CudaGraphBackend(0, backend.stream()), /*overlap=*/true);
    });
}

/// @throws zeroth::InvalidArgument
Request request_of(int argc, char** argv) {
  Request request;
  for (int i = 1; i < argc; ++i) {
    std::string const word = argv[i];
    auto value = [&] {
      if (++i == argc) throw zeroth::InvalidArgument(word + ": expected a value behind it");
      return std::string(argv[i]);
    };
    if (word == "--smoke")
      request.smoke = true;
    else if (word == "--profile")
      request.profile = true;
    else if (word == "--rounds")
      request.rounds = std::max(1, std::atoi(value().c_str()));
    else if (word == "--methods")
      request.methods = "," + value() + ",";
    else
      request.models.push_back(word);
  }
  if (request.models.empty()) request.models = {"llama-7b", "smollm2-135m"};
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  zeroth_bench::write_lines();
  std::string const why = zeroth::cuda::why_unusable(0);
  if (!why.empty()) {
    std::printf("skipped: %s\n", why.c_str());
    return 77;
  }
  try {
    Request const request = request_of(argc, argv);
    JsonObject device;
    device.text("part", "device");
    device.raw("device", zeroth_bench::describe_device(0).str());
    std::printf("%s\n", device.str().c_str());
    for (std::string const& name : request.models) {
      CudaBackend const backend(0);
      measure_model(name, backend, request);
    }
    return 0;
  } catch (zeroth::Error const& error) {
    std::fprintf(stderr, "bench_cuda_step: %s\n", error.what());
    return 1;
  }
}

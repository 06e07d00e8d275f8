// SPDX-License-Identifier: MIT
// The decoder on a GPU: cuBLAS's products and all kernels as they run there.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth_model/io/hugging_face/load_hugging_face.hpp>
#include <zeroth_model/ops/cuda.hpp>

#include "../model/golden.hpp"
#include "catch.hpp"

namespace {

using zeroth::CudaBackend;
using zeroth::DataType;
using zeroth::model::CudaOps;
using zeroth::model::CudaOpsOptions;
using zeroth::model::Decoder;
using zeroth::model::DecoderWeights;
using zeroth::model::PackedBatch;
using zeroth::model::ScoreKind;
using zeroth::model::WeightMemory;
using zeroth_test::score;

constexpr char const* families[] = {"llama3", "llama_bias_linear", "mistral", "qwen2", "opt"};

/// A family's model on the GPU and on the CPU, and a batch with log-probabilities from transformers.
struct Model {
  DecoderWeights on_gpu;
  DecoderWeights on_cpu;
  PackedBatch batch;
  std::vector<double> log_probs;

  template <class Backend>
  Model(Backend const& backend, std::string const& family, DataType dtype)
      : on_gpu(zeroth::model::load_hugging_face(folder(family), dtype, WeightMemory::of(backend))),
        on_cpu(zeroth::model::load_hugging_face(folder(family), dtype)) {
    for (auto const& sequence : zeroth_test::golden_sequences("families/" + family + "/golden")) {
      zeroth_test::add_scored(batch, sequence.tokens);
      log_probs.insert(log_probs.end(), sequence.log_probs.begin(), sequence.log_probs.end());
    }
  }

 private:
  static std::filesystem::path folder(std::string const& family) {
    return zeroth_test::golden_file("families/" + family);
  }
};

CudaOps ops(CudaBackend const& backend, DataType dtype) {
  CudaOpsOptions options;
  options.dtype = dtype;
  return CudaOps(backend, options);
}

void check_close(std::vector<double> const& found, std::vector<double> const& expected, double margin) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(margin));
}

/// As in tests/model/test_ops_cuda.cpp, where the same kernels run on the host.
double margin_of(DataType dtype) {
  return dtype == DataType::f32 ? 1e-4 : dtype == DataType::f16 ? 0.03 : 0.3;
}

/// Copies of the weights in memory, as each lane of the probe sees them.
std::vector<DecoderWeights> moved_weights(CudaBackend const& backend, DecoderWeights const& weights,
                                          zeroth::AnyProbe const& probe) {
  std::vector<DecoderWeights> moved;
  for (std::size_t k = 0; k < probe.points().size(); ++k)
    moved.emplace_back(weights.config(), "moved", weights.dtype(), WeightMemory::of(backend));
  for (std::size_t p = 0; p < weights.parameters().size(); ++p) {
    zeroth::Parameter const& tensor = weights.parameters()[p];
    std::vector<void*> panels;
    for (DecoderWeights const& lane : moved) panels.push_back(lane.parameters()[p].data);
    REQUIRE(probe.has_panels());
    probe.expand_to(p, {.count = tensor.size(), .dtype = tensor.dtype}, panels);
  }
  return moved;
}

TEST_CASE("the decoder on a GPU is near the golden log-probabilities") {
  CudaBackend const backend;
  for (DataType dtype : {DataType::f32, DataType::bf16, DataType::f16}) {
    for (char const* family : families) {
      INFO(family << " in " << to_string(dtype));
      Model const model(backend, family, dtype);
      Decoder<CudaOps> decoder(model.on_gpu, ops(backend, dtype));
      auto const found = score(decoder, model.batch);
      check_close(found, model.log_probs, margin_of(dtype));
      CHECK(score(decoder, model.batch) == found);  // the same bits again
    }
  }
}

TEST_CASE("a step on a GPU evaluates its lanes as plain inference does, and leaves the CPU's bits") {
  CudaBackend const backend;
  for (DataType dtype : {DataType::f32, DataType::bf16}) {
    for (char const* family : {"llama3", "opt"}) {
      INFO(family << " in " << to_string(dtype));
      Model const model(backend, family, dtype);
      Decoder<CudaOps> decoder(model.on_gpu, ops(backend, dtype));
      zeroth::Options const options{.epsilon = 1e-2F, .learning_rate = 1e-3};
      zeroth::ZerothOrderOptimizer found(model.on_gpu.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75},
                                         backend, zeroth::Sgd{}, zeroth::CentralDifference{}, options);
      zeroth::ZerothOrderOptimizer expected(model.on_cpu.parameters(), zeroth::Gaussian{},
                                            zeroth::SmallestMagnitude{0.75}, zeroth::ReferenceBackend{}, zeroth::Sgd{},
                                            zeroth::CentralDifference{}, options);
      // The same losses for both, so that their weights stay equal.
      auto count_lanes = [](std::span<double> losses) {
        for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = static_cast<double>(k);
      };
      for (std::size_t step = 0; step < 2; ++step) {
        found.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
          auto const scores = score(decoder, model.batch, probe);
          std::size_t const count = model.batch.requests().size();
          std::vector<DecoderWeights> moved = moved_weights(backend, model.on_gpu, probe);
          for (std::size_t k = 0; k < moved.size(); ++k) {
            Decoder<CudaOps> plain(moved[k], ops(backend, dtype));
            std::vector<double> const lane(scores.begin() + static_cast<std::ptrdiff_t>(k * count),
                                           scores.begin() + static_cast<std::ptrdiff_t>((k + 1) * count));
            check_close(lane, score(plain, model.batch), margin_of(dtype));
          }
          count_lanes(losses);
        });
        expected.step([&](zeroth::AnyProbe const& /*probe*/, std::span<double> losses) { count_lanes(losses); });
      }
      for (std::size_t p = 0; p < model.on_cpu.parameters().size(); ++p) {
        std::vector<std::byte> there(static_cast<std::size_t>(model.on_cpu.parameters()[p].bytes()));
        backend.copy(model.on_gpu.parameters()[p], there);
        auto const* const here = static_cast<std::byte const*>(model.on_cpu.parameters()[p].data);
        CHECK(std::equal(there.begin(), there.end(), here));
      }
    }
  }
}

/// Scores over a few steps, and the weights after them.
template <class Ops, class Backend>
std::vector<double> scores_of_steps(Backend const& backend, std::string const& family, DataType dtype, bool overlap,
                                    std::vector<std::byte>& weights_after) {
  Model const model(backend, family, dtype);
  CudaOpsOptions options;
  options.dtype = dtype;
  options.panel_bytes = 20000;
  options.overlap = overlap;
  Decoder<Ops> decoder(model.on_gpu, Ops(backend, options));
  zeroth::ZerothOrderOptimizer optimizer(model.on_gpu.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75},
                                         backend, zeroth::Sgd{}, zeroth::CentralDifference{},
                                         {.epsilon = 1e-2F, .learning_rate = 1e-3});
  std::vector<double> all;
  for (std::size_t step = 0; step < 5; ++step) {
    optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
      auto const scores = score(decoder, model.batch, probe);
      all.insert(all.end(), scores.begin(), scores.end());
      for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = static_cast<double>(k);
    });
  }
  weights_after.resize(model.on_gpu.memory().size());
  backend.transfer(weights_after.data(), model.on_gpu.memory().data(), weights_after.size());
  return all;
}

TEST_CASE("steps on a GPU have the same bits in one order, with panels beside products, and as graphs") {
  CudaBackend const backend;
  zeroth::CudaGraphBackend const graphs;
  for (DataType dtype : {DataType::f32, DataType::bf16}) {
    for (char const* family : {"llama3", "opt"}) {
      INFO(family << " in " << to_string(dtype));
      std::vector<std::byte> expected_weights;
      auto const expected = scores_of_steps<CudaOps>(backend, family, dtype, false, expected_weights);
      std::vector<std::byte> weights;
      CHECK(scores_of_steps<CudaOps>(backend, family, dtype, true, weights) == expected);
      CHECK((weights == expected_weights));
      for (bool overlap : {false, true}) {
        auto const before = graphs.device().replays();
        CHECK(scores_of_steps<zeroth::model::CudaGraphOps>(graphs, family, dtype, overlap, weights) == expected);
        CHECK((weights == expected_weights));
        CHECK(graphs.device().replays() > before);
      }
    }
  }
}

TEST_CASE("a sequence that continues token by token on a GPU scores as the whole one") {
  CudaBackend const backend;
  Model const model(backend, "mistral", DataType::f32);
  auto const tokens = zeroth_test::golden_sequences("families/mistral/golden")[3].tokens;
  std::uint32_t const vocabulary = model.on_cpu.config().vocabulary;
  Decoder<CudaOps> decoder(model.on_gpu, ops(backend, DataType::f32));
  PackedBatch whole;
  whole.add_segment(tokens);
  for (std::size_t row = 0; row < tokens.size(); ++row)
    for (std::uint32_t t = 0; t < vocabulary; ++t) whole.request(row, static_cast<std::int32_t>(t));
  auto const expected = score(decoder, whole, ScoreKind::logit);
  std::vector<double> logits(vocabulary);
  std::span<std::int32_t const> left = tokens;
  for (std::size_t count = 20; !left.empty(); count = 1) {
    decoder.next(left.first(count), logits);
    left = left.subspan(count);
    auto const row = expected.begin() + static_cast<std::ptrdiff_t>((tokens.size() - left.size() - 1) * vocabulary);
    check_close(logits, {row, row + static_cast<std::ptrdiff_t>(vocabulary)}, 1e-4);
  }
}

}  // namespace

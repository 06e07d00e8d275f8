// SPDX-License-Identifier: MIT
// Weights in a backend's memory, and generated weights.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "host_products.hpp"
#include "lora_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth/zeroth.hpp"
#include "zeroth_model/families/published_models.hpp"
#include "zeroth_model/io/gguf/export_gguf.hpp"
#include "zeroth_model/io/hugging_face/export_hugging_face.hpp"
#include "zeroth_model/weights/random_weights.hpp"

using namespace zeroth_test;
using zeroth::DataType;
using zeroth::model::DecoderConfig;
using zeroth::model::DecoderWeights;
using zeroth::model::GgufFile;
using zeroth::model::WeightMemory;

namespace {

constexpr std::array types{DataType::f32, DataType::bf16, DataType::f16};

bool same_bytes(DecoderWeights const& a, DecoderWeights const& b) {
  return std::equal(a.memory().begin(), a.memory().end(), b.memory().begin(), b.memory().end());
}

/// A small model with every kind of tensor.
DecoderConfig small_config() {
  DecoderConfig config = zeroth::model::published_model("opt-13b");
  config.layers = 2;
  config.hidden = 48;
  config.feed_forward = 96;
  config.heads = config.kv_heads = 4;
  config.head_dim = 12;
  config.vocabulary = 301;
  config.context_length = 64;
  return config;
}

}  // namespace

TEST_CASE("weights are loaded to a backend's memory and saved from there as to and from the host's") {
  EmulatedCudaBackend const backend(HostStream{});
  for (DataType dtype : types) {
    GgufFile const file(golden_file("quantized.gguf"));
    DecoderWeights const expected = zeroth::model::load_gguf(file, dtype);
    DecoderWeights const found = zeroth::model::load_gguf(file, dtype, WeightMemory::of(backend));
    CHECK(expected.on_host());
    CHECK_FALSE(found.on_host());
    CHECK(backend.device().reaches(found.memory().data()));
    CHECK(same_bytes(expected, found));
    TemporaryDirectory const directory;
    std::string const path = (directory / "model.gguf").string();
    zeroth::model::save_gguf(path, file, found, std::nullopt);
    CHECK(same_bytes(zeroth::model::load_gguf(GgufFile(path), dtype), expected));

    for (char const* family : {"llama3", "opt"}) {
      std::filesystem::path const folder = golden_file("families/" + std::string(family));
      DecoderWeights const on_host = zeroth::model::load_hugging_face(folder, dtype);
      DecoderWeights const there = zeroth::model::load_hugging_face(folder, dtype, WeightMemory::of(backend));
      CHECK(same_bytes(on_host, there));
      zeroth::model::save_hugging_face(directory / family, there);
      CHECK(same_bytes(zeroth::model::load_hugging_face(directory / family, dtype), on_host));
    }
  }
}

TEST_CASE("weights in a backend's memory are read and written, and not lent to the host") {
  DecoderWeights weights(small_config(), "small", DataType::bf16, WeightMemory::of(EmulatedCudaBackend(HostStream{})));
  std::size_t const matrix = weights.tensors().layers[1].up.weight;
  weights.write(matrix, 7, std::vector<float>{1.0F, -2.5F});
  std::vector<float> found(4);
  weights.read(matrix, 6, found);
  CHECK(found == std::vector<float>{0.0F, 1.0F, -2.5F, 0.0F});
  CHECK_THROWS_WITH(weights.values(weights.tensors().output_norm.gain),
                    contains_text("tensor 'output_norm.weight': expected it in host memory"));
}

TEST_CASE("weights that are made are the same bits on every backend, and have the moments of fresh ones") {
  for (DataType dtype : types) {
    DecoderWeights on_cpu(small_config(), "small", dtype);
    zeroth::model::fill_random(on_cpu, zeroth::CpuBackend{}, 5);
    EmulatedCudaBackend const backend(HostStream{});
    DecoderWeights on_cuda(small_config(), "small", dtype, WeightMemory::of(backend));
    zeroth::model::fill_random(on_cuda, backend, 5);
    CHECK(same_bytes(on_cpu, on_cuda));

    std::vector<float> values(static_cast<std::size_t>(on_cpu.parameters()[on_cpu.tensors().embedding].size()));
    on_cpu.read(on_cpu.tensors().embedding, 0, values);
    double sum = 0;
    double squares = 0;
    for (float value : values) {
      sum += static_cast<double>(value);
      squares += static_cast<double>(value) * static_cast<double>(value);
    }
    auto const n = static_cast<double>(values.size());
    CHECK(std::abs(sum / n) < 5 * 0.02 / std::sqrt(n));              // five standard errors
    CHECK(std::abs(squares / n / 4e-4 - 1) < 5 * std::sqrt(2 / n));  // likewise
    auto const& norm = on_cpu.tensors().output_norm;
    CHECK(on_cpu.values(norm.gain)[3] == 1);
    CHECK(on_cpu.values(norm.bias)[3] == 0);
  }
  DecoderWeights other(small_config());
  DecoderWeights same(small_config());
  DecoderWeights again(small_config());
  zeroth::model::fill_random(other, zeroth::CpuBackend{}, 6);
  zeroth::model::fill_random(same, zeroth::CpuBackend{}, 5);
  zeroth::model::fill_random(again, zeroth::CpuBackend{}, 5);
  CHECK(same_bytes(same, again));
  CHECK_FALSE(same_bytes(same, other));
}

TEST_CASE("a model of weights that are made runs") {
  DecoderWeights weights(small_config());
  zeroth::model::fill_random(weights, zeroth::CpuBackend{}, 5);
  CpuDecoder decoder(weights);
  zeroth::model::PackedBatch batch;
  add_scored(batch, Tokens{1, 2, 3, 4, 5, 6});
  // Logits of untrained weights are small: all tokens are about equally likely.
  for (double log_probability : score(decoder, batch)) CHECK(log_probability == Approx(-std::log(301.0)).margin(1));
}

TEST_CASE("published models have as many weights as their papers say") {
  auto weights_of = [](std::string_view name) {
    DecoderConfig const config = zeroth::model::published_model(name);
    config.check(name);
    std::uint64_t weights = 0;
    for (auto const& spec : zeroth::model::tensor_specs(config)) weights += spec.shape.size();
    return weights;
  };
  CHECK(weights_of("smollm2-135m") == 134515008);
  CHECK(weights_of("llama-7b") == 6738415616);
  CHECK(weights_of("llama-13b") == 13015864320);
  CHECK(weights_of("llama-30b") == 32528943616);
  CHECK(weights_of("mistral-7b") == 7241732096);
  CHECK(weights_of("opt-13b") == 12853473280);
  CHECK_THROWS_WITH(
      zeroth::model::published_model("llama-8b"),
      contains_text("one of smollm2-135m, llama-7b, llama-13b, llama-30b, mistral-7b, opt-13b, found 'llama-8b'"));
}

// SPDX-License-Identifier: MIT
// Decoders with 16-bit matrices.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "temporary_directory.hpp"
#include "zeroth/zeroth.hpp"
#include "zeroth_model/io/gguf/export_gguf.hpp"
#include "zeroth_model/io/hugging_face/export_hugging_face.hpp"
#include "zeroth_model/io/hugging_face/load_hugging_face.hpp"
#include "zeroth_model/ops/eigen.hpp"

using namespace zeroth_test;
using zeroth::DataType;
using zeroth::model::Decoder;
using zeroth::model::DecoderWeights;
using zeroth::model::GgufFile;
using zeroth::model::PackedBatch;
using EigenDecoder = Decoder<zeroth::model::EigenOps>;

namespace {

constexpr std::array types{DataType::bf16, DataType::f16};
constexpr std::array families{"llama3", "llama_bias_linear", "mistral", "qwen2", "qwen2_separate", "opt", "opt_odd"};

DecoderWeights load_family(std::string const& name, DataType dtype) {
  return zeroth::model::load_hugging_face(std::filesystem::path(golden_file("families/" + name)), dtype);
}

DecoderWeights load_golden_as(std::string const& name, DataType dtype) {
  return zeroth::model::load_gguf(GgufFile(golden_file(name + ".gguf")), dtype);
}

/// The same weights in f32.
DecoderWeights widened(DecoderWeights const& weights) {
  DecoderWeights copy(weights.config());
  for (std::size_t p = 0; p < weights.parameters().size(); ++p) weights.read(p, 0, copy.values(p));
  return copy;
}

/// Every sequence that was scored with transformers, in one batch.
PackedBatch batch_of(std::string const& golden) {
  PackedBatch batch;
  for (GoldenSequence const& sequence : golden_sequences(golden)) add_scored(batch, sequence.tokens);
  return batch;
}

template <class Decoder>
void check_log_probabilities(std::string const& name, DecoderWeights const& weights) {
  Decoder decoder(weights);
  for (GoldenSequence const& sequence : golden_sequences("families/" + name + "/golden")) {
    PackedBatch batch;
    add_scored(batch, sequence.tokens);
    auto const found = score(decoder, batch);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(sequence.log_probs[i]).margin(1e-4));
  }
}

bool same_bytes(DecoderWeights const& a, DecoderWeights const& b) {
  for (std::size_t p = 0; p < a.parameters().size(); ++p) {
    zeroth::Parameter const& one = a.parameters()[p];
    zeroth::Parameter const& two = b.parameters()[p];
    if (one.dtype != two.dtype || one.shape != two.shape || std::memcmp(one.data, two.data, one.bytes()) != 0)
      return false;
  }
  return a.parameters().size() == b.parameters().size();
}

}  // namespace

// The weights of these models are bf16 numbers and, except for a few tiny ones, f16 numbers, and transformers scored
// them in f32. So only the order of additions differs, as it does for f32 weights: the same 1e-4.
TEST_CASE("models of each family, held in 16 bits, score as Hugging Face transformers does") {
  for (DataType dtype : types) {
    for (std::string name : families) {
      INFO(name << ", " << to_string(dtype));
      DecoderWeights const weights = load_family(name, dtype);
      CHECK(weights.dtype() == dtype);
      check_log_probabilities<CpuDecoder>(name, weights);
      check_log_probabilities<EigenDecoder>(name, weights);
    }
  }
}

TEST_CASE("weights of 16 bits are the file's, rounded to nearest, and vectors stay f32") {
  for (DataType dtype : types) {
    for (std::string name : {"mha_tied", "gqa_odd_tied", "quantized"}) {
      DecoderWeights const exact = load_golden(name);
      DecoderWeights const rounded = load_golden_as(name, dtype);
      for (std::size_t p = 0; p < exact.parameters().size(); ++p) {
        zeroth::Parameter const& parameter = rounded.parameters()[p];
        INFO(name << ", " << parameter.name);
        bool const vector = parameter.role == zeroth::Role::vector;
        CHECK(parameter.dtype == (vector ? DataType::f32 : dtype));
        std::vector<float> found(parameter.size());
        rounded.read(p, 0, found);
        std::vector<float> expected(exact.values(p).begin(), exact.values(p).end());
        if (!vector)
          for (float& value : expected) value = widen(dtype, narrow(dtype, value));
        CHECK(found == expected);
      }
      CHECK(rounded.parameters().bytes() < exact.parameters().bytes() * 51 / 100);
    }
  }
}

TEST_CASE("a decoder on weights of 16 bits gives the bits of one on the same weights in f32") {
  for (DataType dtype : types) {
    for (std::string name : {"mha_tied", "gqa_odd_tied", "wide_heads"}) {
      INFO(name << ", " << to_string(dtype));
      DecoderWeights const rounded = load_golden_as(name, dtype);
      DecoderWeights const floats = widened(rounded);
      PackedBatch const batch = batch_of(name);
      for (auto kind : {zeroth::model::ScoreKind::log_probability, zeroth::model::ScoreKind::logit}) {
        CpuDecoder one(rounded);
        CpuDecoder two(floats);
        CHECK(score(one, batch, kind) == score(two, batch, kind));
        EigenDecoder three(rounded);
        EigenDecoder four(floats);
        auto const found = score(three, batch, kind);
        auto const expected = score(four, batch, kind);
        // Eigen may sum a dot product in another order if the row's alignment differs.
        for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-5));
      }
    }
  }
}

TEST_CASE("a fused step on weights of 16 bits evaluates the points of the same weights in f32, and keeps its memory") {
  for (DataType dtype : types) {
    DecoderWeights const rounded = load_golden_as("gqa_odd_tied", dtype);
    DecoderWeights const floats = widened(rounded);
    PackedBatch const batch = batch_of("gqa_odd_tied");
    auto first_losses = [&](DecoderWeights const& weights) {
      CpuDecoder decoder(weights);
      zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{},
                                             zeroth::CpuBackend{}, {.learning_rate = 1e-2});
      auto objective = [&](zeroth::AnyProbe const& probe, std::span<double> losses) {
        auto const scores = score(decoder, batch, probe);
        std::size_t const each = scores.size() / losses.size();
        for (std::size_t k = 0; k < losses.size(); ++k) {
          losses[k] = 0;
          for (std::size_t i = 0; i < each; ++i) losses[k] -= scores[k * each + i];
        }
      };
      return optimizer.step(objective).losses;
    };
    CHECK(first_losses(rounded) == first_losses(floats));
    CHECK_FALSE(same_bytes(rounded, load_golden_as("gqa_odd_tied", dtype)));  // the weights were updated
  }
}

TEST_CASE("a model held in 16 bits is saved in them by default, and comes back with its bytes") {
  for (DataType dtype : types) {
    TemporaryDirectory const folder;
    GgufFile const source(golden_file("gqa_separate.gguf"));
    DecoderWeights const weights = zeroth::model::load_gguf(source, dtype);
    std::string const path = (folder / "model.gguf").string();
    zeroth::model::save_gguf(path, source, weights);
    CHECK(GgufFile(path).get<std::uint32_t>("general.file_type") == (dtype == DataType::f16 ? 1 : 32));
    CHECK(same_bytes(zeroth::model::load_gguf(GgufFile(path), dtype), weights));

    // An odd vocabulary, so that the F32 vectors are aligned only because they come first; rows of Q and K move.
    DecoderWeights const odd = load_golden_as("gqa_odd_tied", dtype);
    zeroth::model::save_hugging_face(folder / "tuned", odd);
    zeroth::model::SafetensorsCheckpoint const checkpoint(folder / "tuned");
    CHECK(checkpoint.tensor("model.norm.weight").dtype == "F32");
    CHECK(checkpoint.tensor("model.embed_tokens.weight").dtype == (dtype == DataType::f16 ? "F16" : "BF16"));
    auto const config = zeroth::model::JsonValue::load((folder / "tuned" / "config.json").string());
    CHECK(config.json().dump().find(dtype == DataType::f16 ? "float16" : "bfloat16") != std::string::npos);
    DecoderWeights const again = zeroth::model::load_hugging_face(folder / "tuned", dtype);
    zeroth::model::save_hugging_face(folder / "again", again);
    CHECK(same_bytes(zeroth::model::load_hugging_face(folder / "again", dtype), again));
    CpuDecoder one(odd);
    CpuDecoder two(again);
    PackedBatch const batch = batch_of("gqa_odd_tied");
    auto const expected = score(one, batch);
    auto const found = score(two, batch);
    // Queries and keys pair other rows, so their products are added in another order.
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-4));
  }
}

TEST_CASE("a weight beyond f16's range is rejected by tensor and value, and not in bf16") {
  DecoderWeights weights(load_golden("mha_tied").config(), "test", DataType::f16);
  std::size_t const down = weights.tensors().layers[0].down.weight;
  std::vector<float> const values{1.0F, -70000.0F};
  CHECK_THROWS_WITH(weights.write(down, 0, values),
                    contains_text("blk.0.ffn_down.weight") && contains_text("-70000") && contains_text("f16"));
  CHECK_NOTHROW(weights.write(down, 0, std::vector<float>{65519.0F, -65519.0F}));
  DecoderWeights brain(weights.config(), "test", DataType::bf16);
  CHECK_NOTHROW(brain.write(down, 0, values));
  CHECK_THROWS_WITH(brain.values(down), contains_text("blk.0.ffn_down.weight") && contains_text("bf16"));

  // From a file: the message names it.
  TemporaryDirectory const folder;
  DecoderWeights large = load_golden("mha_tied");
  large.values(down)[3] = 70000.5F;
  zeroth::model::save_hugging_face(folder / "large", large);
  CHECK_THROWS_WITH(zeroth::model::load_hugging_face(folder / "large", DataType::f16),
                    contains_text("large") && contains_text("blk.0.ffn_down.weight") && contains_text("70000.5"));
  CHECK_NOTHROW(zeroth::model::load_hugging_face(folder / "large", DataType::bf16));
}

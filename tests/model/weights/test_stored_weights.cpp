// SPDX-License-Identifier: MIT
#include <cmath>
#include <string>
#include <vector>

#include "../lora_support.hpp"
#include "catch.hpp"
#include "stored_model.hpp"

using namespace zeroth_test;
using zeroth::DataType;
using zeroth::InstructionSet;
using zeroth::model::CpuOps;
using zeroth::model::DecoderWeights;
using zeroth::model::EigenOps;
using zeroth::model::LoraAdapter;
using zeroth::model::PackedBatch;
using zeroth::model::TensorType;

namespace {

PackedBatch batch_of_two() {
  PackedBatch batch;
  add_scored(batch, {1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4});
  add_scored(batch, {66, 0, 31});
  return batch;
}

/// Scores that are numbers and not all alike.
void require_telling(std::vector<double> const& scores) {
  double least = 0;
  double most = -1e9;
  for (double s : scores) {
    REQUIRE(std::isfinite(s));
    least = std::min(least, s);
    most = std::max(most, s);
  }
  REQUIRE(most - least > 0.01);
}

}  // namespace

TEST_CASE("weights held as stored score to the bits of the decoded ones, for every type and instruction set") {
  PackedBatch const batch = batch_of_two();
  for (zeroth::model::TensorTypeTraits const& traits : zeroth::model::tensor_types) {
    for (std::uint32_t const hidden : {256U, 1024U}) {  // panels of the latter are spread
      INFO(traits.name << ", width " << hidden);
      StoredModel const model(traits.type, hidden);
      DecoderWeights const stored = model.stored();
      DecoderWeights const decoded = model.decoded();
      CHECK(stored.is_stored());
      CHECK(stored.parameters().empty());
      CHECK(stored.memory().empty());
      for (InstructionSet const set : zeroth::every_instruction_set) {
        if (!is_supported(set)) continue;
        INFO(to_string(set));
        for (DataType const compute : {DataType::f32, DataType::bf16}) {
          CpuDecoder of_stored(stored, CpuOps({}, set, compute));
          CpuDecoder of_decoded(decoded, CpuOps({}, set, compute));
          auto const scores = score(of_decoded, batch);
          require_telling(scores);
          CHECK(score(of_stored, batch) == scores);
        }
      }
      EigenDecoder of_stored(stored, EigenOps());
      EigenDecoder of_decoded(decoded, EigenOps());
      CHECK(score(of_stored, batch) == score(of_decoded, batch));
    }
  }
}

TEST_CASE("an adapter over weights held as stored scores, for every point, as over the decoded ones") {
  PackedBatch const batch = batch_of_two();
  for (TensorType const type : {TensorType::q4_0, TensorType::q6_k, TensorType::bf16}) {
    StoredModel const model(type);
    DecoderWeights const stored = model.stored();
    DecoderWeights const decoded = model.decoded();
    LoraAdapter const adapter = busy_adapter(stored);
    HashProbe const probe(adapter.parameters(), {{0, 1}, {0, -1}, {1, 1}}, 1e-2F);
    CpuDecoder of_stored(stored, adapter);
    CpuDecoder of_decoded(decoded, adapter);
    auto const scores = score(of_decoded, batch, probe);
    require_telling(scores);
    CHECK(score(of_stored, batch, probe) == scores);
    EigenDecoder eigen_of_stored(stored, adapter);
    EigenDecoder eigen_of_decoded(decoded, adapter);
    CHECK(score(eigen_of_stored, batch, probe) == score(eigen_of_decoded, batch, probe));
  }
}

TEST_CASE("generation from weights held as stored has the bits of the decoded ones") {
  StoredModel const model(TensorType::q5_k);
  DecoderWeights const stored = model.stored();
  DecoderWeights const decoded = model.decoded();
  CpuDecoder of_stored(stored);
  CpuDecoder of_decoded(decoded);
  std::vector<double> found(model.config.vocabulary);
  std::vector<double> expected(model.config.vocabulary);
  for (std::vector<std::int32_t> const& tokens : {std::vector<std::int32_t>{3, 4, 5}, {7}, {12}}) {
    of_stored.next(tokens, found);
    of_decoded.next(tokens, expected);
    CHECK(found == expected);
  }
}

TEST_CASE("weights held as stored are read from any element, and never written") {
  StoredModel const model(TensorType::q5_1);
  DecoderWeights stored = model.stored();
  DecoderWeights const decoded = model.decoded();
  CHECK(stored.size() == decoded.parameters().weights());
  CHECK(stored.bytes() < decoded.bytes() / 4);
  std::size_t const tensor = stored.tensors().layers[1].down.weight;
  for (std::size_t const first : {0U, 1U, 31U, 32U, 100U}) {
    for (std::size_t const count : {0U, 1U, 31U, 64U, 300U}) {
      std::vector<float> values(count);
      stored.read(tensor, first, values);
      CHECK(std::equal(values.begin(), values.end(),
                       decoded.values(tensor).begin() + static_cast<std::ptrdiff_t>(first)));
    }
  }
  std::vector<float> const one(1);
  CHECK_THROWS_WITH(stored.write(tensor, 0, one), contains_text("blk.1.ffn_down.weight") &&
                                                      contains_text("found values held as their file stores them"));
  CHECK_THROWS_WITH(stored.values(tensor), contains_text("blk.1.ffn_down.weight"));
}

TEST_CASE("a probe that would perturb weights held as stored is refused") {
  StoredModel const model(TensorType::q8_0);
  DecoderWeights const stored = model.stored();
  DecoderWeights const decoded = model.decoded();
  HashProbe const probe(decoded.parameters(), {{0, 1}}, 1e-2F);
  CpuDecoder decoder(stored);
  CHECK_THROWS_WITH(score(decoder, batch_of_two(), probe), contains_text("found only weights held as stored"));
}

TEST_CASE("stored values that do not fit the decoder are refused by name") {
  StoredModel const model(TensorType::q8_0);
  std::vector<std::byte> const bytes(34);
  std::vector<zeroth::model::StoredValues> values(tensor_specs(model.config).size(), {TensorType::q8_0, bytes});
  CHECK_THROWS_WITH(DecoderWeights(model.config, "file", values), contains_text("token_embd.weight") &&
                                                                      contains_text("34 bytes of type Q8_0") &&
                                                                      contains_text("67 x 256"));
  values.pop_back();
  CHECK_THROWS_WITH(DecoderWeights(model.config, "file", values), contains_text("file: expected the values of"));
}

// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "../lora_support.hpp"
#include "catch.hpp"
#include "stored_model.hpp"
#include "zeroth/journal.hpp"
#include "zeroth/zeroth.hpp"
#include "zeroth_model/adapter/block_scales.hpp"
#include "zeroth_model/adapter/sparse_delta.hpp"

using namespace zeroth_test;
using zeroth::Point;
using zeroth::model::BlockScales;
using zeroth::model::CpuOps;
using zeroth::model::DecoderWeights;
using zeroth::model::DeltaChoice;
using zeroth::model::PackedBatch;
using zeroth::model::ScoreKind;
using zeroth::model::SparseDelta;
using zeroth::model::TensorType;
using zeroth::model::Tuned;
using zeroth::model::WeightTensor;

namespace {

PackedBatch a_batch() {
  PackedBatch batch;
  add_scored(batch, {1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4});
  add_scored(batch, {66, 0, 31});
  return batch;
}

/// The decoder's weights as floats, as one lane of a probe over what is tuned beside them sees them.
template <class Beside>
DecoderWeights as_seen(DecoderWeights const& stored, Beside const& tuned, HashProbe const& probe, Point lane) {
  DecoderWeights copy(stored.config());
  for (std::size_t i = 0; i < stored.weight_tensors().size(); ++i) {
    WeightTensor const& t = tuned.weight_tensors()[i];
    std::span<float> const values = copy.values(i);
    stored.read(i, 0, values);
    if (t.tuned == Tuned::scales) {
      std::vector<float> scales;
      for (std::size_t k = 0; k < tuned.values(t.parameter).size(); ++k)
        scales.push_back(probe.value(lane, t.parameter, k));
      zeroth::model::detail::block_decoder(t.type, zeroth::InstructionSet::portable)(
          static_cast<std::byte const*>(t.data), scales.data(), values.data(), scales.size());
    } else if (t.tuned == Tuned::some_values) {
      std::size_t at = 0;
      for (std::size_t r = 0; r < t.shape.rows; ++r)
        for (; at < t.places->row_begins[r + 1]; ++at)
          values[r * t.shape.columns + t.places->columns[at]] = probe.value(lane, t.parameter, at);
    }
  }
  return copy;
}

/// Scores of all points are those of plain inference on the weights as each point sees them.
template <class Beside>
void check_points(DecoderWeights const& stored, Beside const& tuned) {
  PackedBatch const batch = a_batch();
  HashProbe const probe(tuned.parameters(), {{0, 1}, {0, -1}, {1, 1}}, 1e-3F);
  CpuDecoder decoder(stored, tuned);
  EigenDecoder eigen(stored, tuned);
  auto const scores = score(decoder, batch, probe);
  auto const eigen_scores = score(eigen, batch, probe);
  std::size_t const count = batch.requests().size();
  CpuDecoder plain(stored);
  auto const unperturbed = score(plain, batch);
  CHECK(score(decoder, batch) == unperturbed);
  for (std::size_t k = 0; k < probe.points().size(); ++k) {
    DecoderWeights const seen = as_seen(stored, tuned, probe, probe.points()[k]);
    CpuDecoder of_seen(seen);
    EigenDecoder eigen_of_seen(seen);
    auto const expected = score(of_seen, batch);
    auto const of_lane = [&](std::vector<double> const& all) {
      return std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(k * count),
                                 all.begin() + static_cast<std::ptrdiff_t>((k + 1) * count));
    };
    CHECK(expected != unperturbed);
    CHECK(of_lane(scores) == expected);
    CHECK(of_lane(eigen_scores) == score(eigen_of_seen, batch));
  }
}

std::vector<float> magnitudes(DecoderWeights const& weights, std::size_t tensor) {
  std::vector<float> values(static_cast<std::size_t>(weights.weight_tensors()[tensor].size()));
  weights.read(tensor, 0, values);
  for (float& v : values) v = std::abs(v);
  return values;
}

/// Element numbers of the places.
std::vector<std::size_t> elements(zeroth::model::SparsePlaces const& places, std::size_t columns) {
  std::vector<std::size_t> found;
  for (std::size_t r = 0; r + 1 < places.row_begins.size(); ++r)
    for (std::uint64_t i = places.row_begins[r]; i < places.row_begins[r + 1]; ++i)
      found.push_back(r * columns + places.columns[static_cast<std::size_t>(i)]);
  return found;
}

}  // namespace

TEST_CASE("points over tuned scales score to the bits of inference on the weights that they make") {
  for (zeroth::model::TensorTypeTraits const& traits : zeroth::model::tensor_types) {
    if (!traits.is_quantized()) continue;
    INFO(traits.name);
    StoredModel const model(traits.type);
    DecoderWeights const stored = model.stored();
    check_points(stored, BlockScales(stored));
  }
  StoredModel const wide(TensorType::q4_0, 1024);  // panels of this width are spread
  DecoderWeights const stored = wide.stored();
  check_points(stored, BlockScales(stored));
}

TEST_CASE("scales are those of the blocks, a row for each of a tensor's, by the names that the targets match") {
  StoredModel const model(TensorType::q4_1);
  DecoderWeights const stored = model.stored();
  BlockScales const all(stored);
  CHECK(all.parameters().find("token_embd.weight.scales") != nullptr);
  CHECK(all.parameters().find("output_norm.weight.scales") == nullptr);
  std::string const targets[] = {"*.ffn_up.weight"};
  BlockScales const scales(stored, targets);
  REQUIRE(scales.parameters().size() == 2);
  zeroth::Parameter const& p = scales.parameters()[1];
  CHECK(p.name == "blk.1.ffn_up.weight.scales");
  CHECK(p.shape == zeroth::Shape{512, 8});
  CHECK(p.stream == zeroth::stream_of(p.name));
  // Doubling a scale doubles what a weight has above its block's minimum.
  std::string const unknown[] = {"*.ffn_up.weight", "nothing*"};
  CHECK_THROWS_WITH(BlockScales(stored, unknown), contains_text("'nothing*'"));
  DecoderWeights const decoded = model.decoded();
  CHECK_THROWS_WITH(BlockScales(decoded), contains_text("expected quantised weights held as stored, found none"));
  StoredModel const floats(TensorType::bf16);
  DecoderWeights const stored_floats = floats.stored();
  CHECK_THROWS_WITH(BlockScales(stored_floats), contains_text("found none"));
}

TEST_CASE("points over a sparse delta score to the bits of inference on the weights that they make") {
  for (TensorType const type : {TensorType::q4_0, TensorType::q6_k, TensorType::bf16, TensorType::f32}) {
    for (std::uint32_t const hidden : {256U, 1024U}) {
      StoredModel const model(type, hidden);
      DecoderWeights const stored = model.stored();
      for (DeltaChoice const choice : {DeltaChoice::smallest, DeltaChoice::largest, DeltaChoice::random})
        check_points(stored, SparseDelta(stored, {.share = 0.05, .choice = choice}));
    }
  }
  StoredModel const model(TensorType::q8_0);
  DecoderWeights const decoded = model.decoded();
  check_points(decoded, SparseDelta(decoded, {.share = 0.001, .targets = {"*.attn_q.weight"}}));
}

TEST_CASE("a sparse delta has the smallest, the largest or random weights of each matrix, as many as asked for") {
  StoredModel const model(TensorType::q4_0);
  DecoderWeights const stored = model.stored();
  for (double const share : {1e-9, 0.001, 0.25, 1.0}) {
    for (DeltaChoice const choice : {DeltaChoice::smallest, DeltaChoice::largest, DeltaChoice::random}) {
      SparseDelta const delta(stored, {.share = share, .choice = choice, .seed = 3});
      REQUIRE(delta.parameters().size() == 14);
      for (std::size_t i = 0; i < delta.chosen().size(); ++i) {
        SparseDelta::Chosen const& chosen = delta.chosen()[i];
        WeightTensor const& t = stored.weight_tensors()[chosen.tensor];
        auto const wanted =
            std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(share * static_cast<double>(t.size()))));
        REQUIRE(chosen.places.size() == wanted);
        CHECK(delta.parameters()[i].name == t.name + ".delta");
        std::vector<std::size_t> const found = elements(chosen.places, static_cast<std::size_t>(t.shape.columns));
        REQUIRE(found.size() == wanted);
        CHECK(std::is_sorted(found.begin(), found.end()));
        CHECK(std::adjacent_find(found.begin(), found.end()) == found.end());
        CHECK(found.back() < t.size());
        std::vector<float> const all = magnitudes(stored, chosen.tensor);
        bool same = true;
        for (std::size_t k = 0; k < found.size(); ++k) same = same && std::abs(delta.values(i)[k]) == all[found[k]];
        CHECK(same);
        if (choice == DeltaChoice::random) continue;
        std::vector<float> sorted = all;
        std::sort(sorted.begin(), sorted.end());
        if (choice == DeltaChoice::largest) std::reverse(sorted.begin(), sorted.end());
        std::vector<float> of_delta;
        for (std::size_t place : found) of_delta.push_back(all[place]);
        std::sort(of_delta.begin(), of_delta.end());
        if (choice == DeltaChoice::largest) std::reverse(of_delta.begin(), of_delta.end());
        sorted.resize(of_delta.size());
        CHECK(of_delta == sorted);
      }
    }
  }
}

TEST_CASE("of equal magnitudes a sparse delta takes evenly spread ones") {
  // In 4 bits, about one weight in 16 is zero: far more than the delta takes.
  StoredModel const model(TensorType::q4_0);
  DecoderWeights const stored = model.stored();
  SparseDelta const delta(stored, {.share = 0.01});
  for (SparseDelta::Chosen const& chosen : delta.chosen()) {
    auto const rows = static_cast<std::size_t>(stored.weight_tensors()[chosen.tensor].shape.rows);
    double const half = static_cast<double>(chosen.places.row_begins[rows / 2]);
    CHECK(half == Approx(static_cast<double>(chosen.places.size()) / 2).epsilon(0.1));
  }
}

TEST_CASE("a random choice depends on the seed and the tensor") {
  StoredModel const model(TensorType::q4_0);
  DecoderWeights const stored = model.stored();
  auto places = [&](std::uint64_t seed, std::size_t i) {
    return SparseDelta(stored, {.share = 0.01, .choice = DeltaChoice::random, .seed = seed}).chosen()[i].places.columns;
  };
  CHECK(places(1, 0) == places(1, 0));
  CHECK(places(1, 0) != places(2, 0));
  CHECK(places(1, 1) != places(1, 2));
}

TEST_CASE("S-MeZO over scales, and MeZO over a delta, is journaled and replayed to the bit") {
  StoredModel const model(TensorType::q5_0);
  DecoderWeights const stored = model.stored();
  auto run = [&](auto tuned, auto again, auto mask) {
    auto make = [&](zeroth::ParameterSet const& parameters) {
      return zeroth::ZerothOrderOptimizer(parameters, zeroth::Gaussian{}, mask, zeroth::CpuBackend{},
                                          {.epsilon = 1e-3, .learning_rate = 1e-3, .seed = 1});
    };
    auto optimizer = make(tuned.parameters());
    zeroth::Journal journal{zeroth::make_journal_header(optimizer)};
    CpuDecoder decoder(stored, tuned);
    PackedBatch const batch = a_batch();
    std::size_t const count = batch.requests().size();
    for (int step = 0; step < 5; ++step) {
      auto const report = optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
        auto const scores = score(decoder, batch, probe);
        for (std::size_t k = 0; k < losses.size(); ++k) {
          losses[k] = 0;
          for (std::size_t i = 0; i < count; ++i) losses[k] -= scores[k * count + i] / static_cast<double>(count);
        }
      });
      CHECK(report.active_weights > 0);
      journal.append(report);
    }
    auto replayed = make(again.parameters());
    zeroth::replay(journal, replayed);
    for (std::size_t i = 0; i < tuned.parameters().size(); ++i)
      CHECK(std::equal(tuned.values(i).begin(), tuned.values(i).end(), again.values(i).begin()));
    CpuDecoder of_replayed(stored, again);
    CpuDecoder plain(stored);
    CHECK(score(decoder, batch) == score(of_replayed, batch));
    CHECK(score(decoder, batch) != score(plain, batch));
  };
  run(BlockScales(stored), BlockScales(stored), zeroth::SmallestMagnitude{.sparsity = 0.75});
  run(SparseDelta(stored, {.share = 0.1}), SparseDelta(stored, {.share = 0.1}), zeroth::Dense{});
}

TEST_CASE("weights are read from any element with what is tuned beside them") {
  StoredModel const model(TensorType::q4_1);
  DecoderWeights stored = model.stored();
  BlockScales scales(stored);
  for (std::size_t p = 0; p < scales.parameters().size(); ++p)
    for (float& scale : scales.values(p)) scale *= 1.5F;
  std::size_t const tensor = stored.tensors().layers[1].down.weight;
  WeightTensor const& t = scales.weight_tensors()[tensor];
  std::vector<float> whole(static_cast<std::size_t>(t.size()));
  zeroth::model::detail::block_decoder(t.type, zeroth::InstructionSet::portable)(
      static_cast<std::byte const*>(t.data), t.theta, whole.data(), whole.size() / 32);
  stored.read_through(scales.weight_tensors());
  for (std::size_t const first : {0U, 1U, 31U, 32U, 100U}) {
    for (std::size_t const count : {0U, 1U, 31U, 64U, 300U}) {
      std::vector<float> values(count);
      stored.read(tensor, first, values);
      CHECK(std::equal(values.begin(), values.end(), whole.begin() + static_cast<std::ptrdiff_t>(first)));
    }
  }
}

TEST_CASE("tuned values of other weights are refused") {
  StoredModel const model(TensorType::q4_0);
  StoredModel const other(TensorType::q4_0);
  DecoderWeights const stored = model.stored();
  DecoderWeights const of_others = other.stored();
  BlockScales const scales(of_others);
  CHECK_THROWS_WITH(CpuDecoder(stored, scales), contains_text("found those of others"));
  CHECK_THROWS_WITH(SparseDelta(stored, {.share = 0}), contains_text("delta share must be > 0"));
  CHECK_THROWS_WITH(SparseDelta(stored, {.share = 0.1, .targets = {"none"}}), contains_text("delta target 'none'"));
}

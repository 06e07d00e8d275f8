// SPDX-License-Identifier: MIT
#include "zeroth_model/adapter/lora.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "executors.hpp"
#include "lora_support.hpp"
#include "tensors.hpp"
#include "zeroth/executor/thread_pool.hpp"
#include "zeroth/zeroth.hpp"

using namespace zeroth_test;
using zeroth::Parameter;
using zeroth::Point;
using zeroth::Role;
using zeroth::model::CpuOps;
using zeroth::model::DecoderWeights;
using zeroth::model::EigenOps;
using zeroth::model::LoraAdapter;
using zeroth::model::LoraPair;
using zeroth::model::PackedBatch;
using zeroth::model::ScoreKind;

namespace {

constexpr std::array families{"llama3", "llama_bias_linear", "mistral", "qwen2", "opt", "qwen3", "phi3", "gemma2"};

PackedBatch batch_of(std::string const& family) {
  PackedBatch batch;
  for (GoldenSequence const& sequence : golden_sequences("families/" + family + "/golden"))
    add_scored(batch, sequence.tokens);
  return batch;
}

std::vector<std::uint32_t> all_bits(zeroth::ParameterSet const& parameters) {
  std::vector<std::uint32_t> all;
  for (Parameter const& p : parameters)
    for (std::uint32_t b : bits({static_cast<float const*>(p.data), static_cast<std::size_t>(p.size())}))
      all.push_back(b);
  return all;
}

/// Minus the mean log-probability of a sequence, for every lane: the loss of these tests.
template <class Decoder>
class SequenceLoss {
 public:
  SequenceLoss(Decoder& decoder, std::string const& family) : decoder_(decoder) {
    add_scored(batch_, golden_sequences("families/" + family + "/golden")[2].tokens);
  }

  void operator()(zeroth::AnyProbe const& probe, std::span<double> losses) {
    auto const scores = score(decoder_, batch_, probe);
    std::size_t const count = batch_.requests().size();
    for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = mean_of(std::span(scores).subspan(k * count, count));
  }

  [[nodiscard]] double now() { return mean_of(score(decoder_, batch_)); }

 private:
  static double mean_of(std::span<double const> scores) {
    double sum = 0;
    for (double s : scores) sum -= s;
    return sum / static_cast<double>(scores.size());
  }

  Decoder& decoder_;
  PackedBatch batch_;
};

}  // namespace

TEST_CASE("a new adapter has a uniform A, a B of zeros, and leaves every score unchanged") {
  DecoderWeights const weights = load_family_folder("llama3");
  LoraAdapter const adapter(weights, {.rank = 8, .alpha = 4, .targets = {"*"}, .seed = 11});
  CHECK(adapter.scale() == 0.5F);
  REQUIRE(adapter.pairs().size() == 14);
  CHECK(adapter.parameters().size() == 28);
  double sum = 0;
  double squares = 0;
  double count = 0;
  for (LoraPair const& pair : adapter.pairs()) {
    Parameter const& weight = weights.parameters()[pair.weight];
    Parameter const& a = adapter.parameters()[pair.a];
    Parameter const& b = adapter.parameters()[pair.b];
    CHECK(a.name == weight.name + ".lora_a");
    CHECK(b.name == weight.name + ".lora_b");
    CHECK(a.role == Role::matrix);
    CHECK(b.role == Role::matrix);
    CHECK(a.stream == zeroth::stream_of(a.name));
    CHECK(a.shape == zeroth::Shape{8, weight.shape.columns});
    CHECK(b.shape == zeroth::Shape{weight.shape.rows, 8});
    for (float value : adapter.values(pair.b)) CHECK(value == 0.0F);
    double const scale = std::sqrt(static_cast<double>(weight.shape.columns));
    for (float value : adapter.values(pair.a)) {
      double const unit = static_cast<double>(value) * scale;
      CHECK(std::abs(unit) <= 1.00001);
      sum += unit;
      squares += unit * unit;
      ++count;
    }
    CHECK(adapter.find(pair.weight)->b == pair.b);
  }
  // Mean and variance of a uniform value in (-1, 1): 4 standard errors for that many values.
  CHECK(std::abs(sum / count) < 4 * std::sqrt(1 / (3 * count)));
  CHECK(squares / count == Approx(1.0 / 3).margin(4 * std::sqrt(4.0 / 45 / count)));

  CpuDecoder plain(weights);
  CpuDecoder adapted(weights, adapter);
  CHECK(score(adapted, batch_of("llama3")) == score(plain, batch_of("llama3")));
}

TEST_CASE("A is a function of seed and name, and shares no bits with the perturbation") {
  DecoderWeights const weights = load_family_folder("llama3");
  LoraAdapter const all(weights, {.targets = {"*"}, .seed = 5});
  LoraAdapter const some(weights, {.targets = {"blk.1.ffn_up.weight"}, .seed = 5});
  LoraAdapter const other(weights, {.targets = {"*"}, .seed = 6});
  std::size_t const weight = weights.tensors().layers[1].up.weight;
  auto const a = all.values(all.find(weight)->a);
  CHECK(bits(a) == bits(some.values(some.find(weight)->a)));
  CHECK(bits(a) != bits(other.values(other.find(weight)->a)));
  CHECK(some.find(weights.tensors().layers[1].down.weight) == nullptr);

  zeroth::NoiseField<zeroth::Uniform> const noise{{}, 5, 0};
  std::uint32_t const stream = zeroth::stream_of("blk.1.ffn_up.weight.lora_a");
  double product = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    product += static_cast<double>(a[i]) * std::sqrt(3.0 * 36) * static_cast<double>(noise.value(stream, 0, i));
  CHECK(std::abs(product / static_cast<double>(a.size())) < 4 / std::sqrt(static_cast<double>(a.size())));
}

TEST_CASE("an adapter scores as the model that it is merged into") {
  // Both round in f32: W x + s B (A x) compared with (W + s B A) x. On these models scores then differ by about 1e-5,
  // as they do between the two sets of operations.
  for (std::string family : families) {
    for (std::uint32_t rank : {1U, 4U, 19U}) {
      INFO(family << ", rank " << rank);
      DecoderWeights weights = load_family_folder(family);
      LoraAdapter const adapter = busy_adapter(weights, rank);
      CpuDecoder adapted(weights, adapter);
      EigenDecoder adapted_by_eigen(weights, adapter);
      CpuDecoder plain(weights);
      PackedBatch const batch = batch_of(family);
      auto const expected = score(adapted, batch);
      auto const by_eigen = score(adapted_by_eigen, batch);
      double changed = 0;
      auto const without = score(plain, batch);
      zeroth::model::merge(adapter, weights);
      auto const merged = score(plain, batch);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(merged[i] == Approx(expected[i]).margin(1e-4));
        CHECK(by_eigen[i] == Approx(expected[i]).margin(1e-4));
        changed = std::max(changed, std::abs(without[i] - expected[i]));
      }
      CHECK(changed > 0.1);
    }
  }
}

TEST_CASE("each lane of a probe around an adapter is plain inference on the perturbed adapter, to the bit") {
  std::vector<Point> const lanes{{0, 1}, {0, -1}, {0, 0}, {3, 1}};
  auto check = [&](auto const& make_decoder, std::string const& family, std::uint32_t rank) {
    DecoderWeights const weights = load_family_folder(family);
    auto const before = all_bits(weights.parameters());
    LoraAdapter const adapter = busy_adapter(weights, rank);
    HashProbe const probe(adapter.parameters(), lanes, 1e-1F);
    auto decoder = make_decoder(weights, adapter);
    for (ScoreKind kind : {ScoreKind::log_probability, ScoreKind::logit}) {
      PackedBatch const batch = batch_of(family);
      auto const plain = score(decoder, batch, kind);
      auto const found = score(decoder, batch, probe, kind);
      for (std::size_t k = 0; k < lanes.size(); ++k) {
        INFO(family << ", rank " << rank << ", lane " << k);
        LoraAdapter const moved = perturbed(weights, adapter, probe, lanes[k]);
        auto reference = make_decoder(weights, moved);
        auto const expected = score(reference, batch, kind);
        auto const lane = found.begin() + static_cast<std::ptrdiff_t>(k * plain.size());
        CHECK(std::equal(expected.begin(), expected.end(), lane));
        CHECK((expected == plain) == (lanes[k].sign == 0));
      }
    }
    CHECK(all_bits(weights.parameters()) == before);
  };
  for (std::string family : families) {
    for (std::uint32_t rank : {1U, 4U, 19U}) {
      check([](auto const& w, auto const& a) { return CpuDecoder(w, a); }, family, rank);
      check([](auto const& w, auto const& a) { return EigenDecoder(w, a); }, family, rank);
    }
  }
}

TEST_CASE("scores with an adapter have the same bits whatever the executor does") {
  DecoderWeights const weights = load_family_folder("qwen2");
  LoraAdapter const adapter = busy_adapter(weights);
  HashProbe const probe(adapter.parameters(), {{0, 1}, {0, -1}}, 1e-2F);
  PackedBatch const batch = batch_of("qwen2");
  ShuffledExecutor shuffled;
  zeroth::ThreadPool threads(4);
  CpuDecoder serial(weights, adapter);
  CpuDecoder reordered(weights, adapter, CpuOps(shuffled));
  CpuDecoder threaded(weights, adapter, CpuOps(threads));
  EigenDecoder eigen(weights, adapter);
  EigenDecoder eigen_threaded(weights, adapter, EigenOps(threads));
  auto const expected = score(serial, batch, probe);
  CHECK(score(reordered, batch, probe) == expected);
  CHECK(score(threaded, batch, probe) == expected);
  CHECK(score(eigen_threaded, batch, probe) == score(eigen, batch, probe));
}

TEST_CASE("a sequence with an adapter continues token by token as the whole one") {
  DecoderWeights const weights = load_family_folder("mistral");
  LoraAdapter const adapter = busy_adapter(weights);
  CpuDecoder decoder(weights, adapter);
  Tokens const tokens = golden_sequences("families/mistral/golden")[3].tokens;
  std::uint32_t const vocabulary = weights.config().vocabulary;
  std::vector<double> logits(vocabulary);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    decoder.next(std::span(tokens).subspan(i, 1), logits);
    PackedBatch whole;
    whole.add_segment(std::span(tokens).first(i + 1));
    for (std::uint32_t t = 0; t < vocabulary; ++t) whole.request(i, static_cast<std::int32_t>(t));
    CHECK(logits == score(decoder, whole, ScoreKind::logit));
  }
}

TEST_CASE("an optimizer tunes only the adapter, fused and in place alike") {
  DecoderWeights const weights = load_family_folder("llama3");
  auto const before = all_bits(weights.parameters());
  auto tuned = [&](auto const& policy, bool fused) {
    LoraAdapter adapter(weights, {.rank = 4, .alpha = 8, .targets = {"*.attn_*", "*.ffn_down.weight"}, .seed = 1});
    CpuDecoder decoder(weights, adapter);
    SequenceLoss loss(decoder, "llama3");
    double const first = loss.now();
    zeroth::ZerothOrderOptimizer optimizer(adapter.parameters(), zeroth::Gaussian{}, policy, zeroth::CpuBackend{},
                                           {.learning_rate = 1e-3, .seed = 2, .restore = zeroth::Restore::exact});
    for (int i = 0; i < 150; ++i) {
      auto const report =
          fused ? optimizer.step([&](auto const& probe, std::span<double> losses) { loss(probe, losses); })
                : optimizer.step([&] { return loss.now(); });
      CHECK_FALSE(report.skipped());
    }
    CHECK(loss.now() < first - 0.1);
    return all_bits(adapter.parameters());
  };
  CHECK(tuned(zeroth::Dense{}, true) == tuned(zeroth::Dense{}, false));
  zeroth::SmallestMagnitude const sparse{.sparsity = 0.75};
  CHECK(tuned(sparse, true) == tuned(sparse, false));
  CHECK(all_bits(weights.parameters()) == before);
}

TEST_CASE("Sparse MeZO thresholds A and tunes a B of zeros densely, at every step") {
  DecoderWeights const weights = load_family_folder("llama3");
  LoraAdapter adapter(weights, {.rank = 4, .targets = {"*"}, .seed = 1});
  CpuDecoder decoder(weights, adapter);
  SequenceLoss loss(decoder, "llama3");
  zeroth::ZerothOrderOptimizer optimizer(adapter.parameters(), zeroth::Gaussian{},
                                         zeroth::SmallestMagnitude{.sparsity = 0.75}, zeroth::CpuBackend{},
                                         {.learning_rate = 1e-4});
  std::uint64_t in_a = 0;
  std::uint64_t in_b = 0;
  for (LoraPair const& pair : adapter.pairs()) {
    in_a += adapter.values(pair.a).size();
    in_b += adapter.values(pair.b).size();
  }
  for (int i = 0; i < 5; ++i) {
    auto const report = optimizer.step([&](auto const& probe, std::span<double> losses) { loss(probe, losses); });
    // A quarter of each A, minus the weights that have grown past their threshold since.
    CHECK(static_cast<double>(report.active_weights - in_b) == Approx(0.25 * static_cast<double>(in_a)).epsilon(0.05));
  }
}

TEST_CASE("targets are globs over the matrices of linear layers") {
  DecoderWeights const weights = load_family_folder("qwen2");
  auto names = [&](std::vector<std::string> const& globs) {
    std::vector<std::string> found;
    for (std::size_t i : zeroth::model::matching_matrices(weights, globs, "lora target"))
      found.push_back(weights.parameters()[i].name);
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(names({"*attn_v*", "*.attn_q.weight"}) ==
        Names{"blk.0.attn_q.weight", "blk.0.attn_v.weight", "blk.1.attn_q.weight", "blk.1.attn_v.weight"});
  CHECK(names({"blk.1.ffn_?p.weight", "blk.1.*up*"}) == Names{"blk.1.ffn_up.weight"});
  CHECK(names({"*"}).size() == 14);
  for (char const* glob : {"q_proj", "*attn_q.bias", "token_embd.weight", "blk.2.*", "output_norm.weight", ""})
    CHECK_THROWS_WITH(names({"*", glob}),
                      contains_text("lora target '" + std::string(glob) +
                                    "': expected a glob that matches a matrix of a linear layer, from "
                                    "'blk.0.attn_q.weight' to 'blk.1.ffn_down.weight'"));
  CHECK_THROWS_WITH(names({}), contains_text("expected at least one glob"));
}

TEST_CASE("options out of range and an adapter of another decoder are rejected") {
  DecoderWeights const weights = load_family_folder("llama3");
  CHECK_THROWS_WITH(LoraAdapter(weights, {.rank = 0}), contains_text("lora rank must be in [1, 65536], got 0"));
  CHECK_THROWS_WITH(LoraAdapter(weights, {.rank = 65537}), contains_text("got 65537"));
  for (double alpha : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH(LoraAdapter(weights, {.alpha = alpha}), contains_text("lora alpha must be > 0 and finite, got"));
  LoraAdapter const adapter(weights, {});
  DecoderWeights other = load_family_folder("qwen2");
  CHECK_THROWS_WITH(CpuDecoder(other, adapter), contains_text("the adapter belongs to a decoder with 20 tensors"));
  CHECK_THROWS_WITH(zeroth::model::merge(adapter, other), contains_text("the adapter belongs to a decoder with"));
  DecoderWeights const mistral = load_family_folder("mistral");
  LoraAdapter const narrow(mistral, {});
  DecoderWeights const biased = load_family_folder("llama_bias_linear");
  CHECK_THROWS_AS(CpuDecoder(biased, narrow), zeroth::InvalidArgument);
}

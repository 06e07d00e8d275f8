// SPDX-License-Identifier: MIT
// The policies of examples/own_policies.hpp, and what the library offers to write them.
#include <zeroth/check_policies.hpp>
#include <zeroth/zeroth.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "../examples/own_policies.hpp"
#include "catch.hpp"
#include "tensors.hpp"

namespace {

using zeroth::Coverage;
using zeroth::Options;
using zeroth::Parameter;
using zeroth::ParameterSet;
using zeroth::ReferenceBackend;
using zeroth::Role;
using zeroth::WeightReader;
using zeroth::ZerothOrderOptimizer;

/// Two layers, of 3 x 50 weights each (a row is no multiple of 4, the last tile partial), and an embedding.
struct Model {
  std::vector<float> embedding = zeroth_test::normal_weights(64, 1, 1);
  std::vector<float> first = zeroth_test::normal_weights(150, 2, 1);
  std::vector<float> second = zeroth_test::normal_weights(150, 3, 1);
  ParameterSet parameters;

  Model() {
    parameters.add("embd.weight", Role::embedding, {1, 64}, embedding);
    parameters.add("blk.0.weight", Role::matrix, {3, 50}, first);
    parameters.add("blk.1.weight", Role::matrix, {3, 50}, second);
  }
  Model(Model const&) = delete;
  Model& operator=(Model const&) = delete;

  [[nodiscard]] std::vector<float> all() const {
    std::vector<float> values = embedding;
    values.insert(values.end(), first.begin(), first.end());
    values.insert(values.end(), second.begin(), second.end());
    return values;
  }
  [[nodiscard]] double loss() const {
    double sum = 0;
    for (float w : all()) sum += static_cast<double>(w) * static_cast<double>(w);
    return sum;
  }
};

Wanda wanda(double sparsity = 0.5) {
  std::vector<float> norms;
  for (std::size_t i = 0; i < 50; ++i) norms.push_back(i % 5 == 0 ? 10.0F : 1.0F);
  return {sparsity, {{"blk.0.weight", norms}, {"blk.1.weight", norms}}};
}

std::string text_of(zeroth::Bitmap const& bits, Parameter const& p) {
  std::string text;
  for (std::uint64_t i = 0; i < p.size(); ++i) text += bits.rule()(0, p.offset + i) ? '1' : '0';
  return text;
}

/// The mask of a tensor as a policy selects it at a step.
template <class M>
std::string active(M const& policy, ParameterSet const& parameters, std::size_t index, std::uint32_t step = 0) {
  ReferenceBackend const backend;
  auto state = zeroth::prepare_mask(policy, parameters, WeightReader(backend));
  zeroth::begin_mask_step(state, parameters, WeightReader(backend), step);
  zeroth::Bitmap bits(parameters[index]);
  backend.mask_bits(parameters[index], state.tensor(index, step), bits.words());
  return text_of(bits, parameters[index]);
}

/// A run in place, fused and replayed on the reference backend: all have the same bits. Returns the records.
template <class S, class M, class U>
std::vector<zeroth::StepRecord> check_run(S const& sampler, M const& mask, U const& update) {
  INFO(zeroth::describe(mask));
  {
    Model const model;
    CHECK(zeroth::check_policies(model.parameters, sampler, mask, update).faults == std::vector<std::string>{});
  }
  Options const options{
      .epsilon = 1e-2, .learning_rate = 1e-3, .samples = 2, .seed = 4, .restore = zeroth::Restore::exact};
  Options rough = options;
  rough.restore = zeroth::Restore::arithmetic;
  Model fused;
  Model exact;
  Model replayed;
  Model arithmetic;
  Model arithmetic_again;
  ZerothOrderOptimizer a(fused.parameters, sampler, mask, zeroth::CpuBackend{}, update, options);
  ZerothOrderOptimizer b(exact.parameters, sampler, mask, zeroth::CpuBackend{}, update, options);
  ZerothOrderOptimizer c(replayed.parameters, sampler, mask, ReferenceBackend{}, update, options);
  ZerothOrderOptimizer d(arithmetic.parameters, sampler, mask, zeroth::CpuBackend{}, update, rough);
  ZerothOrderOptimizer e(arithmetic_again.parameters, sampler, mask, ReferenceBackend{}, update, rough);
  auto const by_probe = [&](zeroth::AnyProbe const& probe, std::span<double> losses) {
    for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = 0;
    for (std::size_t i = 0; i < fused.parameters.size(); ++i) {
      std::size_t const size = fused.parameters[i].size();
      std::vector<std::vector<float>> panels(losses.size(), std::vector<float>(size));
      std::vector<float*> to;
      for (std::vector<float>& p : panels) to.push_back(p.data());
      probe.expand(i, 0, size, to);
      for (std::size_t k = 0; k < losses.size(); ++k)
        for (float w : panels[k]) losses[k] += static_cast<double>(w) * static_cast<double>(w);
    }
  };
  std::vector<zeroth::StepRecord> records;
  for (int i = 0; i < 12; ++i) {
    records.push_back(a.step(by_probe));
    CHECK(b.step([&] { return exact.loss(); }) == records.back());
    c.replay(records.back());
    e.replay(d.step([&] { return arithmetic.loss(); }));
  }
  CHECK(fused.all() != Model{}.all());
  CHECK(zeroth_test::bits(exact.all()) == zeroth_test::bits(fused.all()));
  CHECK(zeroth_test::bits(replayed.all()) == zeroth_test::bits(fused.all()));
  CHECK(zeroth_test::bits(arithmetic_again.all()) == zeroth_test::bits(arithmetic.all()));
  return records;
}

TEST_CASE("own policies give the same bits in each form and replayed") {
  check_run(Triangular{}, wanda(), zeroth::Sgd{});
  check_run(zeroth::Rademacher{}, zeroth::Tiled<TwoOfFour>{.refresh_every = 5}, zeroth::Sgd{});
  check_run(Triangular{}, DropLayers{0.5, 7}, zeroth::Momentum{});
}

TEST_CASE("own policies combine with each other and with the library's, nested") {
  auto const mask = zeroth::both(wanda(), zeroth::either(zeroth::Tiled<TwoOfFour>{}, DropLayers{0.5, 7}));
  check_run(Triangular{}, mask, zeroth::Sgd{});
  auto const with_ours = zeroth::either(zeroth::both(wanda(), zeroth::SmallestMagnitude{0.5}), DropLayers{0.5, 7});
  check_run(zeroth::Gaussian{}, zeroth::Filtered{with_ours, {.exclude = {"embd.*"}}}, zeroth::Sgd{});
  CHECK(mask.name() == "both(wanda, either(tiled(two-of-four), drop-layers))");
}

TEST_CASE("Wanda selects by weight times norm within each row") {
  Model model;
  std::string const bits = active(wanda(0.8), model.parameters, 1);
  for (std::size_t row = 0; row < 3; ++row) {
    std::string const of_row = bits.substr(row * 50, 50);
    CHECK(std::count(of_row.begin(), of_row.end(), '1') == 10);
    auto score = [&](std::size_t i) { return std::fabs(model.first[row * 50 + i]) * (i % 5 == 0 ? 10.0F : 1.0F); };
    for (std::size_t i = 0; i < 50; ++i)
      for (std::size_t j = 0; j < 50; ++j)
        if (of_row[i] == '1' && of_row[j] == '0') CHECK(score(i) > score(j));
  }
  CHECK(active(wanda(), model.parameters, 0) == std::string(64, '0'));  // without norms
  Wanda wrong = wanda();
  wrong.norms["blk.0.weight"].pop_back();
  CHECK_THROWS_WITH(active(wrong, model.parameters, 0),
                    "parameter 'blk.0.weight' needs 50 norms, one per column, got 49");
}

TEST_CASE("a tile rule sees the whole tile, of a slice what it has") {
  std::vector<float> w = {4, 1, 3, 2, -1, -1, -1, -1, 0, 9, 8, 7, 5, 1};
  ParameterSet parameters;
  parameters.add("w", Role::matrix, {1, w.size()}, w);
  CHECK(active(zeroth::Tiled<TwoOfFour>{}, parameters, 0) == "01011100100111");
  // Elements 126 to 131: a tile's last two and the next one's first four.
  ParameterSet slice;
  slice.add(Parameter{"w", Role::matrix, {1, 6}, zeroth::DataType::f32, w.data(), 1, 126});
  CHECK(active(zeroth::Tiled<TwoOfFour>{}, slice, 0) == "110011");
}

TEST_CASE("a tiled mask is computed again when it is said to be") {
  std::vector<float> w = {4, 3, 2, 1};
  ParameterSet parameters;
  parameters.add("w", Role::matrix, {1, 4}, w);
  ReferenceBackend const backend;
  WeightReader const reader(backend);
  auto fixed = zeroth::Tiled<TwoOfFour>{}.prepare(parameters, reader);
  auto fresh = zeroth::Tiled<TwoOfFour>{.refresh_every = 2}.prepare(parameters, reader);
  CHECK(fixed.is_fixed());
  CHECK_FALSE(fresh.is_fixed());
  w = {1, 2, 3, 4};
  auto bits = [&](auto const& state) {
    std::string text;
    for (std::uint64_t i = 0; i < 4; ++i) text += state.tensor(0, 0)(w[i], i) ? '1' : '0';
    return text;
  };
  fixed.begin_step(parameters, reader, 2);
  fresh.begin_step(parameters, reader, 1);
  CHECK(bits(fresh) == "0011");
  fresh.begin_step(parameters, reader, 2);
  CHECK(bits(fixed) == "0011");
  CHECK(bits(fresh) == "1100");
}

TEST_CASE("a schedule of layers follows from seed and step") {
  std::vector<std::vector<float>> memory(9, std::vector<float>(4, 1.0F));
  ParameterSet parameters;
  for (std::size_t l = 0; l < 8; ++l)
    parameters.add("blk." + std::to_string(l) + ".w", Role::matrix, {1, 4}, memory[l]);
  parameters.add("output.weight", Role::head, {1, 4}, memory[8]);
  DropLayers const policy{.dropped = 0.75, .seed = 5};
  std::set<std::string> schedules;
  std::set<std::size_t> taken;
  for (std::uint32_t step = 0; step < 40; ++step) {
    std::string layers;
    for (std::size_t l = 0; l < 8; ++l) {
      std::string const bits = active(policy, parameters, l, step);
      CHECK((bits == "0000" || bits == "1111"));
      layers += bits[0];
      if (bits[0] == '1') taken.insert(l);
    }
    CHECK(std::count(layers.begin(), layers.end(), '1') == 2);
    CHECK(active(policy, parameters, 8, step) == "1111");
    schedules.insert(layers);
  }
  CHECK(schedules.size() > 10);  // of 28
  CHECK(taken.size() == 8);
}

TEST_CASE("journals say the settings of own policies") {
  CHECK(zeroth::describe(Triangular{}) == "triangular");
  CHECK(zeroth::describe(DropLayers{0.5, 7}) == "drop-layers(dropped=0.5, seed=7)");
  CHECK(zeroth::describe(zeroth::Tiled<TwoOfFour>{.refresh_every = 3}) == "tiled(two-of-four, refresh_every=3)");
  Wanda other = wanda();
  other.norms["blk.0.weight"][7] = 2;
  CHECK(zeroth::describe(other) != zeroth::describe(wanda()));

  Model model;
  ZerothOrderOptimizer optimizer(model.parameters, Triangular{}, wanda(), zeroth::CpuBackend{});
  zeroth::Journal const journal(zeroth::make_journal_header(optimizer));
  ZerothOrderOptimizer another(model.parameters, Triangular{}, other, zeroth::CpuBackend{});
  CHECK_THROWS_WITH(replay(journal, another), zeroth_test::contains_text("wanda(sparsity=0.5, norms=0x"));
}

TEST_CASE("a digest depends on each value, their order and their number") {
  auto digest = [](std::vector<float> const& values) { return zeroth::digest(std::span<float const>(values)); };
  std::set<std::string> const digests = {digest({}), digest({0}), digest({0, 0}), digest({1, 2}), digest({2, 1})};
  CHECK(digests.size() == 5);
  CHECK(digest({1, 2}) == digest({1, 2}));
  std::vector<std::uint64_t> const words = {1, 2};
  CHECK(zeroth::digest(std::span<std::uint64_t const>(words)).size() == 18);
}

TEST_CASE("a stored mask keeps what another policy selects") {
  std::vector<float> values = zeroth_test::normal_weights(500, 9);
  ParameterSet parameters;
  parameters.add("w", Role::matrix, {1, 300}, std::span(values).first(300));
  parameters.add(Parameter{"slice", Role::matrix, {1, 100}, zeroth::DataType::f32, values.data() + 300, 5, 77});
  parameters.add(Parameter{"out", Role::matrix, {1, 100}, zeroth::DataType::f32, values.data() + 400, 6, 0});
  zeroth::Filtered const policy{zeroth::SmallestMagnitude{0.5}, {.exclude = {"out"}}};
  zeroth::StoredMask const stored = zeroth::StoredMask::of(policy, parameters, zeroth::CpuBackend{});
  REQUIRE(stored.entries.size() == 2);
  std::vector<std::string> before;
  for (std::size_t i = 0; i < 3; ++i) before.push_back(active(policy, parameters, i));
  values.assign(500, 1.0F);
  for (std::size_t i = 0; i < 3; ++i) CHECK(active(stored, parameters, i) == before[i]);
}

}  // namespace

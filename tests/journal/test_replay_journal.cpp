// SPDX-License-Identifier: MIT
#include <zeroth/replay_journal.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/storage/narrow.hpp>

#include "catch.hpp"
#include "support.hpp"

namespace {

using namespace zeroth;
using zeroth_test::contains_text;
using zeroth_test::normal_weights;

enum class Order { forwards, backwards };

/// A few tensors of an engine, in the order in which it has them.
struct Weights {
  std::map<std::string, std::vector<std::byte>> memory;
  ParameterSet parameters;

  explicit Weights(DataType dtype = DataType::f32, Order order = Order::forwards) {
    std::vector<Parameter> tensors{{"blk.0.w", Role::matrix, {3, 67}, dtype},
                                   {"blk.0.norm", Role::vector, {1, 9}},
                                   {"blk.1.w", Role::matrix, {2, 65}, dtype},
                                   {"blk.1.zeros", Role::matrix, {4, 5}, dtype},
                                   {"token_embd.weight", Role::embedding, {4, 33}, dtype}};
    if (order == Order::backwards) std::reverse(tensors.begin(), tensors.end());
    for (Parameter& tensor : tensors) {
      tensor.stream = stream_of(tensor.name);
      std::vector<float> values = normal_weights(tensor.size(), tensor.stream);
      if (tensor.name == "blk.1.zeros") values.assign(values.size(), 0);
      std::vector<std::byte>& bytes = memory[tensor.name];
      bytes.resize(tensor.bytes());
      tensor.data = bytes.data();
      narrow_values(tensor.dtype, values, tensor.data);
      parameters.add(tensor);
    }
  }
};

/// Losses that do not depend on weights: only what is done with them matters here.
double loss_of(std::uint64_t step, std::int32_t sign, std::uint32_t sample) {
  return 1 + 0.25 * sign * static_cast<double>((step * 7 + sample * 3) % 5) - 0.1 * sign;
}

struct Recorded {
  Journal journal;
  std::map<std::string, std::vector<std::byte>> weights;
};

struct RunOf {
  DataType dtype = DataType::f32;
  bool in_place = false;
  Options options{.epsilon = 2e-3, .learning_rate = 1e-2, .samples = 2, .seed = 9};
};

template <class S = Gaussian, class M = SmallestMagnitude, class U = Sgd, class E = CentralDifference>
Recorded record(RunOf const& run, S sampler = {}, M mask = {}, U update = {}, E estimator = {}) {
  Weights weights(run.dtype);
  ZerothOrderOptimizer optimizer(weights.parameters, sampler, mask, CpuBackend{}, update, estimator, run.options);
  Journal journal(make_journal_header(optimizer, {{"who", "test"}}));
  while (optimizer.steps() < 7) {
    if (run.in_place)
      journal.append(
          optimizer.step([](Evaluation const& at) { return loss_of(at.step, at.point.sign, at.point.sample); }));
    else
      journal.append(optimizer.step([](auto const& probe, std::span<double> losses) {
        for (std::size_t k = 0; k < losses.size(); ++k)
          losses[k] = loss_of(probe.step(), probe.points()[k].sign, probe.points()[k].sample);
      }));
  }
  Weights const base(run.dtype);
  CHECK(weights.memory != base.memory);
  return {std::move(journal), std::move(weights.memory)};
}

/// Checks that the weights of a run come back from its journal, over tensors in another order and among others.
void check_replayed(Recorded const& recorded) {
  INFO(value_of(recorded.journal.header().fields, "mask"));
  INFO(value_of(recorded.journal.header().fields, "update"));
  DataType const dtype = recorded.journal.header().tensors.front().dtype;
  for (Order order : {Order::forwards, Order::backwards}) {
    Weights weights(dtype, order);
    std::vector<float> other(5, 1.0F);
    weights.parameters.add("other", Role::matrix, {1, 5}, other);
    replay_journal(Journal::read(recorded.journal.bytes(), "run"), weights.parameters);
    CHECK(weights.memory == recorded.weights);
    CHECK(other == std::vector<float>(5, 1.0F));
  }
}

TEST_CASE("a journal is replayed over tensors of the same names in any order: samplers, updates and estimators") {
  check_replayed(record({}));
  check_replayed(record({.in_place = true}));
  check_replayed(record({}, Rademacher{}, Dense{}, SignSgd{0.01}, OneSided{}));
  check_replayed(record({.in_place = true}, Uniform{}, RandomMask{.sparsity = 0.3}, Momentum{0.7, 0.1}, Fzoo{}));
  check_replayed(record({}, Gaussian{}, LargestMagnitude{}, Adam{0.8, 0.95, 1e-6, 0.1}));
  check_replayed(record({}, Gaussian{}, SmallestMagnitude{}, AdaMm{{.beta_1 = 0.5}}));
  check_replayed(record({}, Rademacher{}, RandomMask{.seed = 5}, WindowMomentum{0.5, 3, 0.01}));
  RunOf conservative;
  conservative.options.acceptance = Acceptance::lowest_of_three;
  conservative.options.restore = Restore::exact;
  check_replayed(record(conservative));
}

TEST_CASE("a journal of 16-bit weights is replayed over tensors of the same names with each rounding") {
  for (DataType const dtype : {DataType::bf16, DataType::f16})
    for (Rounding const rounding :
         {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte}) {
      RunOf run{.dtype = dtype};
      run.options.rounding = rounding;
      run.options.restore = Restore::exact;
      check_replayed(record(run));
      check_replayed(record({dtype, true, run.options}, Gaussian{}, RandomMask{}, Momentum{}));
    }
}

TEST_CASE("a journal is replayed over tensors of the same names: masks with each setting, combined and filtered") {
  for (Scope const scope : {Scope::tensor, Scope::layer, Scope::global})
    check_replayed(record({}, Gaussian{}, SmallestMagnitude{0.3, scope, Coverage::none, 2}));
  check_replayed(record({}, Gaussian{}, LargestMagnitude{0.9, Scope::global}));
  check_replayed(record({}, Gaussian{}, RandomMask{0.5, ~std::uint64_t{0}, Coverage::some, 3}));
  check_replayed(record({.in_place = true}, Gaussian{},
                        both(SmallestMagnitude{0.5}, either(RandomMask{0.5}, LargestMagnitude{0.9}))));
  TensorFilter const filter{
      .include = {"blk.*", "token_embd.weight"}, .exclude = {"blk.1.w"}, .exclude_roles = {Role::vector, Role::head}};
  check_replayed(record({}, Gaussian{}, Filtered{SmallestMagnitude{0.5, Scope::global}, filter}));
  check_replayed(record({}, Gaussian{}, Filtered{either(Dense{}, Filtered{Dense{}, filter}), TensorFilter{}}));
}

TEST_CASE("an optimizer with the tensors in another order replays a journal, and resumes it") {
  Recorded const recorded = record({});
  Weights weights(DataType::f32, Order::backwards);
  ZerothOrderOptimizer optimizer(weights.parameters, Gaussian{}, SmallestMagnitude{}, ReferenceBackend{},
                                 RunOf{}.options);
  replay(recorded.journal, optimizer);
  CHECK(weights.memory == recorded.weights);
}

struct MyMask {
  bool operator()(float theta, std::uint64_t) const { return theta != 0; }
  static constexpr std::string_view name() { return "my-mask"; }
  bool operator==(MyMask const&) const = default;
};
struct MySampler : Gaussian {
  static constexpr std::string_view name() { return "my-sampler"; }
};
struct MyUpdate : Sgd {
  [[nodiscard]] static std::string description() { return "sgd(weight_decay=0, more=1)"; }
};
struct MyEstimator : CentralDifference {
  static constexpr std::string_view name() { return "my-estimator"; }
};

TEST_CASE("a journal with a policy that the library does not have is rejected by its name") {
  auto const refused = [](Recorded const& recorded, std::string const& message) {
    Weights weights;
    CHECK_THROWS_WITH(replay_journal(recorded.journal, weights.parameters, {.source = "run.journal"}),
                      contains_text("run.journal: " + message));
    CHECK(weights.memory == Weights().memory);
  };
  std::string const why = ": only a program that has it can replay this journal";
  refused(record({}, MySampler{}),
          "sampler: expected one of the library's, gaussian, rademacher and uniform, found my-sampler" + why);
  refused(record({}, Gaussian{}, MyMask{}), "mask: expected one of the library's, smallest-magnitude, ");
  refused(record({}, Gaussian{}, both(Dense{}, MyMask{})), "mask: expected one of the library's, ");
  refused(record({}, Gaussian{}, StoredMask{{{"blk.0.w", std::vector<std::uint64_t>(4, 5)}}}), "mask: ");
  refused(record({}, Gaussian{}, Dense{}, MyUpdate{}), "update: expected one of the library's, sgd, ");
  refused(record({}, Gaussian{}, Dense{}, Sgd{}, MyEstimator{}), "estimator: expected one of the library's, ");
}

TEST_CASE("a journal whose fields cannot be those of a run is rejected by the field's name") {
  Recorded const recorded = record({});
  auto const refused = [&](std::string const& name, std::string const& value, std::string const& message) {
    JournalHeader header = recorded.journal.header();
    for (JournalField& field : header.fields)
      if (field.name == name) field.value = value;
    Weights weights;
    CHECK_THROWS_WITH(replay_journal(Journal(header), weights.parameters), contains_text("journal: " + message));
  };
  refused("mask", "smallest-magnitude(sparsity=0.75, scope=tensor, vectors=all)", "mask: ");
  refused("mask", "smallest-magnitude(sparsity=2, scope=tensor, vectors=all, refresh_every=0)", "sparsity must be ");
  std::string deep = "dense";
  for (int i = 0; i < 100000; ++i) deep = "both(" + deep;
  refused("mask", deep, "mask: ");
  deep = "dense";
  for (int i = 0; i < 1000; ++i) deep = "filtered(" + deep + ", include=[], exclude=[], exclude_roles=[])";
  refused("mask", deep, "mask: ");
  refused("epsilon", "much", "epsilon must be > 0");
  refused("epsilon", "0.0020", "epsilon: expected 0.002, as in the optimizer, found 0.0020");
  refused("seed", "-1", "seed: expected 0, as in the optimizer, found -1");
  refused("rounding", "up", "rounding: expected none, as in the optimizer, found up");
}

TEST_CASE("a journal is rejected for tensors that are not those of its run, by name") {
  Recorded const recorded = record({});
  auto const refused = [&](auto const& change, std::string const& message) {
    Weights weights;
    std::vector<Parameter> tensors(weights.parameters.begin(), weights.parameters.end());
    change(tensors);
    ParameterSet parameters;
    for (Parameter const& tensor : tensors) parameters.add(tensor);
    CHECK_THROWS_WITH(replay_journal(recorded.journal, parameters), contains_text("journal: " + message));
  };
  using Tensors = std::vector<Parameter>;
  refused([](Tensors& t) { t.erase(t.begin() + 2); },
          "tensor 'blk.1.w': expected 2 x 65, as the run had, found none of that name among 4 tensors");
  refused(
      [](Tensors& t) {
        t[0].shape = {67, 3};
      },
      "tensor 'blk.0.w': expected shape 3 x 67, as the run had, found 67 x 3");
  refused([](Tensors& t) { t[1].dtype = DataType::f16; },
          "tensor 'blk.0.norm': expected type f32, as the run had, found f16");
  refused([](Tensors& t) { t[3].offset = 128; }, "tensor 'blk.1.zeros': expected offset 0, as the run had, found 128");
  refused([](Tensors& t) { static_cast<float*>(t[0].data)[1] += 1; }, "base weights: expected those with hash 0x");
  JournalHeader header = recorded.journal.header();
  header.tensors.push_back(header.tensors.front());
  Weights weights;
  CHECK_THROWS_WITH(replay_journal(Journal(header), weights.parameters),
                    contains_text("journal: parameter 'blk.0.w': another parameter already has this name"));
}

TEST_CASE("roles and noise streams of a replay are those of the run") {
  Recorded const recorded = record({});
  Weights weights;
  ParameterSet parameters;
  for (Parameter tensor : weights.parameters) {
    tensor.role = Role::matrix;
    tensor.stream += 5;
    parameters.add(tensor);
  }
  replay_journal(recorded.journal, parameters);
  CHECK(weights.memory == recorded.weights);
}

TEST_CASE("a replay may end early and wants the notes that the caller wants") {
  Recorded const recorded = record({});
  Weights weights;
  replay_journal(recorded.journal, weights.parameters, {.until = 0, .notes = {{"who", "test"}}});
  CHECK(weights.memory == Weights().memory);
  CHECK_THROWS_WITH(replay_journal(recorded.journal, weights.parameters, {.until = 8}),
                    contains_text("journal: expected at least 8 steps, found 7"));
  CHECK_THROWS_WITH(replay_journal(recorded.journal, weights.parameters, {.notes = {{"who", "other"}}}),
                    contains_text("journal: who: expected other, found test"));
}

}  // namespace

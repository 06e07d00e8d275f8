// SPDX-License-Identifier: MIT
// Second copies of a tensor that are written whenever the tensor is (ParameterSet::add_mirror).
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/check_engine.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/zeroth.hpp>

#include "catch.hpp"
#include "tensors.hpp"

namespace {

using namespace zeroth;
using zeroth_test::contains_text;
using zeroth_test::normal_weights;

constexpr std::size_t size = 300;

/// An embedding, the head as a copy of it, and a matrix.
struct Tied {
  DataType dtype;
  std::vector<std::byte> embedding;
  std::vector<std::byte> head;
  std::vector<float> matrix = normal_weights(130, 2);
  ParameterSet parameters;

  explicit Tied(DataType type = DataType::f32, bool is_declared = true) : dtype(type), embedding(size * size_of(type)) {
    narrow_values(type, normal_weights(size, 1), embedding.data());
    head = embedding;
    parameters.add("embedding", Role::embedding, {3, size / 3}, type, embedding.data());
    parameters.add("matrix", Role::matrix, {1, matrix.size()}, matrix);
    if (is_declared) parameters.add_mirror("embedding", head.data());
  }

  /// A loss that the copy takes part in.
  [[nodiscard]] double loss() const {
    std::vector<float> a(size);
    std::vector<float> b(size);
    widen_values(dtype, embedding.data(), a);
    widen_values(dtype, head.data(), b);
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += a[i] * b[size - 1 - i] + 0.1 * b[i] + a[i] * matrix[i % 130];
    return sum;
  }
};

template <class U = Sgd, class M = SmallestMagnitude>
auto optimizer_of(ParameterSet const& parameters, Options const& options = {}, U update = {}, M mask = {}) {
  return ZerothOrderOptimizer(parameters, Gaussian{}, mask, CpuBackend{}, update, CentralDifference{}, options);
}

/// Takes steps, and checks at each point and after each step that the copy has the tensor's bits.
template <class Optimizer>
void check_steps(Tied const& tied, Optimizer& optimizer) {
  std::vector<std::byte> const before = tied.embedding;
  auto const in_place = [&] {
    CHECK(tied.head == tied.embedding);
    return tied.loss();
  };
  for (int i = 0; i < 3; ++i) {
    optimizer.step(in_place);
    CHECK(tied.head == tied.embedding);
  }
  CHECK(tied.embedding != before);
}

TEST_CASE("a mirror has its tensor's bits at every point of a step in place, and after it") {
  for (Restore const restore : {Restore::exact, Restore::arithmetic}) {
    Tied const tied;
    auto optimizer = optimizer_of(tied.parameters, {.learning_rate = 1e-3, .samples = 2, .restore = restore});
    check_steps(tied, optimizer);
  }
  for (DataType const type : {DataType::bf16, DataType::f16}) {
    Tied const tied(type);
    auto optimizer = optimizer_of(tied.parameters, {.learning_rate = 1e-1, .restore = Restore::exact}, Adam{});
    check_steps(tied, optimizer);
  }
  Tied const tied;
  auto conservative = optimizer_of(
      tied.parameters, {.learning_rate = 1e-3, .acceptance = Acceptance::lowest_of_three, .restore = Restore::exact});
  check_steps(tied, conservative);
}

TEST_CASE("a fused step writes a mirror with its update only") {
  Tied tied;
  auto optimizer = optimizer_of(tied.parameters, {.learning_rate = 1e-3}, Momentum{}, Dense{});
  for (int i = 0; i < 3; ++i) {
    std::vector<std::byte> const before = tied.head;
    optimizer.step([&](auto const& probe, std::span<double> losses) {
      CHECK(tied.head == before);
      for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = probe.points()[k].sign * 0.5;
    });
    CHECK(tied.head == tied.embedding);
    CHECK(tied.head != before);
  }
}

TEST_CASE("a mirror gets every pass of an update whose window takes several") {
  Tied const tied;
  auto optimizer =
      optimizer_of(tied.parameters, {.learning_rate = 1e-3, .samples = 3000}, WindowMomentum{}, RandomMask{});
  double loss = 0;
  for (int i = 0; i < 2; ++i) {
    optimizer.step([&] { return loss += 0.1; });
    CHECK(tied.head == tied.embedding);
  }
}

TEST_CASE("a mirror is restored with its tensor") {
  for (Restore const restore : {Restore::exact, Restore::arithmetic}) {
    Tied const tied;
    std::vector<std::byte> const before = tied.embedding;
    auto optimizer = optimizer_of(tied.parameters, {.epsilon = 0.1, .restore = restore});
    CHECK_THROWS_AS(optimizer.step([&]() -> double {
      CHECK(tied.head != before);
      throw std::runtime_error("no loss");
    }),
                    std::runtime_error);
    CHECK(tied.head == tied.embedding);
    if (restore == Restore::exact) CHECK(tied.head == before);
    {
      auto step = optimizer.begin_step();
      (void)step.next();
      CHECK(tied.head == tied.embedding);
    }
    CHECK(tied.head == tied.embedding);
    optimizer.step([] { return 0.0 / 0.0; });
    CHECK(tied.head == tied.embedding);
  }
}

TEST_CASE("a mirror changes neither the journal nor the other tensors, and replay writes it") {
  Tied tied;
  Tied plain(DataType::f32, false);
  auto optimizer = optimizer_of(tied.parameters, {.learning_rate = 1e-3});
  auto other = optimizer_of(plain.parameters, {.learning_rate = 1e-3});
  Journal journal(make_journal_header(optimizer));
  CHECK(journal.header() == make_journal_header(other));
  CHECK(tied.parameters.weights() == plain.parameters.weights());
  while (optimizer.steps() < 4) {
    StepReport const report = optimizer.step([&] { return tied.loss(); });
    journal.append(report);
    other.replay(report);
  }
  CHECK(plain.embedding == tied.embedding);
  CHECK(plain.head != tied.head);
  Tied again;
  ZerothOrderOptimizer replayed(again.parameters, Gaussian{}, SmallestMagnitude{}, ReferenceBackend{},
                                Options{.learning_rate = 1e-3});
  replay(journal, replayed);
  CHECK(again.embedding == tied.embedding);
  CHECK(again.head == tied.head);
}

TEST_CASE("a mirror that cannot be one is rejected by the tensor's name") {
  Tied tied;
  ParameterSet& set = tied.parameters;
  std::vector<float> free(size, 0);
  CHECK_THROWS_WITH(set.add_mirror("head", free.data()), "no parameter is named 'head'");
  CHECK_THROWS_WITH(set.add_mirror("embedding", nullptr), "parameter 'embedding': its mirror's data pointer is null");
  CHECK_THROWS_WITH(set.add_mirror("embedding", reinterpret_cast<std::byte*>(free.data()) + 1),
                    contains_text("its mirror's data must be at a multiple of 4 bytes"));
  CHECK_THROWS_WITH(set.add_mirror("embedding", tied.embedding.data()),
                    contains_text("its mirror's memory overlaps that of 'embedding'"));
  CHECK_THROWS_WITH(set.add_mirror("embedding", tied.head.data()),
                    contains_text("its mirror's memory overlaps that of 'embedding'"));
  CHECK_THROWS_WITH(set.add_mirror("matrix", tied.head.data() + 8), contains_text("overlaps that of 'embedding'"));
  CHECK_THROWS_WITH(set.add("head", Role::head, {3, size / 3}, DataType::f32, tied.head.data()),
                    contains_text("parameter 'head': its memory overlaps that of 'embedding'"));
  CHECK(set[0].mirrors.size() == 1);
  // One that is given with its tensor.
  Parameter more{.name = "more", .shape = {1, 10}, .data = free.data(), .stream = 1, .mirrors = {free.data() + 9}};
  CHECK_THROWS_WITH(set.add(more), contains_text("parameter 'more': its mirror's memory overlaps that of 'more'"));
  CHECK(set.size() == 2);
  more.mirrors = {free.data() + 10, free.data() + 20};
  CHECK(set.add(more) == 2);

  reinterpret_cast<float*>(tied.head.data())[7] += 1;
  CHECK_THROWS_WITH(optimizer_of(tied.parameters),
                    contains_text("parameter 'embedding': expected a mirror with the same values, found another at "
                                  "element 7: "));
}

TEST_CASE("check_engine checks an engine with its mirrors") {
  Tied tied;
  auto const loss = [&] { return tied.loss(); };
  EngineCheck const check{.tied = {"embedding"}, .rows_of_tied = 3};
  EngineFindings const findings = check_engine(tied.parameters, loss, check);
  CHECK(findings.faults.empty());
  CHECK(findings.notes.empty());
  CHECK(tied.head == tied.embedding);
  CHECK(tied.embedding == Tied().embedding);

  tied.head[0] ^= std::byte{1};
  std::vector<std::string> const faults = check_engine(tied.parameters, loss, check).faults;
  REQUIRE(faults.size() == 1);
  CHECK_THAT(faults[0], contains_text("parameter 'embedding': expected a mirror with the same values"));
}

}  // namespace

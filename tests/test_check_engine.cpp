// SPDX-License-Identifier: MIT
// check_engine finds each mistake that it is for, planted in a small engine, and passes the engine without one.
#include <zeroth/check_engine.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "catch.hpp"
#include "tensors.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

using zeroth::check_engine;
using zeroth::EngineCheck;
using zeroth::EngineFindings;
using zeroth::ParameterSet;
using zeroth::Role;
using zeroth_test::contains_text;

constexpr std::size_t tokens = 12;
constexpr std::size_t width = 8;

/// A tied embedding and head with a matrix between them: the loss of one token after another.
struct Engine {
  std::vector<float> embedding = zeroth_test::normal_weights(tokens * width, 1, 0.5F);
  std::vector<float> matrix = zeroth_test::normal_weights(width * width, 2, 0.5F);
  std::vector<float> const* head = &embedding;

  [[nodiscard]] ParameterSet parameters() {
    ParameterSet set;
    set.add("embedding", Role::embedding, {tokens, width}, embedding);
    set.add("matrix", Role::matrix, {width, width}, matrix);
    return set;
  }

  /// @param given token that is read, and the one after it
  [[nodiscard]] double loss(std::size_t given = 3, std::size_t next = 5) const {
    return loss_of(embedding, matrix, *head, given, next);
  }

  [[nodiscard]] static double loss_of(std::span<float const> embedding, std::span<float const> matrix,
                                      std::span<float const> head, std::size_t given, std::size_t next) {
    double hidden[width] = {};
    for (std::size_t r = 0; r < width; ++r)
      for (std::size_t c = 0; c < width; ++c)
        hidden[r] += static_cast<double>(matrix[r * width + c]) * static_cast<double>(embedding[given * width + c]);
    double sum = 0;
    double logit = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      double value = 0;
      for (std::size_t c = 0; c < width; ++c) value += static_cast<double>(head[t * width + c]) * hidden[c];
      sum += std::exp(value);
      if (t == next) logit = value;
    }
    return std::log(sum) - logit;
  }
};

/// Checks that there is one fault, which says so, and that no weight was changed.
template <class Loss>
void finds(Engine& engine, Loss loss, std::string const& expected, EngineCheck const& check = {}) {
  auto const before = engine.embedding;
  auto const matrix = engine.matrix;
  EngineFindings const findings = check_engine(engine.parameters(), loss, check);
  CHECK_FALSE(findings.ok());
  REQUIRE(findings.faults.size() == 1);
  CHECK_THAT(findings.faults[0], contains_text(expected));
  CHECK(engine.embedding == before);
  CHECK(engine.matrix == matrix);
}

EngineCheck const with_tied{.tied = {"embedding"}};

}  // namespace

TEST_CASE("an engine that reads the weights where they lie has no fault") {
  Engine engine;
  auto const before = engine.embedding;
  int evaluations = 0;
  auto loss = [&] { return ++evaluations, engine.loss(); };
  EngineFindings const findings = check_engine(engine.parameters(), loss, with_tied);
  CHECK(findings.faults.empty());
  CHECK(findings.notes.empty());
  CHECK(findings.ok());
  CHECK(engine.embedding == before);
  CHECK(evaluations == 2 * (4 + 2 + static_cast<int>(tokens)));
}

TEST_CASE("check_engine finds copies of the weights") {
  Engine engine;
  auto const packed = engine.embedding;
  auto const matrix = engine.matrix;
  finds(
      engine, [&] { return Engine::loss_of(packed, matrix, packed, 3, 5); },
      "the engine reads copies of these weights");
  finds(
      engine, [&] { return Engine::loss_of(engine.embedding, matrix, engine.embedding, 3, 5); },
      "parameter 'matrix': expected another loss once it is perturbed");
  // A head that was copied from the embedding, seen by the rows of tokens that are not read.
  finds(
      engine, [&] { return Engine::loss_of(engine.embedding, engine.matrix, packed, 3, 5); },
      "found the same for 11 of 12: the head is a copy", with_tied);
}

TEST_CASE("check_engine finds what evaluations leave behind, and losses that differ by themselves") {
  Engine engine;
  double kept = 0;  // a cache that is never cleared
  finds(
      engine, [&] { return kept = 0.5 * kept + engine.loss(); },
      "expected the same loss from the same weights and batch");
  std::size_t batch = 0;
  finds(
      engine, [&] { return engine.loss(batch++ % tokens); }, "keep the batch and its order");
  // The highest loss so far is kept: only perturbed weights change it.
  double highest = 0;
  finds(
      engine,
      [&] { return highest = std::max(highest, engine.loss() + 1e3 * std::abs(engine.loss() - Engine().loss())); },
      "something of the evaluation at other weights was kept");
  finds(
      engine, [] { return std::nan(""); }, "expected a finite loss, found nan");
}

TEST_CASE("check_engine notes weights that are read in 16 bits, and a thread that flushes subnormal numbers") {
  Engine engine;
  auto rounded = [](std::vector<float> weights) {
    for (float& w : weights) w = zeroth::widen(zeroth::DataType::bf16, zeroth::narrow(zeroth::DataType::bf16, w));
    return weights;
  };
  auto loss = [&] {
    auto const embedding = rounded(engine.embedding);
    return Engine::loss_of(embedding, rounded(engine.matrix), embedding, 3, 5);
  };
  EngineFindings const findings = check_engine(engine.parameters(), loss, {});
  CHECK(findings.ok());
  REQUIRE(findings.notes.size() == 1);
  CHECK_THAT(findings.notes[0], contains_text("f32 weights that are rounded to bf16 give the same loss"));
#if defined(__SSE__)
  unsigned const state = _mm_getcsr();
  _mm_setcsr(state | 0x8040U);  // flush to zero, and subnormals are zeros
  EngineFindings const flushed = check_engine(engine.parameters(), [&] { return engine.loss(); });
  _mm_setcsr(state);
  CHECK(flushed.ok());
  REQUIRE(flushed.notes.size() == 1);
  CHECK_THAT(flushed.notes[0], contains_text("the calling thread flushes subnormal numbers"));
#endif
}

#if defined(__linux__)
TEST_CASE("check_engine finds memory that cannot be written, or is gone, before it is touched") {
  std::size_t const bytes = 4096;
  void* const memory = mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  auto* const second = static_cast<std::byte*>(memory) + bytes;
  ParameterSet set;
  set.add("w", Role::matrix, {2, bytes / sizeof(float)}, zeroth::DataType::f32, memory);
  int evaluations = 0;
  auto check = [&] { return check_engine(set, [&] { return 1.0 + evaluations++; }); };
  REQUIRE(mprotect(second, bytes, PROT_READ) == 0);
  EngineFindings findings = check();
  REQUIRE(findings.faults.size() == 1);
  CHECK_THAT(findings.faults[0],
             contains_text("parameter 'w': expected memory that can be written, found a read-only"));
  REQUIRE(munmap(second, bytes) == 0);
  findings = check();
  REQUIRE(findings.faults.size() == 1);
  CHECK_THAT(findings.faults[0], contains_text("parameter 'w': expected memory of the process, found none"));
  CHECK(evaluations == 0);
  CHECK(zeroth::memory_access(memory, bytes) == zeroth::MemoryAccess::write);
  CHECK(munmap(memory, bytes) == 0);
}
#endif

// SPDX-License-Identifier: MIT
#include <sys/mman.h>

#include "catch.hpp"
#include "decoder_support.hpp"
#include "zeroth_model/decoder/scoring.hpp"

using namespace zeroth_test;

TEST_CASE("theta is only read: its pages can be write-protected while a probe runs") {
  auto const weights = load_golden("gqa_odd_tied");
  HashProbe const probe(weights.parameters(), {{0, 1}, {0, -1}}, 1e-2F);
  CpuDecoder decoder(weights);
  zeroth::model::CandidateScorer scorer(decoder);
  std::vector<zeroth::model::Example> const examples{{{1, 2, 3}, {{4, 5}, {6}}, 0}, {{9}, {{4}, {6, 7, 8}}, 1}};
  auto const expected = scorer.score(examples, probe).losses;

  auto const memory = weights.memory();
  // A write would now end the process with SIGSEGV, which Catch reports as a failure.
  REQUIRE(::mprotect(memory.data(), memory.size(), PROT_READ) == 0);
  CHECK(scorer.score(examples, probe).losses == expected);
  CHECK(scorer.score(examples).losses.size() == 1);
  REQUIRE(::mprotect(memory.data(), memory.size(), PROT_READ | PROT_WRITE) == 0);
}

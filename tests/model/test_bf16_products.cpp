// SPDX-License-Identifier: MIT
// The vector code with factors in bf16: with the instruction for it, and without.
#include <vector>

#include "catch.hpp"
#include "ops_support.hpp"
#include "zeroth_model/ops/cpu.hpp"

using namespace zeroth_test;
using zeroth::DataType;
using zeroth::InstructionSet;
using zeroth::model::CpuOps;

namespace {

auto on(InstructionSet set) {
  return [=](zeroth::AnyExecutor executor) { return CpuOps(executor, set, DataType::bf16); };
}

std::vector<InstructionSet> supported() {
  std::vector<InstructionSet> sets;
  for (InstructionSet set : zeroth::every_instruction_set)
    if (is_supported(set)) sets.push_back(set);
  return sets;
}

}  // namespace

TEST_CASE("the vector code in bf16 gives the golden log-probabilities within bf16's rounding") {
  for (InstructionSet set : supported()) {
    INFO(to_string(set));
    check_golden(on(set), bf16_margin);
    check_continuations(on(set), bf16_margin);
  }
}

TEST_CASE("each lane of a probe in bf16 is plain inference on perturbed weights, to the bit") {
  for (InstructionSet set : supported()) {
    INFO(to_string(set));
    check_lanes(on(set));
  }
}

TEST_CASE("the vector code in bf16 gives the same bits whatever the executor does") {
  for (InstructionSet set : supported()) {
    INFO(to_string(set));
    check_executors(on(set));
  }
}

TEST_CASE("a product of the vector code is within the bound of its roundings") {
  for (InstructionSet set : supported()) {
    INFO(to_string(set));
    check_products(CpuOps({}, set), 0);
    check_products(CpuOps({}, set, DataType::bf16), bf16_roundoff);
  }
}

TEST_CASE("a row's result in bf16 depends on no other row of the batch") {
  zeroth::model::DecoderWeights const weights = load_golden("gqa_odd_tied");
  zeroth::model::Decoder decoder(weights, on(zeroth::best_instruction_set())(zeroth::AnyExecutor{}));
  auto const sequences = golden_sequences("gqa_odd_tied");
  zeroth::model::PackedBatch together;
  std::vector<double> alone;
  for (GoldenSequence const& sequence : sequences) {
    add_scored(together, sequence.tokens);
    zeroth::model::PackedBatch one;
    add_scored(one, sequence.tokens);
    for (double value : score(decoder, one)) alone.push_back(value);
  }
  CHECK(score(decoder, together) == alone);
}

TEST_CASE("there are no f16 products") {
  CHECK_THROWS_WITH(CpuOps({}, zeroth::best_instruction_set(), DataType::f16),
                    contains_text("f32 or bf16") && contains_text("f16"));
}

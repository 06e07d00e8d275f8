// SPDX-License-Identifier: MIT
// The set with oneDNN's products; skipped in a build without it.
#include "catch.hpp"

#ifndef ZEROTH_ONEDNN

TEST_CASE("oneDNN's set of operations") {
  ZEROTH_SKIP("this build has no oneDNN");
}

#else

#include <string>
#include <vector>

#include "ops_support.hpp"
#include "zeroth_model/ops/onednn.hpp"

using namespace zeroth_test;
using zeroth::DataType;
using zeroth::model::DecoderWeights;
using zeroth::model::OneDnnOps;

namespace {

auto of(DataType compute) {
  return [=](zeroth::AnyExecutor executor) { return OneDnnOps(executor, compute); };
}

/// oneDNN has no bf16 products on some processors.
bool has_bf16() {
  try {
    OneDnnOps const ops({}, DataType::bf16);
    return true;
  } catch (zeroth::InvalidArgument const&) {
    return false;
  }
}

}  // namespace

TEST_CASE("oneDNN's set gives the golden log-probabilities of Hugging Face transformers") {
  check_golden(of(DataType::f32), 1e-4);
  check_continuations(of(DataType::f32), 1e-4);
}

TEST_CASE("oneDNN's set in bf16 gives the golden log-probabilities within bf16's rounding") {
  if (!has_bf16()) ZEROTH_SKIP("oneDNN has no bf16 products on this processor");
  check_golden(of(DataType::bf16), bf16_margin);
  check_continuations(of(DataType::bf16), bf16_margin);
}

TEST_CASE("each lane of a probe through oneDNN's set is plain inference on perturbed weights, to the bit") {
  check_lanes(of(DataType::f32));
  if (has_bf16()) check_lanes(of(DataType::bf16));
}

TEST_CASE("oneDNN's set gives the same bits whatever the executor does") {
  check_executors(of(DataType::f32));
  if (has_bf16()) check_executors(of(DataType::bf16));
}

TEST_CASE("a product of oneDNN's set is within the bound of its roundings") {
  check_products(OneDnnOps(), 0);
  if (has_bf16()) check_products(OneDnnOps({}, DataType::bf16), bf16_roundoff);
}

TEST_CASE("oneDNN's set forgets shapes when there are many, and gives the same bits") {
  DecoderWeights const weights = load_golden("gqa_separate");
  zeroth::model::Decoder decoder(weights, OneDnnOps());
  auto scores = [&](auto& with, std::size_t length) {
    zeroth::model::PackedBatch batch;
    Tokens tokens;
    for (std::size_t i = 0; i < length; ++i) tokens.push_back(static_cast<std::int32_t>(5 * i % 90));
    add_scored(batch, tokens);
    return score(with, batch);
  };
  auto const before = scores(decoder, 9);
  for (std::size_t length = 2; length < 40; ++length) scores(decoder, length);
  CHECK(scores(decoder, 9) == before);
}

TEST_CASE("oneDNN's set has no f16 products") {
  CHECK_THROWS_WITH(OneDnnOps({}, DataType::f16), contains_text("f32 or bf16") && contains_text("f16"));
}

#endif

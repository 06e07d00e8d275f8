// SPDX-License-Identifier: MIT
// Runs that one machine recorded, replayed on whatever machine this is. bench_same_bits, compiled by g++ 12 for an
// x86-64 with AVX-512, wrote the journals under golden/runs and the weights that have these SHA-256:
//   bench_same_bits record tests/golden/gqa_odd_tied.gguf f32|bf16 JOURNAL WEIGHTS cpu 2 fused|in-place|in-place-exact
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/journal_file.hpp>
#include <zeroth/zeroth.hpp>

#include "catch.hpp"
#include "golden.hpp"
#include "sha256.hpp"

using namespace zeroth_test;

namespace {

struct RecordedRun {
  std::string journal;
  zeroth::DataType dtype;
  std::string_view weights;
};

RecordedRun const runs[] = {
    {"fused", zeroth::DataType::f32, "c5c77961924629dc3e00df542ab41ab0e49c32fed7547f8f2e44e28e4d374be6"},
    {"fused_bf16", zeroth::DataType::bf16, "3b92d22aa60c7d078af142b33199553abe728249d4fb459c0fa0a94ce8ee3f7e"},
    {"in_place", zeroth::DataType::f32, "b11878a88cf3af5c82b8a96e034e96a8ed43b8df22b4f66c2ec1c7f1c9158282"},
    {"in_place_exact", zeroth::DataType::f32, "c5c77961924629dc3e00df542ab41ab0e49c32fed7547f8f2e44e28e4d374be6"},
};

/// The SHA-256 of the weights that a run left, tensor after tensor.
std::string replayed(RecordedRun const& run, zeroth::CpuBackend const& backend) {
  zeroth::model::DecoderWeights const weights =
      zeroth::model::load_gguf(zeroth::model::GgufFile(golden_file("gqa_odd_tied.gguf")), run.dtype);
  zeroth::Options const options{.epsilon = 1e-2, .learning_rate = 1e-2, .samples = 2, .seed = 11};
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{},
                                         zeroth::SmallestMagnitude{.sparsity = 0.5}, backend, options);
  zeroth::replay(zeroth::read_journal(golden_file("runs/" + run.journal + ".journal")), optimizer);
  CHECK(optimizer.steps() == 100);
  std::vector<std::byte> memory;
  for (zeroth::Parameter const& p : weights.parameters()) {
    auto const* const data = static_cast<std::byte const*>(p.data);
    memory.insert(memory.end(), data, data + p.bytes());
  }
  return sha256(memory);
}

}  // namespace

TEST_CASE("SHA-256 is that of FIPS 180-4") {
  CHECK(sha256({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  auto const text = std::as_bytes(std::span("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56));
  CHECK(sha256(text) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("journals of x86-64 replay to the same weights, whatever the instruction set") {
  for (RecordedRun const& run : runs) {
    INFO(run.journal);
    for (zeroth::InstructionSet set : zeroth::every_instruction_set)
      if (zeroth::is_supported(set)) CHECK(replayed(run, zeroth::CpuBackend({}, set)) == run.weights);
  }
}

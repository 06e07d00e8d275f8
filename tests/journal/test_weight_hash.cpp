// SPDX-License-Identifier: MIT
#include <zeroth/journal/weight_hash.hpp>

#include <cstdint>
#include <set>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/executor/thread_pool.hpp>

#include "catch.hpp"
#include "executors.hpp"
#include "tensors.hpp"

namespace {

using zeroth::CpuBackend;
using zeroth::hash_weights;
using zeroth::ParameterSet;
using zeroth::ReferenceBackend;
using zeroth::Role;

TEST_CASE("the hash of weights is a sum that depends on no order and no cut") {
  std::vector<float> first = zeroth_test::normal_weights(200'000, 1);
  std::vector<float> second = zeroth_test::normal_weights(70, 2);
  ParameterSet whole;
  whole.add("a", Role::matrix, {2, 100'000}, first);
  whole.add("b", Role::vector, {1, 70}, second);
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < first.size(); ++i)
    expected += zeroth::weight_hash(zeroth::stream_of("a"), i, zeroth::bits_of(first[i]));
  for (std::size_t i = 0; i < second.size(); ++i)
    expected += zeroth::weight_hash(zeroth::stream_of("b"), i, zeroth::bits_of(second[i]));
  CHECK(hash_weights(whole, ReferenceBackend{}) == expected);

  zeroth::ThreadPool threads(4);
  zeroth_test::ShuffledExecutor shuffled;
  CHECK(hash_weights(whole, CpuBackend{threads}) == expected);
  CHECK(hash_weights(whole, CpuBackend{shuffled}) == expected);

  ParameterSet cut;
  cut.add("b", Role::vector, {1, 70}, second);
  cut.add({"a, end",
           Role::matrix,
           {1, 130'001},
           zeroth::DataType::f32,
           first.data() + 69'999,
           zeroth::stream_of("a"),
           69'999});
  cut.add({"a, start", Role::head, {1, 69'999}, zeroth::DataType::f32, first.data(), zeroth::stream_of("a"), 0});
  CHECK(hash_weights(cut, ReferenceBackend{}) == expected);
}

TEST_CASE("another bit, place or stream of a weight is another hash") {
  std::vector<float> weights = zeroth_test::normal_weights(300, 1);
  auto hash = [&](std::uint32_t stream, std::uint64_t offset) {
    ParameterSet parameters;
    parameters.add({"a", Role::matrix, {1, 300}, zeroth::DataType::f32, weights.data(), stream, offset});
    return hash_weights(parameters, ReferenceBackend{});
  };
  std::set<std::uint64_t> found{hash(1, 0), hash(1, 1), hash(2, 0)};
  for (unsigned bit = 0; bit < 32; ++bit)
    for (std::size_t i : {std::size_t{0}, std::size_t{299}}) {
      float const kept = weights[i];
      weights[i] = zeroth::float_of(zeroth::bits_of(kept) ^ 1U << bit);
      found.insert(hash(1, 0));
      weights[i] = kept;
    }
  std::swap(weights[0], weights[1]);
  found.insert(hash(1, 0));
  CHECK(found.size() == 3 + 64 + 1);
}

}  // namespace

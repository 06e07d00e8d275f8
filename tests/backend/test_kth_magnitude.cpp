// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "support.hpp"

namespace {

using zeroth_test::Tensors;

std::uint32_t kth_bits(auto const& backend, zeroth::ParameterSet const& parameters, std::uint64_t k) {
  std::vector<zeroth::Parameter const*> tensors;
  for (zeroth::Parameter const& p : parameters) tensors.push_back(&p);
  return zeroth::bits_of(backend.kth_magnitude(tensors, k));
}

/// Compares every backend with the fully sorted order.
void check_every_k(zeroth::ParameterSet const& parameters, std::vector<float> const& weights, std::uint64_t stride) {
  std::vector<std::uint32_t> sorted;
  for (float weight : weights) sorted.push_back(zeroth::magnitude_bits(weight));
  std::sort(sorted.begin(), sorted.end());
  auto check = [&](auto const& backend, std::string const& name) {
    for (std::uint64_t k = 1; k <= sorted.size(); k += stride) {
      INFO(name << ", k = " << k);
      CHECK(kth_bits(backend, parameters, k) == sorted[k - 1]);
    }
    CHECK(kth_bits(backend, parameters, sorted.size()) == sorted.back());
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

TEST_CASE("kth_magnitude is the exact order statistic, with ties, zeros, infinities and NaN") {
  float const infinity = std::numeric_limits<float>::infinity();
  float const not_a_number = std::numeric_limits<float>::quiet_NaN();
  Tensors tensors;
  tensors.add("w", {1.0F, -1.0F, 1.0F, 0.0F, -0.0F, not_a_number, infinity, -infinity, 1e-40F, 3.0F, -2.0F,
                    -not_a_number, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()});
  check_every_k(tensors.parameters, tensors.all(), 1);
}

TEST_CASE("kth_magnitude counts over several tensors together") {
  Tensors tensors;
  tensors.add("a", {5.0F, -1.0F});
  tensors.add("b", {4.0F});
  tensors.add("c", {-3.0F, 2.0F, 6.0F, 7.0F});
  check_every_k(tensors.parameters, tensors.all(), 1);
}

TEST_CASE("kth_magnitude finds any rank among many weights, of one magnitude or of close ones") {
  Tensors equal;
  equal.add("w", std::vector<float>(5000, -0.5F));
  check_every_k(equal.parameters, equal.all(), 1999);

  std::vector<float> close(5000);  // differ only in the last bits
  for (std::uint32_t i = 0; i < close.size(); ++i) close[i] = zeroth::float_of(0x3c00fff0U + i * 7919 % 5000);
  Tensors neighbours;
  neighbours.add("w", close);
  check_every_k(neighbours.parameters, neighbours.all(), 991);

  Tensors normal;
  normal.add("a", zeroth_test::normal_weights(20'011, 1));
  normal.add("b", zeroth_test::normal_weights(3, 2));
  check_every_k(normal.parameters, normal.all(), 4999);
}

TEST_CASE("kth_magnitude counts weights of 16 bits by their values, of several types together") {
  std::vector<zeroth_test::Slice> slices;
  for (zeroth::DataType dtype : zeroth_test::every_dtype) slices.emplace_back(2051, 0, dtype, 3);
  zeroth::ParameterSet parameters;
  std::vector<float> all;
  for (zeroth_test::Slice const& slice : slices) {
    zeroth::Parameter p = slice.parameter;
    p.name = to_string(p.dtype);
    p.stream = zeroth::stream_of(p.name);
    parameters.add(p);
    std::vector<float> values(p.size());
    zeroth::ReferenceBackend{}.read(p, 0, values);
    all.insert(all.end(), values.begin(), values.end());
  }
  check_every_k(parameters, all, 97);
}

}  // namespace

// SPDX-License-Identifier: MIT
#include "zeroth_model/decoder/sampling.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"

using zeroth::model::sample_token;
using zeroth::model::SamplingOptions;
using zeroth_test::contains_text;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<int> counts(std::vector<double> const& logits, SamplingOptions const& options, std::uint64_t draws) {
  std::vector<int> result(logits.size());
  for (std::uint64_t i = 0; i < draws; ++i) ++result[static_cast<std::size_t>(sample_token(logits, options, i))];
  return result;
}

}  // namespace

TEST_CASE("without temperature the likeliest token is taken, of equals the first") {
  CHECK(sample_token(std::vector<double>{1, 3, 2}, {}, 0) == 1);
  CHECK(sample_token(std::vector<double>{1, 3, 3}, {}, 7) == 1);
  CHECK(sample_token(std::vector<double>{-infinity, -5}, {}, 0) == 1);
}

TEST_CASE("tokens are drawn by the probabilities that temperature gives") {
  std::vector<double> const logits{std::log(1.0), std::log(2.0), std::log(4.0), -infinity};
  constexpr int draws = 40000;
  // With temperature 1 the shares are 1, 2 and 4 sevenths, with 0.5 their squares. Five standard deviations.
  for (double temperature : {1.0, 0.5}) {
    auto const found = counts(logits, {.temperature = temperature, .seed = 3}, draws);
    double sum = 0;
    for (double weight : {1.0, 2.0, 4.0}) sum += std::pow(weight, 1 / temperature);
    for (std::size_t t = 0; t < 3; ++t) {
      double const share = std::exp(logits[t] / temperature) / sum;
      double const deviation = std::sqrt(share * (1 - share) * draws);
      CHECK(std::abs(found[t] - share * draws) < 5 * deviation);
    }
    CHECK(found[3] == 0);
  }
}

TEST_CASE("top_k and top_p leave the unlikely tokens out") {
  std::vector<double> const logits{std::log(0.1), std::log(0.5), std::log(0.15), std::log(0.25)};
  auto const two = counts(logits, {.temperature = 1, .top_k = 2}, 2000);
  CHECK(two[0] == 0);
  CHECK(two[2] == 0);
  CHECK(two[1] > two[3]);
  CHECK(two[3] > 0);
  auto const half = counts(logits, {.temperature = 1, .top_p = 0.4}, 200);
  CHECK(half[1] == 200);
  auto const most = counts(logits, {.temperature = 1, .top_p = 0.8}, 2000);
  CHECK(most[0] == 0);
  CHECK(most[2] > 0);
  auto const all = counts(logits, {.temperature = 1, .top_k = 9, .top_p = 1}, 2000);
  CHECK(all[0] > 0);
}

TEST_CASE("a draw depends only on seed and position") {
  std::vector<double> const logits(100, 0.0);
  SamplingOptions const options{.temperature = 1, .seed = 5};
  CHECK(sample_token(logits, options, 9) == sample_token(logits, options, 9));
  std::array<int, 2> same{};
  for (std::uint64_t i = 0; i < 100; ++i) {
    same[0] += sample_token(logits, options, i) == sample_token(logits, options, i + 1) ? 1 : 0;
    same[1] += sample_token(logits, options, i) == sample_token(logits, {.temperature = 1, .seed = 6}, i) ? 1 : 0;
  }
  CHECK(same[0] < 10);
  CHECK(same[1] < 10);
}

TEST_CASE("logits and options from which nothing can be drawn are rejected") {
  std::vector<double> const nan{1, std::nan(""), 2};
  CHECK_THROWS_WITH(sample_token(nan, {}, 0), contains_text("no finite logits"));
  CHECK_THROWS_WITH(sample_token(std::vector<double>{-infinity}, {}, 0), contains_text("no finite logits"));
  CHECK_THROWS_WITH(sample_token(std::vector<double>{}, {}, 0), contains_text("no finite logits"));
  std::vector<double> const good{1};
  CHECK_THROWS_WITH(sample_token(good, {.temperature = -1}, 0), contains_text("temperature must be >= 0"));
  CHECK_THROWS_WITH(sample_token(good, {.temperature = infinity}, 0), contains_text("temperature must be >= 0"));
  CHECK_THROWS_WITH(sample_token(good, {.top_p = 0}, 0), contains_text("top_p must be in (0, 1]"));
}

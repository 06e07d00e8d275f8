// SPDX-License-Identifier: MIT
#include <zeroth/options.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "catch.hpp"

namespace {

using zeroth::Options;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

TEST_CASE("the default options and the limits of each are accepted") {
  CHECK_NOTHROW(Options{}.check());
  CHECK_NOTHROW(Options{.epsilon = 1e30, .learning_rate = 3e38}.check());
  CHECK_NOTHROW(Options{.schedule = zeroth::Schedule::constant(std::uint64_t{1} << 32)}.check());
  CHECK_NOTHROW(Options{.epsilon = 1e-30, .learning_rate = 0, .samples = 4096, .clip = 1e-9}.check());
}

TEST_CASE("an option outside its range is rejected by name, range and value") {
  struct Row {
    std::function<void(Options&)> set;
    char const* message;
  };
  Row const table[] = {
      {[](Options& o) { o.epsilon = 0; }, "epsilon must be > 0 and finite, got 0"},
      {[](Options& o) { o.epsilon = -1; }, "epsilon must be > 0 and finite, got -1"},
      {[](Options& o) { o.epsilon = infinity; }, "epsilon must be > 0 and finite, got inf"},
      {[](Options& o) { o.epsilon = not_a_number; }, "epsilon must be > 0 and finite, got "},
      {[](Options& o) { o.epsilon = 1e-60; }, "epsilon must be > 0 and finite, got "},  // 0 as an f32
      {[](Options& o) { o.epsilon = 3e38; },
       "epsilon must be at most 1e+30, so that theta +- epsilon z is finite, got 3e+38"},
      {[](Options& o) { o.epsilon = 1e300; },
       "epsilon must be at most 1e+30, so that theta +- epsilon z is finite, got 1e+300"},
      {[](Options& o) { o.learning_rate = 1e39; },
       "learning_rate must be finite as an f32: at most 3.4e+38, got 1e+39"},
      {[](Options& o) { o.restore = static_cast<zeroth::Restore>(2); },
       "restore must be one of the 2 choices of its enum, got number 2"},
      {[](Options& o) { o.rounding = static_cast<zeroth::Rounding>(4); },
       "rounding must be one of the 4 choices of its enum, got number 4"},
      {[](Options& o) { o.schedule.shape = static_cast<zeroth::Schedule::Shape>(3); },
       "schedule.shape must be one of the 3 choices of its enum, got number 3"},
      {[](Options& o) { o.schedule = zeroth::Schedule::constant(~std::uint64_t{0}); },
       "schedule.warmup_steps must be at most 4294967296, got 18446744073709551615"},
      {[](Options& o) { o.learning_rate = -0.5; }, "learning_rate must be >= 0 and finite, got -0.5"},
      {[](Options& o) { o.learning_rate = infinity; }, "learning_rate must be >= 0 and finite, got inf"},
      {[](Options& o) { o.samples = 0; }, "samples must be in [1, 4096], got 0"},
      {[](Options& o) { o.samples = 4097; }, "samples must be in [1, 4096], got 4097"},
      {[](Options& o) { o.samples_per_probe = 0; }, "samples_per_probe must be >= 1, got 0"},
      {[](Options& o) { o.micro_batches = 0; }, "micro_batches must be >= 1, got 0"},
      {[](Options& o) { o.clip = 0.0; }, "clip must be > 0 and finite, got 0"},
      {[](Options& o) { o.clip = not_a_number; }, "clip must be > 0 and finite, got "},
      {[](Options& o) { o.schedule = zeroth::Schedule::linear(0); }, "schedule.total_steps must exceed"},
  };
  for (Row const& row : table) {
    Options options;
    row.set(options);
    CHECK_THROWS_WITH(options.check(), zeroth_test::contains_text(row.message));
    CHECK_THROWS_AS(options.check(), zeroth::InvalidArgument);
  }
}

TEST_CASE("the largest epsilon and the largest values of the library's samplers give finite points") {
  auto const epsilon = static_cast<float>(zeroth::max_epsilon);
  CHECK(zeroth::is_finite(2 * epsilon));
  CHECK(zeroth::is_finite(std::numeric_limits<float>::max() / 4 + 5 * epsilon));  // no value is beyond 4.855
}

}  // namespace

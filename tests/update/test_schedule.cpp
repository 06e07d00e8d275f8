// SPDX-License-Identifier: MIT
#include <zeroth/update/schedule.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "catch.hpp"

namespace {

using zeroth::Schedule;

TEST_CASE("a constant schedule stays at its peak") {
  CHECK(Schedule{}(0) == 1);
  CHECK(Schedule::constant()(1'000'000) == 1);
}

TEST_CASE("warm-up rises by equal steps to the peak") {
  Schedule const schedule = Schedule::constant(4);
  CHECK(schedule(0) == Approx(0.2));
  CHECK(schedule(1) == Approx(0.4));
  CHECK(schedule(3) == Approx(0.8));
  CHECK(schedule(4) == 1);
}

TEST_CASE("a linear schedule falls to its end along a line") {
  Schedule schedule = Schedule::linear(10);
  CHECK(schedule(0) == 1);
  CHECK(schedule(5) == Approx(0.5));
  CHECK(schedule(9) == Approx(0.1));
  CHECK(schedule(10) == 0);
  CHECK(schedule(1000) == 0);
  schedule.final_factor = 0.2;
  CHECK(schedule(5) == Approx(0.6));
  CHECK(schedule(10) == 0.2);
}

TEST_CASE("a cosine schedule falls to its end along half a cosine") {
  Schedule const schedule = Schedule::cosine(14, 4);
  CHECK(schedule(3) == Approx(0.8));
  CHECK(schedule(4) == 1);
  CHECK(schedule(9) == Approx(0.5));
  CHECK(schedule(6) == Approx(0.9045084971874737));  // (1 + cos 36 deg) / 2
  CHECK(schedule(14) == 0);
}

TEST_CASE("a cosine schedule falls all the time and is as near to a cosine as doubles are") {
  Schedule const schedule = Schedule::cosine(4001);
  double before = 2;
  for (std::uint64_t step = 0; step < 4001; ++step) {
    double const found = schedule(step);
    double const angle = std::numbers::pi * static_cast<double>(step) / 4001;
    CHECK(found < before);
    CHECK(std::abs(found - 0.5 * (1 + std::cos(angle))) < 1e-15);  // the angle itself is off by 2e-16 or so
    before = found;
  }
}

TEST_CASE("a warm-up that no run ends is no division by zero") {
  std::uint64_t const most = std::numeric_limits<std::uint64_t>::max();
  CHECK(Schedule::constant(most)(0) == 0x1p-64);
  CHECK(Schedule::constant(most)(most - 1) == 1);
}

TEST_CASE("a schedule that cannot be followed is rejected by field") {
  using zeroth_test::contains_text;
  CHECK_NOTHROW(Schedule::constant(1000).check());
  CHECK_NOTHROW(Schedule::cosine(11, 10).check());
  CHECK_THROWS_WITH(Schedule::linear(0).check(),
                    contains_text("schedule.total_steps must exceed warmup_steps = 0, got 0"));
  CHECK_THROWS_WITH(Schedule::cosine(10, 10).check(),
                    contains_text("schedule.total_steps must exceed warmup_steps = 10, got 10"));
  std::uint64_t const most = std::uint64_t{1} << 32;
  CHECK_NOTHROW(Schedule::constant(most).check());
  CHECK_NOTHROW(Schedule::linear(most).check());
  CHECK_THROWS_WITH(Schedule::constant(most + 1).check(),
                    contains_text("schedule.warmup_steps must be at most 4294967296, got 4294967297"));
  CHECK_THROWS_WITH(Schedule::cosine(most + 1).check(),
                    contains_text("schedule.total_steps must be at most 4294967296, got 4294967297"));
  for (double factor : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    Schedule schedule = Schedule::linear(10);
    schedule.final_factor = factor;
    CHECK_THROWS_WITH(schedule.check(), contains_text("schedule.final_factor must be in [0, 1], got "));
  }
}

TEST_CASE("shapes have names") {
  CHECK(to_string(Schedule::Shape::constant) == "constant");
  CHECK(to_string(Schedule::Shape::linear) == "linear");
  CHECK(to_string(Schedule::Shape::cosine) == "cosine");
}

}  // namespace

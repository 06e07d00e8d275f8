// SPDX-License-Identifier: MIT
#include <zeroth/update/schedule.hpp>

#include <limits>

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

TEST_CASE("a schedule that cannot be followed is refused by field") {
  using zeroth_test::contains_text;
  CHECK_NOTHROW(Schedule::constant(1000).check());
  CHECK_NOTHROW(Schedule::cosine(11, 10).check());
  CHECK_THROWS_WITH(Schedule::linear(0).check(),
                    contains_text("schedule.total_steps must exceed warmup_steps = 0, got 0"));
  CHECK_THROWS_WITH(Schedule::cosine(10, 10).check(),
                    contains_text("schedule.total_steps must exceed warmup_steps = 10, got 10"));
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

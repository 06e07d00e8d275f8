// SPDX-License-Identifier: MIT
// Everything that decides about a step has the same bits however it is compiled: see
// tests/known_answers/known_answers_decision.py.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <zeroth/backend/known_answer.hpp>
#include <zeroth/estimator/any_estimator.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth/step/decide.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/schedule.hpp>
#include <zeroth/update/sgd.hpp>

#include "catch.hpp"
#include "known_answers.hpp"

namespace {

using zeroth_test::KnownAnswer;

std::uint64_t bits_of(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

double read_double(KnownAnswer& line) {
  auto const bits = line.hex<std::uint64_t>();
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

TEST_CASE("schedules have the known bits") {
  int cases = 0;
  for (KnownAnswer line : zeroth_test::known_answers("schedule.txt")) {
    INFO(line.text());
    std::string const shape(line.word());
    zeroth::Schedule schedule;
    if (shape == "linear") schedule.shape = zeroth::Schedule::Shape::linear;
    if (shape == "cosine") schedule.shape = zeroth::Schedule::Shape::cosine;
    schedule.total_steps = line.hex<std::uint64_t>();
    schedule.warmup_steps = line.hex<std::uint64_t>();
    schedule.final_factor = read_double(line);
    REQUIRE(to_string(schedule.shape) == shape);
    schedule.check();
    auto const step = line.hex<std::uint64_t>();
    CHECK(bits_of(schedule(step)) == line.hex<std::uint64_t>());
    ++cases;
  }
  CHECK(cases > 300);
}

template <class Update>
void check_decision(KnownAnswer& line, zeroth::AnyEstimator const& estimator, Update update) {
  zeroth::Options options;
  options.samples = line.hex<std::uint32_t>();
  zeroth::StepReport report;
  report.losses.resize(line.hex<std::size_t>());
  options.epsilon = read_double(line);
  options.learning_rate = read_double(line);
  update.weight_decay = read_double(line);
  double const clip = read_double(line);
  if (clip != 0) options.clip = clip;
  for (double& loss : report.losses) loss = read_double(line);
  report.learning_rate = zeroth::detail::learning_rate_of(0, options);
  zeroth::detail::decide(report, options, update, estimator);
  CHECK(bits_of(report.loss) == line.hex<std::uint64_t>());
  CHECK(bits_of(report.projected_gradient) == line.hex<std::uint64_t>());
  REQUIRE(report.projected_gradients.size() == options.samples);
  for (double g : report.projected_gradients) CHECK(bits_of(g) == line.hex<std::uint64_t>());
  REQUIRE(report.coefficients.size() == options.samples);
  for (float c : report.coefficients) CHECK(zeroth::bits_of(c) == line.hex<std::uint32_t>());
  CHECK(zeroth::bits_of(report.decay) == line.hex<std::uint32_t>());
  CHECK(zeroth::bits_of(report.step_size) == line.hex<std::uint32_t>());
}

TEST_CASE("losses become the known projected gradients and coefficients") {
  int cases = 0;
  for (KnownAnswer line : zeroth_test::known_answers("decision.txt")) {
    INFO(line.text());
    std::string const name(line.word());
    zeroth::AnyEstimator estimator;
    if (name == "one-sided") estimator = zeroth::AnyEstimator(zeroth::OneSided{});
    if (name == "fzoo") estimator = zeroth::AnyEstimator(zeroth::Fzoo{});
    REQUIRE(estimator.name() == name);
    if (line.word() == "sgd")
      check_decision(line, estimator, zeroth::Sgd{});
    else
      check_decision(line, estimator, zeroth::Momentum{});
    ++cases;
  }
  CHECK(cases == 60);
}

TEST_CASE("what an optimizer checks when it is made are the known answers") {
  std::map<std::string, std::uint64_t> found;
  for (KnownAnswer line : zeroth_test::known_answers("arithmetic.txt")) {
    std::string const name(line.word());
    found[name] = line.hex<std::uint64_t>();
  }
  std::map<std::string, std::uint64_t> expected;
  for (auto const& [name, bits] : zeroth::detail::known_arithmetic) expected[std::string(name)] = bits;
  CHECK(found == expected);
  CHECK_NOTHROW(zeroth::check_arithmetic(0));
}

}  // namespace

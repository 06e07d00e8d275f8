// SPDX-License-Identifier: MIT
// The C interface: each way to take a step gives the same weights, and errors are told.
#include <zeroth_c/zeroth.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/optimizer.hpp>
#include <zeroth/zeroth.hpp>

#include "catch.hpp"
#include "temporary_directory.hpp"

namespace {

constexpr std::size_t size = 96;

using Settings = std::vector<std::pair<char const*, char const*>>;

struct Run {
  std::vector<float> weights;
  zeroth_optimizer* optimizer = zeroth_create();

  explicit Run(Settings const& options = {}) : weights(size) {
    for (std::size_t i = 0; i < size; ++i) weights[i] = 0.01F * static_cast<float>(i);
    REQUIRE(zeroth_add_tensor(optimizer, "w", ZEROTH_MATRIX, 8, size / 8, ZEROTH_F32, weights.data()) == ZEROTH_OK);
    for (auto const& [key, value] : options) REQUIRE(zeroth_set(optimizer, key, value) == ZEROTH_OK);
  }
  ~Run() { zeroth_destroy(optimizer); }
  Run(Run const&) = delete;
  Run& operator=(Run const&) = delete;
};

double loss_of(std::vector<float> const& weights) {
  double sum = 0;
  for (float w : weights) sum += (static_cast<double>(w) - 0.5) * (static_cast<double>(w) - 0.5);
  return sum;
}

double loss(void* user, std::uint64_t /*step*/, std::uint32_t /*micro_batch*/, zeroth_point /*point*/) {
  return loss_of(*static_cast<std::vector<float>*>(user));
}

/// A step by ask and tell, from the last point to the first.
zeroth_report told(Run& run) {
  zeroth_report report{};
  for (std::int32_t is_taken = 0; is_taken == 0;) {
    zeroth_plan plan{};
    REQUIRE(zeroth_ask(run.optimizer, &plan) == ZEROTH_OK);
    std::vector<double> losses(std::size_t{plan.points} * plan.micro_batches);
    for (std::uint32_t k = plan.points; k-- > 0;) {
      std::vector<float> weights(size);
      REQUIRE(zeroth_expand(run.optimizer, &plan, k, 0, 0, size / 2, weights.data()) == ZEROTH_OK);
      REQUIRE(zeroth_expand(run.optimizer, &plan, k, 0, size / 2, size / 2, &weights[size / 2]) == ZEROTH_OK);
      for (std::uint32_t batch = 0; batch < plan.micro_batches; ++batch)
        losses[std::size_t{batch} * plan.points + k] = loss_of(weights);
    }
    REQUIRE(zeroth_tell(run.optimizer, &plan, losses.data(), losses.size(), &is_taken, &report) == ZEROTH_OK);
  }
  return report;
}

zeroth_report opened(Run& run) {
  REQUIRE(zeroth_begin(run.optimizer) == ZEROTH_OK);
  for (std::int32_t has_next = 1;;) {
    REQUIRE(zeroth_next(run.optimizer, &has_next, nullptr, nullptr) == ZEROTH_OK);
    if (has_next == 0) break;
    REQUIRE(zeroth_tell_next(run.optimizer, loss_of(run.weights)) == ZEROTH_OK);
  }
  zeroth_report report{};
  REQUIRE(zeroth_finish(run.optimizer, &report) == ZEROTH_OK);
  return report;
}

void check_ways(Settings const& options) {
  Run whole(options);
  Run by_plan(options);
  Run by_loss(options);
  for (std::uint64_t step = 0; step < 20; ++step) {
    zeroth_report report{};
    REQUIRE(zeroth_step(whole.optimizer, loss, &whole.weights, &report) == ZEROTH_OK);
    CHECK(report.step == step);
    CHECK(told(by_plan).loss == report.loss);
    CHECK(opened(by_loss).projected_gradient == report.projected_gradient);
  }
  CHECK(zeroth_steps(whole.optimizer) == 20);
  CHECK(whole.weights != Run().weights);
  CHECK(whole.weights == by_plan.weights);
  CHECK(whole.weights == by_loss.weights);
}

}  // namespace

TEST_CASE("each way to take a step through the C interface gives the same weights") {
  check_ways({{"learning_rate", "1e-3"}});
  check_ways({{"learning_rate", "1e-3"}, {"mask", "random"}, {"mask_seed", "3"}, {"sampler", "rademacher"}});
  check_ways({{"learning_rate", "1e-3"}, {"mask", "dense"}, {"estimator", "fzoo"}, {"samples", "4"}, {"clip", "0.5"}});
  check_ways({{"learning_rate", "1e-3"}, {"mask", "largest-magnitude"}, {"sparsity", "0.5"}, {"update", "adam"}});
  check_ways({{"learning_rate", "1e-3"}, {"update", "momentum"}, {"micro_batches", "2"}, {"estimator", "one-sided"}});
  check_ways({{"learning_rate", "1e-4"}, {"update", "sign-sgd"}, {"weight_decay", "0.1"}, {"seed", "9"}});
  check_ways({{"learning_rate", "1e-2"}, {"acceptance", "lowest-of-three"}});
}

TEST_CASE("a step through the C interface is one of the library") {
  Run run(Settings{{"learning_rate", "1e-3"}, {"seed", "4"}});
  Run same;
  zeroth::ParameterSet parameters;
  parameters.add("w", zeroth::Role::matrix, {8, size / 8}, same.weights);
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{},
                                         zeroth::CpuBackend{},
                                         {.learning_rate = 1e-3, .seed = 4, .restore = zeroth::Restore::exact});
  for (int i = 0; i < 5; ++i) {
    REQUIRE(zeroth_step(run.optimizer, loss, &run.weights, nullptr) == ZEROTH_OK);
    optimizer.step([&] { return loss_of(same.weights); });
  }
  CHECK(run.weights == same.weights);
  CHECK(std::string(zeroth_version()) == zeroth::version);
}

TEST_CASE("a run through the C interface resumes from its journal, and replays") {
  zeroth_test::TemporaryDirectory const directory;
  std::string const path = (directory.path() / "journal").string();
  Run whole(Settings{{"learning_rate", "1e-3"}});
  for (int i = 0; i < 6; ++i) REQUIRE(zeroth_step(whole.optimizer, loss, &whole.weights, nullptr) == ZEROTH_OK);
  for (int part = 0; part < 2; ++part) {
    Run run(Settings{{"learning_rate", "1e-3"}});
    REQUIRE(zeroth_record(run.optimizer, path.c_str()) == ZEROTH_OK);
    CHECK(zeroth_steps(run.optimizer) == 3 * static_cast<std::uint64_t>(part));
    for (int i = 0; i < 3; ++i) REQUIRE(zeroth_step(run.optimizer, loss, &run.weights, nullptr) == ZEROTH_OK);
    if (part == 1) CHECK(run.weights == whole.weights);
  }
  Run replayed(Settings{{"learning_rate", "1e-3"}});
  REQUIRE(zeroth_replay(replayed.optimizer, path.c_str(), std::numeric_limits<std::uint64_t>::max()) == ZEROTH_OK);
  CHECK(replayed.weights == whole.weights);
  Run other(Settings{{"learning_rate", "1e-3"}, {"seed", "1"}});
  CHECK(zeroth_record(other.optimizer, path.c_str()) == ZEROTH_INVALID_FILE);
  CHECK(std::string(zeroth_last_error()).find("seed") != std::string::npos);
}

TEST_CASE("a mirror that is declared through the C interface is written with its tensor") {
  Run run(Settings{{"learning_rate", "1e-3"}});
  std::vector<float> mirror = run.weights;
  CHECK(zeroth_add_mirror(run.optimizer, "v", mirror.data()) == ZEROTH_INVALID_ARGUMENT);
  CHECK(zeroth_add_mirror(run.optimizer, "w", run.weights.data()) == ZEROTH_INVALID_ARGUMENT);
  REQUIRE(zeroth_add_mirror(run.optimizer, "w", mirror.data()) == ZEROTH_OK);
  REQUIRE(zeroth_step(run.optimizer, loss, &mirror, nullptr) == ZEROTH_OK);
  CHECK(mirror == run.weights);
  CHECK(mirror != Run().weights);
  CHECK(zeroth_add_mirror(run.optimizer, "w", mirror.data()) == ZEROTH_ERROR);
}

TEST_CASE("the C interface tells what is wrong") {
  Run run;
  auto fails = [&](zeroth_status status, zeroth_status expected, std::string const& message) {
    CHECK(status == expected);
    CHECK_THAT(std::string(zeroth_last_error()), zeroth_test::contains_text(message));
  };
  auto* const o = run.optimizer;
  fails(zeroth_set(o, "maks", "dense"), ZEROTH_INVALID_ARGUMENT, "option 'maks': expected a key of zeroth.h");
  fails(zeroth_set(o, "mask", "none"), ZEROTH_INVALID_ARGUMENT,
        "option 'mask': expected one of smallest-magnitude, largest-magnitude, random, dense, found 'none'");
  fails(zeroth_set(o, "epsilon", "1e-3x"), ZEROTH_INVALID_ARGUMENT, "option 'epsilon': expected a number");
  fails(zeroth_set(o, "samples", "-1"), ZEROTH_INVALID_ARGUMENT, "option 'samples': expected a whole number");
  fails(zeroth_set(o, nullptr, "1"), ZEROTH_INVALID_ARGUMENT, "key: expected a pointer, found null");
  fails(zeroth_set(nullptr, "seed", "1"), ZEROTH_INVALID_ARGUMENT, "optimizer: expected a pointer, found null");
  fails(zeroth_add_tensor(o, "w", ZEROTH_MATRIX, 1, size, ZEROTH_F32, run.weights.data()), ZEROTH_INVALID_ARGUMENT,
        "'w'");
  fails(zeroth_add_tensor(o, "v", ZEROTH_MATRIX, 1, 1, 9, run.weights.data()), ZEROTH_INVALID_ARGUMENT,
        "parameter 'v': dtype must be one of the 3");
  fails(zeroth_add_tensor(o, "v", 256, 1, 1, ZEROTH_F32, run.weights.data()), ZEROTH_INVALID_ARGUMENT,
        "parameter 'v': role must be one of the 4");
  fails(zeroth_step(o, nullptr, nullptr, nullptr), ZEROTH_INVALID_ARGUMENT, "loss: expected a function");
  fails(zeroth_tell_next(o, 1), ZEROTH_ERROR, "zeroth_tell_next: expected zeroth_begin() before it");

  zeroth_plan plan{};
  float out[4];
  REQUIRE(zeroth_ask(o, &plan) == ZEROTH_OK);
  CHECK(plan.points == 2);
  zeroth_point point{};
  REQUIRE(zeroth_plan_point(o, &plan, 1, &point) == ZEROTH_OK);
  CHECK(point.sign == -1);
  fails(zeroth_plan_point(o, &plan, 2, &point), ZEROTH_INVALID_ARGUMENT, "probe: expected points");
  fails(zeroth_expand(o, &plan, 0, 1, 0, 4, out), ZEROTH_INVALID_ARGUMENT, "tensor: expected less than 1, found 1");
  fails(zeroth_expand(o, &plan, 0, 0, size - 2, 4, out), ZEROTH_INVALID_ARGUMENT, "expected elements below 96");
  double const losses[3] = {1, 2, 3};
  fails(zeroth_tell(o, &plan, losses, 3, nullptr, nullptr), ZEROTH_INVALID_ARGUMENT, "losses: expected 2");
  fails(zeroth_set(o, "seed", "1"), ZEROTH_ERROR, "zeroth_set: expected a call before the first step");
  fails(zeroth_begin(o), ZEROTH_ERROR, "found step 0 open since ask()");
  REQUIRE(zeroth_abandon(o) == ZEROTH_OK);
  fails(zeroth_expand(o, &plan, 0, 0, 0, 4, out), ZEROTH_ERROR, "probe: expected the plan that is open since ask()");
  REQUIRE(zeroth_begin(o) == ZEROTH_OK);
  fails(zeroth_begin(o), ZEROTH_ERROR, "zeroth_begin: expected no step that is open");
  REQUIRE(zeroth_abandon(o) == ZEROTH_OK);
  CHECK(run.weights == Run().weights);
  zeroth_report report{};
  auto const infinite = [](void*, std::uint64_t, std::uint32_t, zeroth_point) {
    return std::numeric_limits<double>::infinity();
  };
  REQUIRE(zeroth_step(o, infinite, nullptr, &report) == ZEROTH_OK);
  CHECK(report.skipped == 1);
  fails(zeroth_record(o, "/"), ZEROTH_INVALID_ARGUMENT, "expected an optimizer before its first step");
  fails(zeroth_replay(o, "/no/such/file", 1), ZEROTH_INVALID_FILE, "/no/such/file");
  zeroth_destroy(nullptr);
  CHECK(zeroth_steps(nullptr) == 0);
}

// SPDX-License-Identifier: MIT
// The state after a failed step: if memory, the objective, a mask, a sampler or an executor fails.
#include <zeroth/optimizer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/window_momentum.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

/// Which of the coming allocations throws, from 1; 0: none. And whether all others throw after it.
std::size_t failing_allocation = 0;
bool is_last_allocation = false;

bool fails_now() {
  if (failing_allocation == 0) return false;
  if (failing_allocation > 1) {
    --failing_allocation;
    return false;
  }
  if (!is_last_allocation) failing_allocation = 0;
  return true;
}

}  // namespace

// Must not be inlined: g++ 12 warns of a mismatch wherever it sees both malloc and delete. The forms that do not throw
// are replaced too: otherwise AddressSanitizer supplies its own, whose memory these deletes must not receive.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  if (fails_now()) return nullptr;
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* const memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept {
  std::free(memory);
}

namespace {

using zeroth::DataType;
using zeroth::Dense;
using zeroth::Gaussian;
using zeroth::Options;
using zeroth::ParameterSet;
using zeroth::ReferenceBackend;
using zeroth::Restore;
using zeroth::Rounding;
using zeroth::Sgd;
using zeroth::SkipReason;
using zeroth::SmallestMagnitude;
using zeroth::StepRecord;
using zeroth::StepReport;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::contains_text;

/// Two matrices of that type and an f32 vector.
struct Fixture {
  std::vector<std::byte> first;
  std::vector<std::byte> second;
  std::vector<float> vector = zeroth_test::normal_weights(9, 2, 1.0F);
  ParameterSet parameters;

  explicit Fixture(DataType dtype) : first(stored(dtype, 201, 1)), second(stored(dtype, 130, 3)) {
    parameters.add("first", zeroth::Role::matrix, {1, 201}, dtype, first.data());
    parameters.add("vector", zeroth::Role::vector, {1, vector.size()}, vector);
    parameters.add("second", zeroth::Role::matrix, {1, 130}, dtype, second.data());
  }
  Fixture(Fixture const&) = delete;
  Fixture& operator=(Fixture const&) = delete;

  [[nodiscard]] static std::vector<std::byte> stored(DataType dtype, std::size_t count, std::uint64_t seed) {
    std::vector<float> const values = zeroth_test::normal_weights(count, seed);
    std::vector<std::byte> bytes(count * size_of(dtype));
    zeroth::narrow_values(dtype, values, bytes.data());
    return bytes;
  }

  /// All weights, as f32 and as stored: only a weight of 0 has two codes.
  [[nodiscard]] std::vector<float> values() const {
    std::vector<float> all;
    for (zeroth::Parameter const& p : parameters) {
      std::vector<float> some(p.size());
      ReferenceBackend{}.read(p, 0, some);
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
  [[nodiscard]] std::vector<std::uint32_t> bits() const { return zeroth_test::bits(values()); }
};

enum class Form { fused, in_place };

/// One way to tune the fixture's weights.
template <class M, class U>
struct Setup {
  M mask;
  U update;
  Form form;
  DataType dtype;
  Options options;

  template <class B = zeroth::CpuBackend>
  [[nodiscard]] auto optimizer(Fixture const& fixture, B const& backend = B{}) const {
    return ZerothOrderOptimizer(fixture.parameters, Gaussian{}, mask, backend, update, options);
  }
  template <class Optimizer>
  StepReport step(Optimizer& optimizer, Fixture const& fixture) const {
    if (form == Form::fused) return optimizer.step(zeroth_test::fused(fixture.parameters, zeroth_test::loss));
    return optimizer.step([&] { return zeroth_test::loss(fixture.values()); });
  }
};

/// Lets every allocation of the first and second step fail in turn: the step must be as if it had not been tried.
template <class M, class U>
void check_each_allocation(Setup<M, U> const& setup) {
  INFO(std::string(setup.update.name()) << ", " << std::string(to_string(setup.dtype)) << ", "
                                        << (setup.form == Form::fused ? "fused" : "in place") << ", "
                                        << (setup.options.restore == Restore::exact ? "exact" : "arithmetic"));
  bool const is_put_back_exactly = setup.form == Form::fused || setup.options.restore == Restore::exact;
  std::vector<std::vector<std::uint32_t>> expected;
  {
    Fixture fixture(setup.dtype);
    auto optimizer = setup.optimizer(fixture);
    for (int i = 0; i < 4; ++i) {
      setup.step(optimizer, fixture);
      expected.push_back(fixture.bits());
    }
    REQUIRE(expected[0] != expected[3]);
  }
  for (std::size_t failing_step : {std::size_t{0}, std::size_t{1}}) {
    std::size_t n = 1;
    for (bool fails = true; fails; ++n) {
      Fixture fixture(setup.dtype);
      auto optimizer = setup.optimizer(fixture);
      std::vector<StepRecord> records;
      for (std::size_t i = 0; i < failing_step; ++i) records.push_back(setup.step(optimizer, fixture));
      std::vector<std::uint32_t> const before = fixture.bits();
      fails = false;
      failing_allocation = n;
      try {
        (void)setup.step(optimizer, fixture);
      } catch (std::bad_alloc const&) {
        fails = true;
      }
      failing_allocation = 0;
      if (!fails) continue;
      INFO("allocation " << n << " of step " << failing_step);
      REQUIRE(optimizer.steps() == failing_step);
      if (is_put_back_exactly) REQUIRE(fixture.bits() == before);
      for (std::size_t i = failing_step; i < expected.size(); ++i) {
        records.push_back(setup.step(optimizer, fixture));
        if (is_put_back_exactly) REQUIRE(fixture.bits() == expected[i]);
      }
      Fixture again(setup.dtype);
      auto replayed = setup.optimizer(again);
      for (StepRecord const& record : records) replayed.replay(record);
      REQUIRE(again.bits() == fixture.bits());
    }
    CHECK(n > 5);
  }
}

TEST_CASE("memory that runs out anywhere in a fused step leaves the weights, and the step is taken again") {
  Options const options{.learning_rate = 1e-3, .samples = 2, .seed = 8};
  SmallestMagnitude const mask{0.5};
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{mask, {0.01}, Form::fused, DataType::f32, options});
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{mask, {}, Form::fused, DataType::bf16, options});
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{
      SmallestMagnitude{.sparsity = 0.5, .refresh_every = 1}, {}, Form::fused, DataType::f16, options});
  check_each_allocation(Setup<SmallestMagnitude, zeroth::Adam>{mask, {}, Form::fused, DataType::f32, options});
  check_each_allocation(Setup<SmallestMagnitude, zeroth::Adam>{mask, {}, Form::fused, DataType::bf16, options});
  check_each_allocation(Setup<Dense, zeroth::WindowMomentum>{{}, {.window = 3}, Form::fused, DataType::f32, options});
  Options lowest = options;
  lowest.acceptance = zeroth::Acceptance::lowest_of_three;
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{mask, {}, Form::fused, DataType::bf16, lowest});
}

TEST_CASE("memory that runs out anywhere in a step in place leaves the weights, and the step is taken again") {
  Options options{.learning_rate = 1e-3, .samples = 2, .seed = 8, .restore = Restore::exact};
  SmallestMagnitude const mask{0.5};
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{mask, {}, Form::in_place, DataType::f32, options});
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{mask, {}, Form::in_place, DataType::bf16, options});
  check_each_allocation(Setup<SmallestMagnitude, zeroth::Adam>{mask, {}, Form::in_place, DataType::f32, options});
  Options lowest = options;
  lowest.acceptance = zeroth::Acceptance::lowest_of_three;
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{mask, {}, Form::in_place, DataType::f32, lowest});
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{mask, {}, Form::in_place, DataType::bf16, lowest});
  options.restore = Restore::arithmetic;
  check_each_allocation(Setup<SmallestMagnitude, Sgd>{mask, {}, Form::in_place, DataType::f32, options});
  check_each_allocation(
      Setup<Dense, zeroth::WindowMomentum>{{}, {.window = 3}, Form::in_place, DataType::f32, options});
}

TEST_CASE("in place the weights are put back even if no memory is left at all") {
  // So large a perturbation takes copies of tiles, and memory for them.
  Options const options{.epsilon = 10, .learning_rate = 1e-3, .samples = 2, .seed = 8};
  Setup<Dense, Sgd> const setup{{}, {}, Form::in_place, DataType::f32, options};
  std::size_t n = 1;
  for (bool fails = true; fails; ++n) {
    Fixture fixture(DataType::f32);
    auto optimizer = setup.optimizer(fixture);
    std::vector<std::uint32_t> const before = fixture.bits();
    fails = false;
    is_last_allocation = true;
    failing_allocation = n;
    try {
      // Allocates nothing itself, unlike a loss over copies of the weights.
      (void)optimizer.step([&] { return static_cast<double>(fixture.vector[0]); });
    } catch (std::bad_alloc const&) {
      fails = true;
    }
    failing_allocation = 0;
    is_last_allocation = false;
    if (!fails) break;
    INFO("allocation " << n);
    REQUIRE(optimizer.steps() == 0);
    REQUIRE((fixture.bits() == before));
    REQUIRE_FALSE(setup.step(optimizer, fixture).skipped());
  }
  CHECK(n > 8);
}

/// Serial, but one task throws: the `*left`-th from now, counted from 1.
struct FailingExecutor {
  std::size_t* left;
  [[nodiscard]] unsigned concurrency() const { return 1; }
  void parallel_for(std::size_t count, zeroth::IndexedTask body) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (*left != 0 && --*left == 0) throw std::runtime_error("from the executor");
      body(i);
    }
  }
};

/// How many of a step's tasks leave the weights unchanged if they fail, and how many leave them undefined.
struct Outcomes {
  std::size_t put_back = 0;
  std::size_t undefined = 0;
};

/// One tensor with three tasks; each task of the second step fails in turn.
Outcomes outcomes_of_failing_tasks(Form form, Restore restore) {
  Options const options{.learning_rate = 1e-3, .seed = 5, .restore = restore};
  auto take = [&](auto& optimizer, ParameterSet const& parameters) {
    return form == Form::fused ? optimizer.step(zeroth_test::fused(parameters, zeroth_test::loss))
                               : optimizer.step(zeroth_test::in_place(parameters, zeroth_test::loss));
  };
  Outcomes outcomes;
  for (std::size_t n = 1;; ++n) {
    std::size_t left = 0;
    FailingExecutor executor{&left};
    zeroth_test::Tensors tensors;
    tensors.add("w", zeroth_test::normal_weights(70'000, 1));
    std::vector<std::uint32_t> const base = zeroth_test::bits(tensors.all());
    ZerothOrderOptimizer optimizer(tensors.parameters, zeroth::Rademacher{}, zeroth::RandomMask{0.5},
                                   zeroth::CpuBackend(executor), options);
    zeroth::Journal journal(zeroth::make_journal_header(optimizer));
    journal.append(take(optimizer, tensors.parameters));
    std::vector<std::uint32_t> const before = zeroth_test::bits(tensors.all());
    left = n;
    bool fails = false;
    try {
      (void)take(optimizer, tensors.parameters);
    } catch (std::runtime_error const& error) {
      CHECK(std::string(error.what()) == "from the executor");
      fails = true;
    }
    left = 0;
    if (!fails) return outcomes;
    CHECK(optimizer.steps() == 1);
    try {
      (void)take(optimizer, tensors.parameters);
      ++outcomes.put_back;
      CHECK(optimizer.steps() == 2);
    } catch (zeroth::Error const& error) {
      ++outcomes.undefined;
      CHECK(std::string(error.what()) ==
            "step: the weights are undefined since step 1 failed while they were written: make a new optimizer over "
            "the base weights and replay the journal of the run");
      CHECK_THROWS_WITH(optimizer.replay({.step = 1}), contains_text("replay: the weights are undefined"));
      // The message names the remedy.
      zeroth_test::Tensors fresh;
      fresh.add("w", zeroth_test::normal_weights(70'000, 1));
      REQUIRE(zeroth_test::bits(fresh.all()) == base);
      ZerothOrderOptimizer anew(fresh.parameters, zeroth::Rademacher{}, zeroth::RandomMask{0.5}, zeroth::CpuBackend{},
                                options);
      zeroth::replay(journal, anew);
      CHECK((zeroth_test::bits(fresh.all()) == before));
    }
  }
}

TEST_CASE("a task that fails while weights are written is restored from a copy, or the optimizer refuses to continue") {
  Outcomes const fused = outcomes_of_failing_tasks(Form::fused, Restore::exact);
  CHECK(fused.put_back == 0);
  CHECK(fused.undefined == 3);  // of the update
  Outcomes const exact = outcomes_of_failing_tasks(Form::in_place, Restore::exact);
  CHECK(exact.put_back == 6);  // of two points
  CHECK(exact.undefined == 3);
  Outcomes const arithmetic = outcomes_of_failing_tasks(Form::in_place, Restore::arithmetic);
  CHECK(arithmetic.put_back == 0);
  CHECK(arithmetic.undefined == 9);
}

TEST_CASE("a replay that notices other weights leaves an optimizer that refuses to continue") {
  Fixture fixture(DataType::f32);
  ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{});
  CHECK_THROWS_WITH(optimizer.replay({.coefficients = {1e-3F}, .active_weights = 1}),
                    contains_text("the weights are not those that the run had here"));
  CHECK_THROWS_WITH(optimizer.step([] { return 1.0; }), contains_text("the weights are undefined since step 0"));
}

TEST_CASE("a step from within a step is rejected, and the outer one may continue") {
  for (Form form : {Form::fused, Form::in_place}) {
    for (bool replays : {false, true}) {
      for (bool is_caught : {false, true}) {
        Options const options{.learning_rate = 1e-3, .restore = Restore::exact};
        auto run = [&](bool reenters) {
          Fixture fixture(DataType::f32);
          ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                         options);
          std::vector<std::uint32_t> const before = fixture.bits();
          int refused = 0;
          auto reenter = [&] {
            if (!reenters) return;
            try {
              if (replays)
                optimizer.replay({.skip_reason = SkipReason::non_finite_loss});
              else
                optimizer.step([] { return 1.0; });
            } catch (zeroth::Error const& error) {
              ++refused;
              CHECK_THAT(error.what(),
                         contains_text("expected a call between two steps, found one from within step 0"));
              if (!is_caught) throw;
            }
          };
          auto measure = [&](std::span<float const> theta) {
            reenter();
            return zeroth_test::loss(theta);
          };
          auto take = [&] {
            return form == Form::fused ? optimizer.step(zeroth_test::fused(fixture.parameters, measure))
                                       : optimizer.step(zeroth_test::in_place(fixture.parameters, measure));
          };
          if (reenters && !is_caught) {
            CHECK_THROWS_AS(take(), zeroth::Error);
            CHECK(optimizer.steps() == 0);
            CHECK(fixture.bits() == before);
            reenters = false;
            take();
            CHECK(refused == 1);
          } else {
            take();
            CHECK(refused == (reenters ? 2 : 0));
          }
          CHECK(optimizer.steps() == 1);
          return fixture.bits();
        };
        CHECK(run(true) == run(false));
      }
    }
  }
}

TEST_CASE("a loss that a fused objective leaves unwritten is NaN, and skips the step") {
  Options const options{.learning_rate = 1, .samples = 2, .micro_batches = 2};
  for (std::uint32_t batch : {0U, 1U})
    for (std::size_t lane = 0; lane < 4; ++lane) {
      Fixture fixture(DataType::f32);
      std::vector<std::uint32_t> const before = fixture.bits();
      Options one_by_one = options;
      one_by_one.samples_per_probe = lane % 2 == 0 ? 1 : 2;
      ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, Dense{}, ReferenceBackend{}, one_by_one);
      StepReport const report = optimizer.step([&](auto const& probe, std::span<double> losses) {
        for (std::size_t k = 0; k < losses.size(); ++k) {
          zeroth::Point const at = probe.points()[k];
          bool const is_left_out = at.sample * 2 + (at.sign < 0 ? 1U : 0U) == lane && probe.micro_batch() == batch;
          if (!is_left_out) losses[k] = 5;
        }
      });
      CHECK(report.skip_reason == SkipReason::non_finite_loss);
      for (std::size_t k = 0; k < 4; ++k) {
        if (k == lane)
          CHECK(report.losses[k] != report.losses[k]);
        else
          CHECK(report.losses[k] == 5);
      }
      CHECK(fixture.bits() == before);
      CHECK(optimizer.steps() == 1);
    }
}

TEST_CASE("a candidate's loss that is left unwritten skips the step") {
  for (std::size_t candidate : {std::size_t{0}, std::size_t{1}}) {
    Fixture fixture(DataType::f32);
    std::vector<std::uint32_t> const before = fixture.bits();
    ZerothOrderOptimizer optimizer(
        fixture.parameters, Gaussian{}, Dense{}, ReferenceBackend{},
        {.learning_rate = 1e-3, .micro_batches = 2, .acceptance = zeroth::Acceptance::lowest_of_three});
    StepReport const report = optimizer.step([&](auto const& probe, std::span<double> losses) {
      for (std::size_t k = 0; k < losses.size(); ++k) {
        if (!probe.points()[k].is_candidate) losses[k] = 1 + static_cast<double>(k);
        // The first micro-batch has both candidates; the second must not be mistaken for it.
        if (probe.points()[k].is_candidate && (k != candidate || probe.micro_batch() == 0)) losses[k] = -1;
      }
    });
    CHECK(report.skip_reason == SkipReason::non_finite_loss);
    CHECK(fixture.bits() == before);
  }
}

/// Sgd whose decay is not a number.
struct NoDecay : Sgd {
  [[nodiscard]] static double decay(double /*learning_rate*/) { return std::numeric_limits<double>::quiet_NaN(); }
  static constexpr std::string_view name() { return "no-decay"; }
  bool operator==(NoDecay const&) const = default;
};

TEST_CASE("a step whose decay, or whose share of an older update, fits no f32 is skipped") {
  Fixture fixture(DataType::f32);
  std::vector<std::uint32_t> const before = fixture.bits();
  ZerothOrderOptimizer decaying(fixture.parameters, Gaussian{}, Dense{}, ReferenceBackend{}, NoDecay{}, {});
  CHECK(decaying.step(zeroth_test::fused(fixture.parameters, zeroth_test::loss)).skip_reason ==
        SkipReason::non_finite_coefficient);
  CHECK(fixture.bits() == before);

  ZerothOrderOptimizer window(fixture.parameters, Gaussian{}, Dense{}, ReferenceBackend{}, zeroth::WindowMomentum{},
                              {.learning_rate = 1e20});
  auto slope = [](double by) {
    return [by](auto const&, std::span<double> losses) {
      losses[0] = by;
      losses[1] = 0;
    };
  };
  CHECK(window.step(slope(1e20)).skip_reason == SkipReason::non_finite_coefficient);
  CHECK(fixture.bits() == before);
  CHECK_FALSE(window.step(slope(0)).skipped());
}

TEST_CASE("an objective may throw a hundred times at a step that arithmetic restores, and the record says so") {
  Options const options{.learning_rate = 1e-3, .restore = Restore::arithmetic};
  Fixture fixture(DataType::f32);
  ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{}, options);
  auto failing = []() -> double { throw std::runtime_error("from the objective"); };
  for (std::uint32_t i = 0; i < zeroth::max_abandoned; ++i)
    CHECK_THROWS_WITH(optimizer.step(failing), "from the objective");
  std::vector<std::uint32_t> const before = fixture.bits();
  CHECK_THROWS_WITH(optimizer.step(failing), contains_text("step 0: its objective has thrown 100 times"));
  CHECK(fixture.bits() == before);
  // The fused form perturbs no weights.
  StepReport const report = optimizer.step(zeroth_test::fused(fixture.parameters, zeroth_test::loss));
  CHECK(report.abandoned == zeroth::max_abandoned);

  Fixture again(DataType::f32);
  ZerothOrderOptimizer replayed(again.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{}, options);
  replayed.replay(report);
  CHECK(again.bits() == fixture.bits());
}

TEST_CASE("a record that says nothing of attempts that were given up does not fit the weights that they left") {
  Options const options{.learning_rate = 1e-3, .restore = Restore::arithmetic};
  Fixture fixture(DataType::f32);
  ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{}, options);
  auto failing = []() -> double { throw std::runtime_error("from the objective"); };
  CHECK_THROWS(optimizer.step(failing));
  StepRecord record{.skip_reason = SkipReason::non_finite_loss};
  CHECK_THROWS_WITH(optimizer.replay(record), contains_text("expected abandoned at least 1, found 0"));
  record.abandoned = 1;
  std::vector<std::uint32_t> const before = fixture.bits();
  optimizer.replay(record);  // the weights already include the attempt
  CHECK(fixture.bits() == before);
}

/// A policy whose preparation or step throws.
struct FailingMask {
  bool fails_to_prepare = false;
  int* failures = nullptr;

  struct State {
    int* failures;
    [[nodiscard]] static zeroth::TensorMask<Dense::Rule> tensor(std::size_t /*index*/, std::uint32_t /*step*/) {
      return {zeroth::Coverage::all, {}};
    }
    void begin_step(ParameterSet const& /*parameters*/, zeroth::WeightReader const& /*weights*/,
                    std::uint32_t /*step*/) const {
      if (*failures > 0 && --*failures == 0) throw std::runtime_error("from the mask");
    }
  };
  [[nodiscard]] State prepare(ParameterSet const& /*parameters*/, zeroth::WeightReader const& /*weights*/) const {
    if (fails_to_prepare) throw std::runtime_error("from the mask");
    return {failures};
  }
  static constexpr std::string_view name() { return "failing"; }
  bool operator==(FailingMask const&) const = default;
};

TEST_CASE("a mask that throws leaves the weights, and the step is taken again") {
  int failures = 0;
  Fixture fixture(DataType::f32);
  std::vector<std::uint32_t> const before = fixture.bits();
  CHECK_THROWS_WITH(
      ZerothOrderOptimizer(fixture.parameters, Gaussian{}, FailingMask{true, &failures}, ReferenceBackend{}),
      "from the mask");
  for (Form form : {Form::fused, Form::in_place}) {
    Setup<FailingMask, Sgd> const setup{
        {false, &failures}, {}, form, DataType::f32, {.learning_rate = 1e-3, .restore = Restore::exact}};
    auto run = [&](bool fails) {
      Fixture tuned(DataType::f32);
      auto optimizer = setup.optimizer(tuned);
      failures = fails ? 1 : 0;
      if (fails) CHECK_THROWS_WITH(setup.step(optimizer, tuned), "from the mask");
      CHECK(tuned.bits() == before);
      CHECK(setup.step(optimizer, tuned).step == 0);
      return tuned.bits();
    };
    CHECK(run(true) == run(false));
  }
}

/// Throws at the `left`-th block from now.
struct FailingSampler {
  std::size_t* left = nullptr;
  std::array<float, 1> operator()(zeroth::RandomBlock const& block) const {
    if (left != nullptr && *left != 0 && --*left == 0) throw std::runtime_error("from the sampler");
    return {(block[0] & 1U) != 0 ? 1.0F : -1.0F};
  }
  static constexpr std::string_view name() { return "failing"; }
  bool operator==(FailingSampler const&) const = default;
};

TEST_CASE("a sampler that throws leaves the weights while they are read, and makes them undefined while written") {
  constexpr std::size_t weights = 201;
  for (std::size_t n : {std::size_t{1}, weights, 2 * weights, 2 * weights + 1, 3 * weights}) {
    std::size_t left = 0;
    zeroth_test::Tensors tensors;
    tensors.add("w", zeroth_test::normal_weights(weights, 1));
    std::vector<std::uint32_t> const before = zeroth_test::bits(tensors.all());
    ZerothOrderOptimizer optimizer(tensors.parameters, FailingSampler{&left}, Dense{}, ReferenceBackend{},
                                   {.learning_rate = 1e-3});
    auto take = [&] { return optimizer.step(zeroth_test::fused(tensors.parameters, zeroth_test::loss)); };
    left = n;
    CHECK_THROWS_WITH(take(), "from the sampler");
    if (n <= 2 * weights) {
      CHECK(zeroth_test::bits(tensors.all()) == before);
      CHECK(take().step == 0);
    } else {
      CHECK_THROWS_WITH(take(), contains_text("the weights are undefined"));
    }
  }
}

TEST_CASE("a run has 2^32 steps") {
  CHECK_NOTHROW(zeroth::detail::require_step_number(0xffffffffU));
  CHECK_THROWS_WITH(zeroth::detail::require_step_number(std::uint64_t{1} << 32),
                    contains_text("step must be below 2^32") && contains_text("got 4294967296"));
}

}  // namespace

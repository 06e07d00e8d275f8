// SPDX-License-Identifier: MIT
#include <zeroth/backend/known_answer.hpp>

#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/optimizer.hpp>

#include "catch.hpp"

namespace {

/// A backend whose perturbed weights are an ulp off.
struct InexactBackend : zeroth::ReferenceBackend {
  void expand(zeroth::Parameter const& tensor, zeroth::TensorMask<zeroth::Dense::Rule> const& mask,
              zeroth::NoiseField<zeroth::Gaussian> const& noise, std::span<zeroth::Point const> lanes, float epsilon,
              std::uint64_t first, std::uint64_t count, std::span<float* const> panels) const {
    zeroth::ReferenceBackend::expand(tensor, mask, noise, lanes, epsilon, first, count, panels);
    ++*calls;
    panels[0][0] = zeroth::float_of(zeroth::bits_of(panels[0][0]) ^ 1U);
  }
  int* calls = nullptr;
};

/// The same, but it does not ask for a check.
struct UncheckedBackend : InexactBackend {
  static constexpr bool checks_arithmetic = false;
};

TEST_CASE("a backend that gives other bits is rejected when an optimizer is made") {
  std::vector<float> weights(10, 0.1F);
  zeroth::ParameterSet parameters;
  parameters.add("w", zeroth::Role::matrix, {1, 10}, weights);
  int calls = 0;
  InexactBackend inexact;
  inexact.calls = &calls;
  CHECK_THROWS_WITH(zeroth::ZerothOrderOptimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, inexact),
                    zeroth_test::contains_text("not the one that defines zeroth's results: passes: expected "
                                               "0xcac089e3f167c7b0, found 0x"));
  CHECK(calls == 1);
  UncheckedBackend unchecked;
  unchecked.calls = &calls;
  CHECK_NOTHROW(zeroth::ZerothOrderOptimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, unchecked));
  CHECK(calls == 1);
}

TEST_CASE("every instruction set passes the check of arithmetic") {
  CHECK_NOTHROW(zeroth::check_arithmetic(zeroth::ReferenceBackend{}));
  for (zeroth::InstructionSet set : zeroth::every_instruction_set)
    if (zeroth::is_supported(set)) CHECK_NOTHROW(zeroth::check_arithmetic(zeroth::CpuBackend({}, set)));
}

TEST_CASE("an answer that is not the known one says what to do") {
  CHECK_NOTHROW(zeroth::detail::check_known_answer("third", 0x3fd5555555555555U));
  CHECK_THROWS_WITH(zeroth::detail::check_known_answer("third", 0x3fd5555555555556U),
                    "this program's arithmetic is not the one that defines zeroth's results: third: expected "
                    "0x3fd5555555555555, found 0x3fd5555555555556; compile without options such as -ffast-math, "
                    "-funsafe-math-optimizations, -fassociative-math, -freciprocal-math and -mfpmath=387, or else the "
                    "C library's fma or sqrt is inexact");
}

}  // namespace

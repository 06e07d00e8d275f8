// SPDX-License-Identifier: MIT
// check_policies finds planted faults, and nothing wrong with the library's own policies.
#include <zeroth/check_policies.hpp>
#include <zeroth/zeroth.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "tensors.hpp"

namespace {

using zeroth::check_policies;
using zeroth::Coverage;
using zeroth::Dense;
using zeroth::Gaussian;
using zeroth::PolicyFindings;
using zeroth::RandomBlock;
using zeroth_test::contains_text;

/// 300 and 5 weights: whole and partial tiles.
struct Weights : zeroth_test::Tensors {
  Weights() {
    add("blk.0.w", zeroth_test::normal_weights(300, 1));
    add("blk.1.w", zeroth_test::normal_weights(5, 2));
  }
};

template <class S, class M, class U = zeroth::Sgd>
PolicyFindings findings_of(S const& sampler, M const& mask, U const& update = {}) {
  Weights const weights;
  return check_policies(weights.parameters, sampler, mask, update);
}

/// The only fault of a sampler or mask.
template <class S, class M, class U = zeroth::Sgd>
std::string fault_of(S const& sampler, M const& mask, U const& update = {}) {
  PolicyFindings const findings = findings_of(sampler, mask, update);
  REQUIRE(findings.faults.size() == 1);
  CHECK_FALSE(findings.ok());
  return findings.faults[0];
}

// Samplers

struct FourValues {
  static constexpr std::string_view name() { return "four-values"; }
  bool operator==(FourValues const&) const = default;
};
float sign_of(std::uint32_t bits) {
  return (bits & 1U) != 0 ? 1.0F : -1.0F;
}
struct Wide : FourValues {
  std::array<float, 4> operator()(RandomBlock const& b) const {
    return {2 * sign_of(b[0]), 2 * sign_of(b[1]), 2 * sign_of(b[2]), 2 * sign_of(b[3])};
  }
  bool operator==(Wide const&) const = default;
};
struct Shifted : FourValues {
  std::array<float, 4> operator()(RandomBlock const& b) const {
    return {sign_of(b[0]) + 0.1F, sign_of(b[1]) + 0.1F, sign_of(b[2]) + 0.1F, sign_of(b[3]) + 0.1F};
  }
  bool operator==(Shifted const&) const = default;
};
struct Constant : FourValues {
  std::array<float, 4> operator()(RandomBlock const&) const { return {}; }
  bool operator==(Constant const&) const = default;
};
/// Uses 32 random bits for two values.
struct Correlated : FourValues {
  std::array<float, 4> operator()(RandomBlock const& b) const {
    return {sign_of(b[0]), sign_of(b[1]), sign_of(b[2]), -sign_of(b[1])};
  }
  bool operator==(Correlated const&) const = default;
};
/// The values have mean 0 over all places, but each place has its own.
struct ByPlace : FourValues {
  std::array<float, 4> operator()(RandomBlock const& b) const { return {sign_of(b[0]), sign_of(b[1]), 1, -1}; }
  bool operator==(ByPlace const&) const = default;
};
struct Infinite : FourValues {
  std::array<float, 4> operator()(RandomBlock const& b) const {
    return {sign_of(b[0]), sign_of(b[1]), sign_of(b[2]), b[3] % 1000 == 0 ? std::numeric_limits<float>::infinity() : 1};
  }
  bool operator==(Infinite const&) const = default;
};
int calls = 0;
/// Has a generator of its own.
struct Generator : FourValues {
  std::array<float, 4> operator()(RandomBlock const& b) const {
    return {sign_of(b[0]), sign_of(b[1]), sign_of(b[2]), ++calls % 3 == 0 ? 1.0F : -1.0F};
  }
  bool operator==(Generator const&) const = default;
};
struct OtherValue : zeroth::Rademacher {
  static float value(RandomBlock const& b, unsigned i) { return -zeroth::Rademacher::value(b, i); }
  bool operator==(OtherValue const&) const = default;
};

TEST_CASE("check_policies measures a sampler") {
  PolicyFindings const findings = findings_of(zeroth::Uniform{}, Dense{});
  CHECK(findings.ok());
  CHECK(findings.notes.empty());
  CHECK(findings.mean == Approx(0).margin(0.01));  // five standard errors over 2^18 values
  CHECK(findings.variance == Approx(1).margin(0.01));
  CHECK(findings.active == std::vector<double>{1, 1});
}

TEST_CASE("check_policies finds a sampler whose values are not of mean 0 and variance 1") {
  std::string const wide = fault_of(Wide{}, Dense{});
  CHECK_THAT(wide, contains_text("sampler 'four-values': expected values of variance 1, found 4 over 262144 values"));
  CHECK_THAT(wide, contains_text("multiply them by 0.5"));
  CHECK_THAT(findings_of(Shifted{}, Dense{}).faults.at(0), contains_text("expected values of mean 0, found 0.1"));
  CHECK_THAT(fault_of(Constant{}, Dense{}), contains_text("variance 1, found 0"));
  CHECK_THAT(fault_of(Infinite{}, Dense{}), contains_text("expected finite values"));
}

TEST_CASE("check_policies finds a sampler whose values depend on each other or on their place") {
  CHECK_THAT(fault_of(Correlated{}, Dense{}), contains_text("uncorrelated, found -1 for values 1 and 3"));
  CHECK_THAT(fault_of(ByPlace{}, Dense{}), contains_text("expected value 2 of a block to have mean 0, found 1"));
}

TEST_CASE("check_policies finds a sampler that is no function of its bits") {
  CHECK_THAT(fault_of(Generator{}, Dense{}), contains_text("expected the same values for the same random bits"));
  CHECK_THAT(fault_of(OtherValue{}, Dense{}), contains_text("expected value(block, 0) to be value 0 of the block"));
}

// Masks

/// Selects weights by a function of (theta, element, step).
template <bool weights, class Select>
struct By {
  struct Rule {
    static constexpr bool depends_on_weights = weights;
    std::uint32_t step = 0;
    bool operator()(float theta, std::uint64_t element) const { return Select{}(theta, element, step); }
  };
  struct State {
    zeroth::TensorMask<Rule> tensor(std::size_t, std::uint32_t step) const { return {Coverage::some, {step}}; }
    bool is_fixed() const { return Select::is_fixed; }
  };
  State prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const { return {}; }
  static constexpr std::string_view name() { return "by"; }
  bool operator==(By const&) const = default;
};
struct Nothing {
  static constexpr bool is_fixed = true;
  bool operator()(float, std::uint64_t, std::uint32_t) const { return false; }
};
struct EvenSteps {
  static constexpr bool is_fixed = false;
  bool operator()(float, std::uint64_t, std::uint32_t step) const { return step % 2 == 0; }
};
struct NotFixed {
  static constexpr bool is_fixed = true;
  bool operator()(float, std::uint64_t element, std::uint32_t step) const { return (element + step) % 2 == 0; }
};
struct Positive {
  static constexpr bool is_fixed = true;
  bool operator()(float theta, std::uint64_t, std::uint32_t) const { return theta > 0; }
};
struct Counting {
  static constexpr bool is_fixed = true;
  bool operator()(float, std::uint64_t, std::uint32_t) const { return ++calls % 7 != 0; }
};
/// Only of the first tensor's elements.
struct FarOnes {
  static constexpr bool is_fixed = true;
  bool operator()(float, std::uint64_t element, std::uint32_t) const { return element > 100; }
};

/// A state that counts: the number of times that it was prepared, or that steps began.
template <bool prepares>
struct Counted {
  struct Rule {
    std::uint64_t count = 0;
    bool operator()(float, std::uint64_t element) const { return (element + count) % 3 != 0; }
  };
  struct State {
    std::uint64_t count = 0;
    zeroth::TensorMask<Rule> tensor(std::size_t, std::uint32_t) const { return {Coverage::some, {count}}; }
    void begin_step(zeroth::ParameterSet const&, zeroth::WeightReader const&, std::uint32_t) {
      if (!prepares) ++count;
    }
  };
  State prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const {
    return {prepares ? static_cast<std::uint64_t>(++calls) : 0};
  }
  static constexpr std::string_view name() { return "counted"; }
  bool operator==(Counted const&) const = default;
};

TEST_CASE("check_policies finds a mask that selects nothing") {
  CHECK_THAT(fault_of(Gaussian{}, By<true, Nothing>{}),
             contains_text("mask 'by': expected active weights, found none of 305 weights"));
  CHECK_THAT(fault_of(Gaussian{}, By<false, EvenSteps>{}), contains_text("found none of 305 weights at 2 of 4 steps"));
  std::vector<std::uint64_t> const empty(5);
  zeroth::StoredMask const bitmap{{{"blk.0.w", empty}}};
  PolicyFindings const findings = findings_of(Gaussian{}, bitmap);
  CHECK(findings.active == std::vector<double>{0, 0});
  CHECK_THAT(findings.faults.at(0), contains_text("mask 'stored': expected active weights, found none"));
}

TEST_CASE("check_policies notes a tensor of which a mask selects nothing") {
  PolicyFindings const findings = findings_of(Gaussian{}, By<false, FarOnes>{});
  CHECK(findings.ok());
  REQUIRE(findings.notes.size() == 1);
  CHECK_THAT(findings.notes[0], contains_text("parameter 'blk.1.w': the mask selects none of its weights"));
  CHECK(findings.active[0] == Approx(199.0 / 300));
}

TEST_CASE("check_policies finds a mask that says what does not hold") {
  CHECK_THAT(fault_of(Gaussian{}, By<false, NotFixed>{}), contains_text("as is_fixed() says, found others"));
  CHECK_THAT(fault_of(Gaussian{}, By<false, Positive>{}), contains_text("depends_on_weights = false says"));
  CHECK(findings_of(Gaussian{}, By<true, Positive>{}).ok());
}

TEST_CASE("check_policies finds a mask that is no function of the weights and the step") {
  CHECK_THAT(findings_of(Gaussian{}, By<true, Counting>{}).faults.at(0), contains_text("mask 'by': expected"));
  CHECK_THAT(fault_of(Gaussian{}, Counted<true>{}), contains_text("two states prepared from the same weights"));
  CHECK_THAT(fault_of(Gaussian{}, Counted<false>{}), contains_text("if it is called twice for step 0"));
}

// Updates

struct Unwritten : zeroth::Sgd {
  void coefficients(std::span<double const> g, double, std::span<float> c) const { c[0] = static_cast<float>(g[0]); }
  bool operator==(Unwritten const&) const = default;
};
struct Remembers : zeroth::Sgd {
  void coefficients(std::span<double const>, double, std::span<float> c) const {
    for (float& value : c) value = static_cast<float>(++calls);
  }
  bool operator==(Remembers const&) const = default;
};
struct Impure : zeroth::Momentum {
  struct Rule {
    float operator()(float theta, float direction, std::span<float, 1> state) const {
      state[0] = direction;
      return theta + static_cast<float>(++calls);
    }
  };
  Rule rule(float, std::uint64_t) const { return {}; }
  bool operator==(Impure const&) const = default;
};

TEST_CASE("check_policies finds an update that is no function of the losses") {
  CHECK_THAT(fault_of(Gaussian{}, Dense{}, Unwritten{}), contains_text("expected a finite coefficient for each"));
  CHECK_THAT(fault_of(Gaussian{}, Dense{}, Remembers{}), contains_text("expected the same coefficients"));
  CHECK_THAT(findings_of(Gaussian{}, Dense{}, Impure{}).faults.at(0), contains_text("bits of ReferenceBackend"));
}

TEST_CASE("check_policies finds nothing wrong with the library's policies") {
  auto check = [](auto const& sampler, auto const& mask, auto const& update) {
    PolicyFindings const findings = findings_of(sampler, mask, update);
    INFO(zeroth::describe(mask));
    CHECK(findings.faults == std::vector<std::string>{});
  };
  check(Gaussian{}, zeroth::SmallestMagnitude{}, zeroth::Adam{});
  check(zeroth::Rademacher{}, zeroth::RandomMask{.redraw_every = 2}, zeroth::SignSgd{});
  check(zeroth::Uniform{}, zeroth::Filtered{zeroth::LargestMagnitude{}, {.include = {"blk.0.*"}}}, zeroth::Momentum{});
}

}  // namespace

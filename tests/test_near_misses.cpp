// SPDX-License-Identifier: MIT
// Types that lack exactly one requirement of a concept, each derived from a type that meets them all.
// tests/must_not_compile checks what a user is told who passes one to an optimizer.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <zeroth/backend/reference.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/update.hpp>
#include <zeroth/update/window_momentum.hpp>

#include "catch.hpp"

namespace {

using zeroth::AnyProbe;
using zeroth::Backend;
using zeroth::CentralDifference;
using zeroth::ElementwiseUpdate;
using zeroth::Estimator;
using zeroth::Executor;
using zeroth::FusedObjective;
using zeroth::InPlaceObjective;
using zeroth::MaskPolicy;
using zeroth::Momentum;
using zeroth::Point;
using zeroth::Probe;
using zeroth::ReferenceBackend;
using zeroth::Sgd;
using zeroth::Update;
using zeroth::UpdateWithWindow;
using zeroth::WindowMomentum;

struct DoubleStep : CentralDifference {
  static constexpr std::array<std::int32_t, 1> signs = {+2};
  bool operator==(DoubleStep const&) const = default;
};
struct NoPoints : CentralDifference {
  static constexpr std::array<std::int32_t, 0> signs = {};
  bool operator==(NoPoints const&) const = default;
};
struct NoProjectedGradient : CentralDifference {
  double projected_gradient(double, std::span<double const>, double) const = delete;
  bool operator==(NoProjectedGradient const&) const = default;
};
struct NoUsesBase : CentralDifference {
  void uses_base() const {}
  bool operator==(NoUsesBase const&) const = default;
};
struct NamelessEstimator : CentralDifference {
  static std::string_view name() = delete;
  bool operator==(NamelessEstimator const&) const = default;
};
struct IncomparableEstimator : CentralDifference {
  bool operator==(IncomparableEstimator const&) const = delete;
};
struct SameEstimator : CentralDifference {
  bool operator==(SameEstimator const&) const = default;
};

TEST_CASE("an estimator that lacks one requirement is none") {
  STATIC_REQUIRE(Estimator<SameEstimator>);
  STATIC_REQUIRE_FALSE(Estimator<DoubleStep>);
  STATIC_REQUIRE_FALSE(Estimator<NoPoints>);
  STATIC_REQUIRE_FALSE(Estimator<NoProjectedGradient>);
  STATIC_REQUIRE_FALSE(Estimator<NoUsesBase>);
  STATIC_REQUIRE_FALSE(Estimator<NamelessEstimator>);
  STATIC_REQUIRE_FALSE(Estimator<IncomparableEstimator>);
}

struct NoCoefficients : Sgd {
  void coefficients() const {}
  bool operator==(NoCoefficients const&) const = default;
};
struct NoDecay : Sgd {
  void decay() const {}
  bool operator==(NoDecay const&) const = default;
};
struct NoCheck : Sgd {
  void check() const = delete;
  bool operator==(NoCheck const&) const = default;
};
struct NamelessUpdate : Sgd {
  static std::string_view name() = delete;
  bool operator==(NamelessUpdate const&) const = default;
};
struct IncomparableUpdate : Sgd {
  bool operator==(IncomparableUpdate const&) const = delete;
};
struct SameUpdate : Sgd {
  bool operator==(SameUpdate const&) const = default;
};

TEST_CASE("an update that lacks one requirement is none") {
  STATIC_REQUIRE(Update<SameUpdate>);
  STATIC_REQUIRE_FALSE(Update<NoCoefficients>);
  STATIC_REQUIRE_FALSE(Update<NoDecay>);
  STATIC_REQUIRE_FALSE(Update<NoCheck>);
  STATIC_REQUIRE_FALSE(Update<NamelessUpdate>);
  STATIC_REQUIRE_FALSE(Update<IncomparableUpdate>);
}

struct NoStateFloats : Momentum {
  void state_floats() const {}
  bool operator==(NoStateFloats const&) const = default;
};
struct NoRule : Momentum {
  void rule() const {}
  bool operator==(NoRule const&) const = default;
};
struct RuleOfDoubles : Momentum {
  struct Rule {
    double operator()(float theta, float, std::span<float, 1>) const { return theta; }
  };
  Rule rule(float, std::uint64_t) const { return {}; }
  bool operator==(RuleOfDoubles const&) const = default;
};
struct StateNoDecay : Momentum {
  void decay() const {}
  bool operator==(StateNoDecay const&) const = default;
};
struct StateNoCheck : Momentum {
  void check() const = delete;
  bool operator==(StateNoCheck const&) const = default;
};
struct StateNameless : Momentum {
  static std::string_view name() = delete;
  bool operator==(StateNameless const&) const = default;
};
struct SameElementwiseUpdate : Momentum {
  bool operator==(SameElementwiseUpdate const&) const = default;
};

TEST_CASE("an elementwise update that lacks one requirement is none") {
  STATIC_REQUIRE(ElementwiseUpdate<SameElementwiseUpdate>);
  STATIC_REQUIRE_FALSE(ElementwiseUpdate<NoStateFloats>);
  STATIC_REQUIRE_FALSE(ElementwiseUpdate<NoRule>);
  STATIC_REQUIRE_FALSE(ElementwiseUpdate<RuleOfDoubles>);
  STATIC_REQUIRE_FALSE(ElementwiseUpdate<StateNoDecay>);
  STATIC_REQUIRE_FALSE(ElementwiseUpdate<StateNoCheck>);
  STATIC_REQUIRE_FALSE(ElementwiseUpdate<StateNameless>);
}

struct NoWindow : WindowMomentum {
  void window() const {}
  bool operator==(NoWindow const&) const = default;
};
struct NoTermCoefficient : WindowMomentum {
  void term_coefficient() const {}
  bool operator==(NoTermCoefficient const&) const = default;
};
struct SameWindowedUpdate : WindowMomentum {
  bool operator==(SameWindowedUpdate const&) const = default;
};

TEST_CASE("an update over a window that lacks one requirement is none") {
  STATIC_REQUIRE(UpdateWithWindow<SameWindowedUpdate>);
  STATIC_REQUIRE_FALSE(UpdateWithWindow<NoWindow>);
  STATIC_REQUIRE_FALSE(UpdateWithWindow<NoTermCoefficient>);
}

template <class Rule>
struct MaskOf {
  struct State {
    // Not defined: a rule that cannot be made must be found in the concept first.
    zeroth::TensorMask<Rule> tensor(std::size_t, std::uint32_t) const;
  };
  State prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const { return {}; }
  static constexpr std::string_view name() { return "mask-of"; }
  bool operator==(MaskOf const&) const = default;
};
struct AnyWeight {
  bool operator()(float, std::uint64_t) const { return true; }
};
struct NoDefault : AnyWeight {
  explicit NoDefault(int) {}
};

TEST_CASE("a mask whose state gives no rule is none") {
  STATIC_REQUIRE(MaskPolicy<MaskOf<AnyWeight>>);
  STATIC_REQUIRE_FALSE(MaskPolicy<MaskOf<NoDefault>>);
}

// A member that hides all overloads of the base.
struct NoExpand : ReferenceBackend {
  void expand() const {}
};
struct NoApply : ReferenceBackend {
  void apply() const {}
};
struct NoPreview : ReferenceBackend {
  void preview() const {}
};
struct NoApplyRule : ReferenceBackend {
  void apply_rule() const {}
};
struct NoMaskBits : ReferenceBackend {
  void mask_bits() const {}
};
struct NoKthMagnitude : ReferenceBackend {
  void kth_magnitude() const {}
};
struct NoRead : ReferenceBackend {
  void read() const {}
};
struct NoCopy : ReferenceBackend {
  void copy() const {}
};
struct NoSupports : ReferenceBackend {
  void supports() const {}
};
struct NamelessBackend : ReferenceBackend {
  static std::string_view name() = delete;
};
struct NotCopyable : ReferenceBackend {
  NotCopyable() = default;
  NotCopyable(NotCopyable const&) = delete;
  NotCopyable(NotCopyable&&) = default;
};
template <class Source>
struct BackendWithSource : ReferenceBackend {
  template <class S, class Rule>
  std::uint64_t apply(zeroth::Parameter const& tensor, Source source, zeroth::TensorMask<Rule> const& mask,
                      zeroth::NoiseField<S> const& noise, zeroth::ElementwisePass const& pass) const {
    return ReferenceBackend::apply(tensor, source, mask, noise, pass);
  }
};

TEST_CASE("a backend that lacks one requirement is none") {
  STATIC_REQUIRE(Backend<ReferenceBackend>);
  STATIC_REQUIRE_FALSE(Backend<NoExpand>);
  STATIC_REQUIRE_FALSE(Backend<NoApply>);
  STATIC_REQUIRE_FALSE(Backend<NoPreview>);
  STATIC_REQUIRE_FALSE(Backend<NoApplyRule>);
  STATIC_REQUIRE_FALSE(Backend<NoMaskBits>);
  STATIC_REQUIRE_FALSE(Backend<NoKthMagnitude>);
  STATIC_REQUIRE_FALSE(Backend<NoRead>);
  STATIC_REQUIRE_FALSE(Backend<NoCopy>);
  STATIC_REQUIRE_FALSE(Backend<NoSupports>);
  STATIC_REQUIRE_FALSE(Backend<NamelessBackend>);
  STATIC_REQUIRE_FALSE(Backend<NotCopyable>);
  // A source has the tensor's own type, which is not always f32.
  STATIC_REQUIRE(Backend<BackendWithSource<void const*>>);
  STATIC_REQUIRE_FALSE(Backend<BackendWithSource<float const*>>);
}

struct SmallestProbe {
  std::span<Point const> points() const { return {}; }
  std::uint64_t step() const { return 0; }
  std::uint32_t micro_batch() const { return 0; }
  void expand(std::size_t, std::uint64_t, std::uint64_t, std::span<float* const>) const {}
};
struct NoLanes : SmallestProbe {
  std::span<Point const> points() const = delete;
};
struct NoStep : SmallestProbe {
  std::uint64_t step() const = delete;
};
struct NoMicroBatch : SmallestProbe {
  std::uint32_t micro_batch() const = delete;
};
struct ExpandsOnePanel : SmallestProbe {
  void expand(std::size_t, std::uint64_t, std::uint64_t, float*) const {}
};
struct ExpandNotConst : SmallestProbe {
  void expand(std::size_t, std::uint64_t, std::uint64_t, std::span<float* const>) {}
};

TEST_CASE("a probe that lacks one requirement is none") {
  STATIC_REQUIRE(Probe<SmallestProbe>);
  STATIC_REQUIRE_FALSE(Probe<NoLanes>);
  STATIC_REQUIRE_FALSE(Probe<NoStep>);
  STATIC_REQUIRE_FALSE(Probe<NoMicroBatch>);
  STATIC_REQUIRE_FALSE(Probe<ExpandsOnePanel>);
  STATIC_REQUIRE_FALSE(Probe<ExpandNotConst>);
}

TEST_CASE("an objective that lacks one requirement is none") {
  auto const returns_a_loss = [] { return 1.0; };
  auto const returns_a_float = [] { return 1.0F; };
  auto const returns_nothing = [] {};
  auto const returns_text = [] { return "1.0"; };
  auto const takes_an_evaluation = [](zeroth::Evaluation const&) { return 1.0; };
  auto const takes_an_int = [](int) { return 1.0; };
  STATIC_REQUIRE(InPlaceObjective<decltype(returns_a_loss)>);
  STATIC_REQUIRE(InPlaceObjective<decltype(returns_a_float)>);
  STATIC_REQUIRE(InPlaceObjective<decltype(takes_an_evaluation)>);
  STATIC_REQUIRE_FALSE(InPlaceObjective<decltype(returns_nothing)>);
  STATIC_REQUIRE_FALSE(InPlaceObjective<decltype(returns_text)>);
  STATIC_REQUIRE_FALSE(InPlaceObjective<decltype(takes_an_int)>);

  auto const writes_losses = [](AnyProbe const&, std::span<double>) {};
  auto const takes_only_a_probe = [](AnyProbe const&) {};
  auto const writes_floats = [](AnyProbe const&, std::span<float>) {};
  STATIC_REQUIRE(FusedObjective<decltype(writes_losses), AnyProbe>);
  STATIC_REQUIRE_FALSE(FusedObjective<decltype(takes_only_a_probe), AnyProbe>);
  STATIC_REQUIRE_FALSE(FusedObjective<decltype(writes_floats), AnyProbe>);
}

struct SmallestExecutor {
  unsigned concurrency() const { return 1; }
  void parallel_for(std::size_t, zeroth::IndexedTask) const {}
};
struct NoConcurrency : SmallestExecutor {
  unsigned concurrency() const = delete;
};
struct NoCount : SmallestExecutor {
  void parallel_for(zeroth::IndexedTask) const {}
};

TEST_CASE("an executor that lacks one requirement is none") {
  STATIC_REQUIRE(Executor<SmallestExecutor>);
  STATIC_REQUIRE_FALSE(Executor<NoConcurrency>);
  STATIC_REQUIRE_FALSE(Executor<NoCount>);
}

}  // namespace

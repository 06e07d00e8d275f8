// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/update.hpp>

namespace zeroth::ZEROTH_ISA {

/// What check_policies measured of the policies, and what is wrong with them.
struct PolicyFindings {
  std::vector<std::string> faults{};  ///< one sentence each: what was expected, what was found, what to do
  std::vector<std::string> notes{};   ///< worth knowing, and no fault
  double mean = 0;                    ///< of the sampler's values
  double variance = 0;
  std::vector<double> active{};  ///< share of each tensor's weights that the mask selects at step 0

  [[nodiscard]] bool ok() const noexcept { return faults.empty(); }
};

namespace detail {

/// The checks of check_policies, one after the other.
template <Sampler S, MaskPolicy M, class U>
class PolicyChecker {
 public:
  PolicyChecker(ParameterSet const& parameters, S const& sampler, M const& mask, U const& update, std::uint32_t steps)
      : parameters_(parameters), sampler_(sampler), policy_(mask), update_(update), steps_(steps) {}

  [[nodiscard]] PolicyFindings run() {
    DefaultFloatEnvironment const environment;
    check_values();
    check_masks();
    check_update();
    return std::move(findings_);
  }

 private:
  using Bits = std::vector<Bitmap>;  // of each tensor
  static constexpr unsigned per_block = values_per_block<S>;

  void fault(std::string text) { findings_.faults.push_back(std::move(text)); }
  void note(std::string text) { findings_.notes.push_back(std::move(text)); }
  [[nodiscard]] static std::string named(char const* what, auto const& policy) {
    return std::string(what) + " '" + std::string(policy.name()) + "': ";
  }

  // The sampler

  void check_values() {
    constexpr std::size_t least_values = std::size_t{1} << 18;
    std::size_t const blocks = std::max<std::size_t>(least_values / per_block, 4096);
    std::vector<float> const z = values_of(sampler_, blocks, false);
    if (!is_same(z, values_of(S(sampler_), blocks, true)))
      return fault(named("sampler", sampler_) +
                   "expected the same values for the same random bits, found others: it reads or keeps something else, "
                   "such as a generator, a counter or the time");
    if (!std::all_of(z.begin(), z.end(), [](float value) { return is_finite(value); }))
      return fault(named("sampler", sampler_) + "expected finite values, found one that is not");
    if constexpr (requires(RandomBlock const& bits) { sampler_.value(bits, 0U); }) {
      for (unsigned i = 0; i < per_block; ++i)
        if (bits_of(sampler_.value(block(0), i)) != bits_of(z[i]))
          return fault(named("sampler", sampler_) + "expected value(block, " + std::to_string(i) + ") to be value " +
                       std::to_string(i) + " of the block, found another");
    }
    check_moments(z);
    check_correlation(z, blocks);
    check_same_noise();
  }

  [[nodiscard]] static RandomBlock block(std::uint64_t index) { return RandomSource{0, 0, 1}.block(index); }

  /// @param otherwise in another order, some blocks twice: a sampler that counts its calls gives other values
  [[nodiscard]] static std::vector<float> values_of(S const& sampler, std::size_t blocks, bool otherwise) {
    std::vector<float> z(blocks * per_block);
    for (std::size_t i = 0; i < blocks; ++i) {
      std::size_t const at = otherwise ? blocks - 1 - i : i;
      if (otherwise && std::popcount(at) % 2 == 1) (void)sampler(block(at));
      auto const values = sampler(block(at));
      for (unsigned v = 0; v < per_block; ++v) z[at * per_block + v] = values[v];
    }
    return z;
  }

  [[nodiscard]] static bool is_same(std::span<float const> a, std::span<float const> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
  }

  /// Limits are five standard errors: the bits are fixed, so that a sampler passes always or never.
  void check_moments(std::vector<float> const& z) {
    auto const n = static_cast<double>(z.size());
    for (double const value : z) findings_.mean += value / n;
    double fourth = 0;
    for (double const value : z) {
      double const square = (value - findings_.mean) * (value - findings_.mean);
      findings_.variance += square / n;
      fourth += square * square / n;
    }
    double const variance = findings_.variance;
    double const mean_limit = 5 * std::sqrt(variance / n) + 1e-4;
    double const variance_limit = 5 * std::sqrt(std::max(fourth - variance * variance, 0.0) / n) + 1e-3;
    if (std::abs(findings_.mean) > mean_limit)
      fault(named("sampler", sampler_) + "expected values of mean 0, found " + short_text(findings_.mean) + " over " +
            std::to_string(z.size()) + " values: subtract it, or every step moves all weights the same way");
    if (std::abs(variance - 1) > variance_limit)
      fault(named("sampler", sampler_) + "expected values of variance 1, found " + short_text(variance) + " over " +
            std::to_string(z.size()) + " values: " +
            (variance > 0 ? "multiply them by " + short_text(1 / std::sqrt(variance)) +
                                ", or estimates of the gradient are too large by the variance"
                          : "they are all the same"));
  }

  /// Values of one block must be uncorrelated, and of mean 0 each.
  void check_correlation(std::vector<float> const& z, std::size_t blocks) {
    std::size_t const count = std::min<std::size_t>(blocks, 4096);
    double const limit = 6 * std::max(findings_.variance, 1e-3) / std::sqrt(static_cast<double>(count));
    for (unsigned i = 0; i < per_block; ++i) {
      double mean = 0;
      std::array<double, per_block> products{};
      for (std::size_t b = 0; b < count; ++b) {
        float const* const values = &z[b * per_block];
        mean += values[i];
        for (unsigned j = 0; j < i; ++j) products[j] += static_cast<double>(values[i]) * static_cast<double>(values[j]);
      }
      double const n = static_cast<double>(count);
      if (std::abs(mean / n) > limit)
        return fault(named("sampler", sampler_) + "expected value " + std::to_string(i) +
                     " of a block to have mean 0, found " + short_text(mean / n));
      for (unsigned j = 0; j < i; ++j)
        if (std::abs(products[j] / n) > limit)
          return fault(named("sampler", sampler_) + "expected values of a block to be uncorrelated, found " +
                       short_text(products[j] / n / findings_.variance) + " for values " + std::to_string(j) + " and " +
                       std::to_string(i) + ": take other random bits for each value");
    }
  }

  /// z itself, as the perturbation of zeros.
  void check_same_noise() {
    std::vector<float> zeros(1000);
    ParameterSet one;
    one.add("zeros", Role::matrix, {1, zeros.size()}, zeros);
    NoiseField<S> const noise{sampler_, 1, 2};
    std::array const points{Point{.sample = 0, .sign = 1}, Point{.sample = 1, .sign = -1}};
    auto expand = [&](auto const& backend) {
      std::vector<float> z(points.size() * zeros.size());
      std::array<float*, points.size()> const panels{z.data(), z.data() + zeros.size()};
      backend.expand(one[0], everything, noise, points, 1, 0, zeros.size(), panels);
      return z;
    };
    std::vector<float> const expected = expand(ReferenceBackend{});
    for_each_backend([&](CpuBackend const& backend, std::string const& set) {
      std::vector<float> const found = expand(backend);
      if (!is_same(found, expected))
        fault(named("sampler", sampler_) + "expected the bits of ReferenceBackend from CpuBackend (" + set + "), " +
              first_difference(found, expected));
    });
  }

  // The mask

  void check_masks() {
    if (parameters_.empty()) return;
    ReferenceBackend const reference;
    auto state = prepare_mask(policy_, parameters_, WeightReader(reference));
    auto other = prepare_mask(policy_, parameters_, WeightReader(reference));
    Bits first;
    std::vector<std::uint64_t> most(parameters_.size());
    std::uint32_t idle = 0;
    bool changes = false;
    for (std::uint32_t step = 0; step < steps_; ++step) {
      begin_mask_step(state, parameters_, WeightReader(reference), step);
      Bits const bits = bits_at(state, step, CpuBackend{});
      std::uint64_t active = 0;
      for (std::size_t i = 0; i < bits.size(); ++i) {
        std::uint64_t const count = count_of(bits[i], parameters_[i]);
        active += count;
        most[i] = std::max(most[i], count);
        if (step == 0)
          findings_.active.push_back(static_cast<double>(count) / static_cast<double>(parameters_[i].size()));
      }
      if (active == 0) ++idle;
      if (step == 0) first = bits;
      changes = changes || bits != first;
      begin_mask_step(other, parameters_, WeightReader(reference), step);
      if (bits_at(other, step, CpuBackend{}) != bits)
        return fault(named("mask", policy_) +
                     "expected two states prepared from the same weights to select the same at "
                     "step " +
                     std::to_string(step) +
                     ", found others: prepare and begin_step may depend only on the "
                     "policy, the parameters and the step");
      begin_mask_step(state, parameters_, WeightReader(reference), step);
      if (bits_at(state, step, CpuBackend{}) != bits)
        return fault(named("mask", policy_) +
                     "expected begin_step to arrive at the same masks if it is called twice for "
                     "step " +
                     std::to_string(step) + ", found others: derive them from the step");
      if (step == 0) check_same_masks(state, bits);
    }
    say_what_is_idle(idle, most);
    if (changes && is_fixed_mask(state))
      fault(named("mask", policy_) +
            "expected the same masks at every step, as is_fixed() says, found others: let it return false");
    check_independence(state);
  }

  template <class State, class B>
  [[nodiscard]] Bits bits_at(State const& state, std::uint32_t step, B const& backend) const {
    Bits all;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      all.emplace_back(parameters_[i]);
      backend.mask_bits(parameters_[i], state.tensor(i, step), all.back().words());
    }
    return all;
  }

  [[nodiscard]] static std::uint64_t count_of(Bitmap const& bits, Parameter const& /*tensor*/) {
    std::uint64_t count = 0;
    for (std::uint64_t word : bits.words()) count += static_cast<std::uint64_t>(std::popcount(word));
    return count;
  }

  void say_what_is_idle(std::uint32_t idle, std::vector<std::uint64_t> const& most) {
    std::string const weights = std::to_string(parameters_.weights()) + " weights";
    if (idle == steps_)
      return fault(named("mask", policy_) + "expected active weights, found none of " + weights +
                   ": a step would evaluate its points and change nothing");
    if (idle != 0)
      fault(named("mask", policy_) + "expected active weights at every step, found none of " + weights + " at " +
            std::to_string(idle) + " of " + std::to_string(steps_) + " steps, which would change nothing");
    for (std::size_t i = 0; i < most.size(); ++i)
      if (most[i] == 0)
        note("parameter '" + parameters_[i].name + "': the mask selects none of its weights in " +
             std::to_string(steps_) + " steps");
  }

  template <class State>
  void check_same_masks(State const& state, Bits const& bits) {
    auto compare = [&](Bits const& found, std::string const& expected, std::string const& where) {
      for (std::size_t i = 0; i < bits.size(); ++i)
        if (found[i] != bits[i])
          return fault(named("mask", policy_) + "parameter '" + parameters_[i].name + "': expected the mask of " +
                       expected + " from " + where +
                       ", found another: its rule is not a pure function of (theta, element), or " +
                       "rounds otherwise once it is vector code");
    };
    compare(bits_at(state, 0, ReferenceBackend{}), "CpuBackend", "ReferenceBackend");
    for_each_backend([&](CpuBackend const& backend, std::string const& set) {
      compare(bits_at(state, 0, backend), "CpuBackend", "CpuBackend (" + set + ")");
    });
  }

  /// A rule that claims not to see the weights gets others to see.
  template <class State>
  void check_independence(State const& state) {
    if constexpr (!depends_on_weights<MaskRuleOf<State>>) {
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        auto const mask = state.tensor(i, steps_ - 1);
        Parameter const& p = parameters_[i];
        std::vector<float> const theta{0, 1, -1, 1e-6F, 1e6F};
        std::uint64_t const count = std::min<std::uint64_t>(p.size(), 4096);
        for (std::uint64_t e = p.offset; e < p.offset + count; ++e)
          for (float value : theta)
            if (mask(value, e) != mask(theta[0], e))
              return fault(named("mask", policy_) + "expected a rule that ignores the weights, as its " +
                           "depends_on_weights = false says, found that it selects element " + std::to_string(e) +
                           " of '" + p.name + "' by its value: remove the line, or in place a step would select by " +
                           "perturbed weights");
      }
    }
  }

  // The update

  void check_update() {
    update_.check();
    std::array<double, 2> const g{0.5, -2.0};
    std::array<float, 2> c{std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::quiet_NaN()};
    std::array<float, 2> again = c;
    direction_coefficients(update_, g, 1e-2, c);
    direction_coefficients(update_, g, 1e-2, again);
    if (!is_finite(c[0]) || !is_finite(c[1]))
      return fault(named("update", update_) +
                   "expected a finite coefficient for each of 2 projected gradients, 0.5 and "
                   "-2, found " +
                   number_text(c[0]) + " and " + number_text(c[1]));
    if (!is_same(c, again))
      return fault(
          named("update", update_) +
          "expected the same coefficients from the same projected gradients, found others: it keeps something");
    check_same_updates(c);
  }

  void check_same_updates(std::array<float, 2> const& c) {
    std::array const terms{NoiseTerm{3, 0, c[0]}, NoiseTerm{3, 1, c[1]}};
    NoiseField<Gaussian> const noise{{}, 1, 3};
    std::array<float, 777> start;
    for (std::size_t i = 0; i < start.size(); ++i) start[i] = noise.value(7, 0, i);
    auto apply = [&](auto const& backend) {
      std::vector<float> result(start.begin(), start.end());
      ParameterSet one;
      one.add(Parameter{"weights", Role::matrix, {1, start.size()}, DataType::f32, result.data(), 1, 77});
      ElementwisePass const pass{.decay = static_cast<float>(update_.decay(1e-2)), .terms = terms};
      if constexpr (ElementwiseUpdate<U>) {
        std::vector<float> state(U::state_floats * start.size());
        for (std::uint64_t updates = 1; updates <= 3; ++updates)
          backend.apply_rule(one[0], nullptr, everything, noise, pass, update_.rule(1e-2F, updates), state.data());
        result.insert(result.end(), state.begin(), state.end());
      } else {
        backend.apply(one[0], nullptr, everything, noise, pass);
      }
      return result;
    };
    std::vector<float> const expected = apply(ReferenceBackend{});
    for_each_backend([&](CpuBackend const& backend, std::string const& set) {
      std::vector<float> const found = apply(backend);
      if (!is_same(found, expected))
        fault(named("update", update_) + "expected the bits of ReferenceBackend from CpuBackend (" + set + "), " +
              first_difference(found, expected));
    });
  }

  // For all of them

  static constexpr TensorMask<Dense::Rule> everything{Coverage::all, {}};

  template <class Body>
  static void for_each_backend(Body const& body) {
    for (InstructionSet set : every_instruction_set)
      if (is_supported(set)) body(CpuBackend({}, set), std::string(to_string(set)));
  }

  [[nodiscard]] static std::string first_difference(std::vector<float> const& found,
                                                    std::vector<float> const& expected) {
    std::size_t i = 0;
    while (bits_of(found[i]) == bits_of(expected[i])) ++i;
    return "found " + number_text(found[i]) + " instead of " + number_text(expected[i]) +
           ": write each multiply-add as std::fma, and call no function such as std::exp, whose last bit differs by "
           "machine";
  }

  /// Four significant digits.
  [[nodiscard]] static std::string short_text(double value) {
    double const scale = value == 0 ? 1 : std::pow(10, 3 - std::floor(std::log10(std::abs(value))));
    return number_text(std::round(value * scale) / scale);
  }

  ParameterSet const& parameters_;
  S const& sampler_;
  M const& policy_;
  U const& update_;
  std::uint32_t steps_;
  PolicyFindings findings_;
};

}  // namespace detail

/// Finds out whether policies of one's own keep what their concepts promise beyond what a compiler sees, and says what
/// is wrong in sentences. To be called once, in a test or before the first step; changes nothing.
///
/// It measures mean, variance and correlation of the sampler's values and the share of weights that the mask selects.
/// It looks for samplers, masks and updates that are no pure functions, masks that select nothing, that say that they
/// are fixed or independent of the weights and are not, and code whose bits on CpuBackend, with each instruction set of
/// the machine, are not those of ReferenceBackend.
/// @param parameters in memory of the host
/// @param steps how many steps of the mask are looked at, from 0 on; at least 1
/// @throws what the policy's `prepare` or the update's `check` throws
template <Sampler S, MaskPolicy M, class U = Sgd>
requires(Update<U> || ElementwiseUpdate<U>) [[nodiscard]] PolicyFindings
    check_policies(ParameterSet const& parameters, S const& sampler, M const& mask, U const& update = {},
                   std::uint32_t steps = 4) {
  return detail::PolicyChecker<S, M, U>(parameters, sampler, mask, update, std::max<std::uint32_t>(steps, 1)).run();
}

}  // namespace zeroth::ZEROTH_ISA

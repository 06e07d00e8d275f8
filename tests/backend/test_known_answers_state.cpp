// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <zeroth/update/adam.hpp>
#include <zeroth/update/momentum.hpp>

#include "known_answers.hpp"
#include "support.hpp"

namespace {

using zeroth::NoiseTerm;
using zeroth_test::KnownAnswer;

constexpr unsigned updates = 3;

/// One case of the file, and the lines of its weights.
struct Course {
  std::string text;
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint32_t stream = 0;
  float step_size = 0;
  std::uint64_t offset = 0;
  zeroth::TensorMask<zeroth::MagnitudeRule<true>> mask{zeroth::Coverage::some, {0}};
  zeroth::ElementwisePass pass;
  std::vector<NoiseTerm> terms;
  std::vector<float> start;
  std::vector<std::uint32_t> weights[updates];             ///< after each update
  std::vector<std::vector<std::uint32_t>> state[updates];  ///< the same; one list per value of a weight
};

template <class S, class Update>
void check_course(Course const& course, S const& sampler, Update const& update) {
  auto check = [&](auto const& backend, std::string const& name) {
    INFO(name << ": " << course.text);
    std::vector<float> weights = course.start;
    std::vector<float> state(weights.size() * Update::state_floats);
    zeroth::Parameter const tensor{
        "w",           zeroth::Role::matrix, {1, weights.size()}, zeroth::DataType::f32, weights.data(),
        course.stream, course.offset};
    for (unsigned k = 0; k < updates; ++k) {
      zeroth::NoiseField<S> const noise{sampler, course.seed, course.step + k};
      std::vector<NoiseTerm> terms = course.terms;
      for (NoiseTerm& term : terms) term.step = noise.step;
      zeroth::ElementwisePass pass = course.pass;
      pass.terms = terms;
      backend.apply_rule(tensor, nullptr, course.mask, noise, pass, update.rule(course.step_size, k + 1), state.data());
      CHECK(zeroth_test::bits(weights) == course.weights[k]);
      std::vector<std::uint32_t> expected;
      for (auto const& values : course.state[k]) expected.insert(expected.end(), values.begin(), values.end());
      CHECK(zeroth_test::bits(state) == expected);
    }
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

template <class S>
void check_update(Course const& course, S const& sampler, std::string const& update) {
  if (update == "momentum")
    check_course(course, sampler, zeroth::Momentum{});
  else if (update == "adam")
    check_course(course, sampler, zeroth::Adam{});
  else if (update == "adamm")
    check_course(course, sampler, zeroth::AdaMm{});
  else
    throw std::runtime_error("no update is named " + update);
}

std::size_t floats_of(std::string const& update) {
  return update == "momentum" ? 1 : update == "adam" ? 2 : 3;
}

TEST_CASE("every backend gives updates with state the known bits") {
  std::vector<KnownAnswer> lines = zeroth_test::known_answers("state.txt");
  int cases = 0;
  for (std::size_t line = 0; line < lines.size(); ++cases) {
    KnownAnswer& header = lines[line++];
    REQUIRE(header.word() == "case");
    Course course;
    course.text = header.text();
    std::string const sampler(header.word());
    course.seed = header.hex<std::uint64_t>();
    course.step = header.hex<std::uint32_t>();
    course.stream = header.hex<std::uint32_t>();
    std::string const update(header.word());
    course.step_size = header.float_bits();
    course.offset = header.hex<std::uint64_t>();
    auto const count = header.hex<std::uint64_t>();
    course.mask.rule = {header.hex<std::uint32_t>()};
    course.pass.decay = header.float_bits();
    std::vector<NoiseTerm> terms(header.hex<std::size_t>());
    for (NoiseTerm& term : terms) {
      term.sample = header.hex<std::uint32_t>();
      term.coefficient = header.float_bits();
    }
    course.terms = std::move(terms);
    for (std::uint64_t i = 0; i < count; ++i, ++line) {
      course.start.push_back(lines.at(line).float_bits());
      for (unsigned k = 0; k < updates; ++k) {
        course.weights[k].push_back(lines[line].hex<std::uint32_t>());
        course.state[k].resize(floats_of(update));
        for (auto& values : course.state[k]) values.push_back(lines[line].hex<std::uint32_t>());
      }
    }
    if (sampler == "gaussian")
      check_update(course, zeroth::Gaussian{}, update);
    else if (sampler == "uniform")
      check_update(course, zeroth::Uniform{}, update);
    else
      check_update(course, zeroth::Rademacher{}, update);
  }
  CHECK(cases == 6);
}

}  // namespace

// SPDX-License-Identifier: MIT
#include <cstdint>
#include <string>
#include <vector>

#include "known_answers.hpp"
#include "support.hpp"

namespace {

using zeroth::NoiseTerm;
using zeroth::Point;
using zeroth_test::KnownAnswer;

/// Calls body(sampler) with the sampler of this name.
template <class Body>
void with_sampler(std::string const& name, Body&& body) {
  if (name == "gaussian") return body(zeroth::Gaussian{});
  if (name == "uniform") return body(zeroth::Uniform{});
  if (name == "rademacher") return body(zeroth::Rademacher{});
  FAIL("no sampler is named " << name);
}

/// Weights before and after, and the parameters of a case in both files.
struct Case {
  std::string sampler;
  std::uint64_t seed;
  std::uint32_t step;
  std::uint32_t stream;
  std::uint64_t offset;
  std::uint64_t count;
  zeroth::TensorMask<zeroth::MagnitudeRule<true>> mask;
  std::vector<float> theta{};
  std::vector<std::uint32_t> expected{};

  explicit Case(KnownAnswer& line)
      : sampler(line.word()),
        seed(line.hex<std::uint64_t>()),
        step(line.hex<std::uint32_t>()),
        stream(line.hex<std::uint32_t>()),
        offset(line.hex<std::uint64_t>()),
        count(line.hex<std::uint64_t>()),
        mask{zeroth::Coverage::some, {line.hex<std::uint32_t>()}} {}

  void read_weights(std::vector<KnownAnswer>& lines, std::size_t& at) {
    for (std::uint64_t i = 0; i < count; ++i, ++at) {
      theta.push_back(lines.at(at).float_bits());
      expected.push_back(lines.at(at).hex<std::uint32_t>());
    }
  }
  [[nodiscard]] zeroth::Parameter parameter(std::vector<float>& weights) const {
    return {"w", zeroth::Role::matrix, {1, count}, zeroth::DataType::f32, weights.data(), stream, offset};
  }
};

/// Includes the reference backend: here it is under test.
template <class Body>
void for_each_backend_and_reference(Body const& body) {
  body(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(body);
}

TEST_CASE("every backend perturbs to the known bits") {
  std::vector<KnownAnswer> lines = zeroth_test::known_answers("perturbation.txt");
  int cases = 0;
  for (std::size_t at = 0; at < lines.size(); ++cases) {
    KnownAnswer& header = lines[at++];
    REQUIRE(header.word() == "case");
    Case known(header);
    float const epsilon = header.float_bits();
    auto const sample = header.hex<std::uint32_t>();
    Point const lane{sample, header.decimal()};
    known.read_weights(lines, at);
    with_sampler(known.sampler, [&](auto sampler) {
      zeroth::NoiseField<decltype(sampler)> const noise{sampler, known.seed, known.step};
      for_each_backend_and_reference([&](auto const& backend, std::string const& name) {
        INFO(name << ": " << header.text());
        std::vector<float> panel(known.count);
        float* const pointer = panel.data();
        backend.expand(known.parameter(known.theta), known.mask, noise, std::span(&lane, 1), epsilon, 0, known.count,
                       std::span(&pointer, 1));
        CHECK(zeroth_test::bits(panel) == known.expected);
      });
    });
  }
  CHECK(cases == 12);
}

TEST_CASE("every backend updates to the known bits") {
  std::vector<KnownAnswer> lines = zeroth_test::known_answers("update.txt");
  int cases = 0;
  for (std::size_t at = 0; at < lines.size(); ++cases) {
    KnownAnswer& header = lines[at++];
    REQUIRE(header.word() == "case");
    Case known(header);
    zeroth::ElementwisePass pass;
    pass.decay = header.float_bits();
    bool const takes_sign = header.hex<unsigned>() != 0;
    zeroth::SignRule const sign{header.float_bits()};
    auto read_terms = [&] {
      std::vector<NoiseTerm> terms(header.hex<std::size_t>());
      for (NoiseTerm& term : terms) {
        term.step = known.step;
        term.sample = header.hex<std::uint32_t>();
        term.coefficient = header.float_bits();
      }
      return terms;
    };
    std::vector<NoiseTerm> const restore = read_terms();
    std::vector<NoiseTerm> const terms = read_terms();
    pass.restore = restore;
    pass.terms = terms;
    known.read_weights(lines, at);
    with_sampler(known.sampler, [&](auto sampler) {
      zeroth::NoiseField<decltype(sampler)> const noise{sampler, known.seed, known.step};
      for_each_backend_and_reference([&](auto const& backend, std::string const& name) {
        INFO(name << ": " << header.text());
        std::vector<float> weights = known.theta;
        if (takes_sign)
          backend.apply_rule(known.parameter(weights), nullptr, known.mask, noise, pass, sign, nullptr);
        else
          backend.apply(known.parameter(weights), nullptr, known.mask, noise, pass);
        CHECK(zeroth_test::bits(weights) == known.expected);
      });
    });
  }
  CHECK(cases == 16);
}

TEST_CASE("every backend draws random masks with the known bits") {
  int cases = 0;
  std::vector<float> tile(zeroth::tile_size);
  for (KnownAnswer line : zeroth_test::known_answers("mask.txt")) {
    auto const seed = line.hex<std::uint64_t>();
    auto const stream = line.hex<std::uint32_t>();
    auto const draw = line.hex<std::uint32_t>();
    auto const limit = line.hex<std::uint32_t>();
    std::uint64_t const offset = line.hex<std::uint64_t>() * zeroth::tile_size;
    std::vector<std::uint64_t> const expected = {line.hex<std::uint64_t>(), line.hex<std::uint64_t>()};
    zeroth::TensorMask<zeroth::RandomRule> const mask{zeroth::Coverage::some,
                                                      {{seed, draw, stream, 0, zeroth::Purpose::mask}, limit}};
    zeroth::Parameter const parameter{
        "w", zeroth::Role::matrix, {1, tile.size()}, zeroth::DataType::f32, tile.data(), stream, offset};
    for_each_backend_and_reference([&](auto const& backend, std::string const& name) {
      INFO(name << ": " << line.text());
      std::vector<std::uint64_t> words(2);
      backend.mask_bits(parameter, mask, words);
      CHECK(words == expected);
    });
    ++cases;
  }
  CHECK(cases == 20);
}

}  // namespace

// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <zeroth/storage/rounding.hpp>

#include "known_answers.hpp"
#include "support.hpp"

namespace {

using zeroth::DataType;
using zeroth::NoiseTerm;
using zeroth::Rounding;
using zeroth_test::KnownAnswer;

DataType dtype_of(std::string_view name) {
  for (DataType dtype : zeroth_test::every_dtype)
    if (to_string(dtype) == name) return dtype;
  throw std::runtime_error("no type is named " + std::string(name));
}

Rounding rounding_of(std::string_view name) {
  for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte})
    if (to_string(rounding) == name) return rounding;
  throw std::runtime_error("no rounding is named " + std::string(name));
}

TEST_CASE("weights of 16 bits widen to the known floats") {
  int count = 0;
  for (KnownAnswer line : zeroth_test::known_answers("widen.txt")) {
    DataType const dtype = dtype_of(line.word());
    auto const stored = line.hex<std::uint16_t>();
    auto const expected = line.hex<std::uint32_t>();
    INFO(line.text());
    CHECK(zeroth::bits_of(widen(dtype, stored)) == expected);
    zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
      INFO(name);
      std::vector<std::uint16_t> memory(2, stored);
      float found = 0;
      backend.read({"w", zeroth::Role::matrix, {1, 2}, dtype, memory.data(), 0, 0}, 1, std::span(&found, 1));
      CHECK(zeroth::bits_of(found) == expected);
    });
    ++count;
  }
  CHECK(count > 3000);
}

TEST_CASE("floats round to the known weights of 16 bits") {
  int count = 0;
  for (KnownAnswer line : zeroth_test::known_answers("narrow.txt")) {
    DataType const dtype = dtype_of(line.word());
    float const value = line.float_bits();
    auto const nearest = line.hex<std::uint16_t>();
    auto const random = line.hex<std::uint32_t>();
    auto const drawn = line.hex<std::uint16_t>();
    auto const upper = line.hex<std::uint16_t>();
    auto const lower = static_cast<std::int8_t>(line.decimal());
    auto const extended = line.hex<std::uint32_t>();
    auto const error = line.hex<std::uint16_t>();
    INFO(line.text());
    CHECK(narrow(dtype, value) == nearest);
    CHECK(narrow_stochastic(dtype, value, random) == drawn);
    CHECK((extend(dtype, value) == zeroth::ExtendedWeight{upper, lower}));
    CHECK(zeroth::bits_of(to_float(dtype, zeroth::ExtendedWeight{upper, lower})) == extended);
    CHECK(rounding_error(dtype, value, nearest) == error);
    for (zeroth::InstructionSet set : zeroth::every_instruction_set) {
      if (!zeroth::is_supported(set)) continue;
      std::vector<std::uint16_t> found(2);
      zeroth::narrow_values(dtype, std::vector<float>(2, value), found.data(), set);
      CHECK(found == std::vector<std::uint16_t>(2, nearest));
    }
    ++count;
  }
  CHECK(count > 1500);
}

/// Weights before, and weights and their remainders after each step.
struct Course {
  std::vector<std::uint16_t> start;
  std::vector<std::uint16_t> weights[3];
  std::vector<std::uint16_t> remainders[3];
};

/// The remainders, one number each.
std::vector<std::uint16_t> numbers(std::vector<std::byte> const& memory, Rounding rounding, std::size_t count) {
  std::size_t const size = zeroth::remainder_bytes(rounding);
  std::vector<std::uint16_t> result(count);
  for (std::size_t i = 0; i < count && size != 0; ++i) std::memcpy(&result[i], memory.data() + i * size, size);
  return result;
}

template <class S>
void check_course(KnownAnswer const& header, S const& sampler, zeroth::NoiseField<S> noise, std::uint32_t stream,
                  DataType dtype, std::uint64_t offset, zeroth::TensorMask<zeroth::MagnitudeRule<true>> const& mask,
                  zeroth::ElementwisePass pass, std::vector<NoiseTerm> terms, zeroth::SignRule const* sign,
                  Course const& course) {
  noise.sampler = sampler;
  std::size_t const count = course.start.size();
  auto check = [&](auto const& backend, std::string const& name) {
    INFO(name << ": " << header.text());
    std::vector<std::uint16_t> weights = course.start;
    std::vector<std::byte> remainders(count * zeroth::remainder_bytes(pass.rounding));
    zeroth::Parameter const tensor{"w", zeroth::Role::matrix, {1, count}, dtype, weights.data(), stream, offset};
    pass.remainders.data = remainders.empty() ? nullptr : remainders.data();
    zeroth::NoiseField<S> at = noise;
    for (unsigned step = 0; step < 3; ++step, ++at.step) {
      for (NoiseTerm& term : terms) term.step = at.step;
      pass.terms = terms;
      if (sign != nullptr)
        backend.apply_rule(tensor, nullptr, mask, at, pass, *sign, nullptr);
      else
        backend.apply(tensor, nullptr, mask, at, pass);
      CHECK(weights == course.weights[step]);
      CHECK(numbers(remainders, pass.rounding, count) == course.remainders[step]);
    }
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

TEST_CASE("every backend updates weights of 16 bits to the known bits in every way of rounding") {
  std::vector<KnownAnswer> lines = zeroth_test::known_answers("rounding.txt");
  int cases = 0;
  for (std::size_t line = 0; line < lines.size(); ++cases) {
    KnownAnswer& header = lines[line++];
    REQUIRE(header.word() == "case");
    std::string const sampler(header.word());
    auto const seed = header.hex<std::uint64_t>();
    auto const step = header.hex<std::uint32_t>();
    auto const stream = header.hex<std::uint32_t>();
    DataType const dtype = dtype_of(header.word());
    zeroth::ElementwisePass pass;
    pass.rounding = rounding_of(header.word());
    auto const offset = header.hex<std::uint64_t>();
    auto const count = header.hex<std::uint64_t>();
    zeroth::TensorMask<zeroth::MagnitudeRule<true>> const mask{zeroth::Coverage::some, {header.hex<std::uint32_t>()}};
    pass.decay = header.float_bits();
    bool const takes_sign = header.hex<unsigned>() != 0;
    zeroth::SignRule const sign{header.float_bits()};
    std::vector<NoiseTerm> terms(header.hex<std::size_t>());
    for (NoiseTerm& term : terms) {
      term.sample = header.hex<std::uint32_t>();
      term.coefficient = header.float_bits();
    }
    Course course;
    for (std::uint64_t i = 0; i < count; ++i, ++line) {
      course.start.push_back(lines.at(line).hex<std::uint16_t>());
      for (unsigned s = 0; s < 3; ++s) {
        course.weights[s].push_back(lines[line].hex<std::uint16_t>());
        course.remainders[s].push_back(lines[line].hex<std::uint16_t>());
      }
    }
    auto run = [&](auto const& value) {
      zeroth::NoiseField<std::remove_cvref_t<decltype(value)>> const noise{value, seed, step};
      check_course(header, value, noise, stream, dtype, offset, mask, pass, terms, takes_sign ? &sign : nullptr,
                   course);
    };
    if (sampler == "gaussian")
      run(zeroth::Gaussian{});
    else if (sampler == "uniform")
      run(zeroth::Uniform{});
    else
      run(zeroth::Rademacher{});
  }
  CHECK(cases == 8);
}

}  // namespace

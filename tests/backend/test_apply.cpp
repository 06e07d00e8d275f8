// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "support.hpp"

namespace {

using zeroth::ElementwisePass;
using zeroth::NoiseTerm;
using zeroth_test::Extent;
using zeroth_test::Slice;

std::vector<NoiseTerm> const restore = {{20000, 0, 1e-3F}};
std::vector<NoiseTerm> const one = {{20000, 0, -3e-4F}};
std::vector<NoiseTerm> const four = {{20000, 0, -3e-4F}, {20000, 7, 2e-4F}, {20000, 4095, 5e-3F}, {19999, 4095, 1e-3F}};

std::vector<ElementwisePass> passes() {
  return {
      {}, {.restore = restore}, {.terms = one}, {.decay = 0.01F}, {.restore = restore, .decay = 0.01F, .terms = four}};
}

constexpr zeroth::Rounding every_rounding[] = {zeroth::Rounding::nearest, zeroth::Rounding::stochastic,
                                               zeroth::Rounding::compensated, zeroth::Rounding::extra_byte};

/// The result of a pass: the tensor's memory, its remainders, and the number of active weights.
struct Applied {
  std::vector<std::byte> memory;
  std::vector<std::byte> remainders;
  std::uint64_t active;
  bool operator==(Applied const&) const = default;
};

/// `source`, if not null, replaces the weights.
template <class B, class State, class S>
Applied applied(B const& backend, Slice slice, void const* source, State const& state,
                zeroth::NoiseField<S> const& noise, ElementwisePass pass) {
  // Possible results of an earlier pass: small errors, any bytes.
  std::vector<std::byte> remainders(slice.parameter.size() * zeroth::remainder_bytes(pass.rounding));
  for (std::size_t i = 0; i < remainders.size(); ++i)
    remainders[i] = static_cast<std::byte>(i % 2 == 0 ? i * 37 : 0xb7 + i % 4);
  pass.remainders.data = remainders.empty() ? nullptr : remainders.data();
  std::uint64_t const active = backend.apply(slice.parameter, source, state.tensor(0, 0), noise, pass);
  return {slice.memory(), std::move(remainders), active};
}

TEST_CASE("apply gives the reference's bits where only some weights have a place for their remainders") {
  for (Extent const& extent : zeroth_test::extents()) {
    for (zeroth::DataType dtype : {zeroth::DataType::bf16, zeroth::DataType::f16}) {
      Slice const slice(extent.size, extent.offset, dtype);
      std::vector<std::uint64_t> const words = zeroth_test::words_of_places(slice.parameter);
      zeroth::PlaceIndex const index(words);
      auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.25}, slice.parameter);
      zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 99, 20000};
      for (zeroth::Rounding rounding : {zeroth::Rounding::compensated, zeroth::Rounding::extra_byte}) {
        auto run = [&](auto const& backend) {
          Slice copy = slice;
          std::vector<std::byte> remainders(extent.size * 2, std::byte{0x2b});
          ElementwisePass const pass{
              .terms = one,
              .rounding = rounding,
              .remainders = {remainders.data(), words.data(), index.group_place.data(), index.first_place.data()}};
          backend.apply(copy.parameter, nullptr, state.tensor(0, 0), noise, pass);
          backend.apply(copy.parameter, nullptr, state.tensor(0, 0), noise, pass);
          return std::pair{copy.memory(), remainders};
        };
        auto const expected = run(zeroth::ReferenceBackend{});
        zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
          INFO(name << ", " << extent.size << " elements at " << extent.offset << ", " << to_string(dtype));
          CHECK((run(backend) == expected));
        });
      }
    }
  }
}

/// f32 weights are not rounded: one way of rounding stands for all.
bool is_tried(zeroth::DataType dtype, zeroth::Rounding rounding) {
  return dtype != zeroth::DataType::f32 || rounding == zeroth::Rounding::nearest;
}

template <class State, class S>
void check_apply(Slice const& slice, State const& state, S const& sampler) {
  zeroth::NoiseField<S> const noise{sampler, 99, 20000};
  zeroth::Parameter const& p = slice.parameter;
  Slice const other(p.size(), p.offset, p.dtype, 5);
  for (zeroth::Rounding rounding : every_rounding) {
    if (!is_tried(p.dtype, rounding)) continue;
    for (ElementwisePass pass : passes()) {
      pass.rounding = rounding;
      for (void const* source : {static_cast<void const*>(nullptr), static_cast<void const*>(other.parameter.data)}) {
        auto const expected = applied(zeroth::ReferenceBackend{}, slice, source, state, noise, pass);
        zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
          INFO(name << ", " << p.size() << " elements at " << p.offset << ", " << to_string(p.dtype) << ", "
                    << to_string(rounding));
          CHECK((applied(backend, slice, source, state, noise, pass) == expected));
        });
      }
    }
  }
}

TEST_CASE("apply gives the reference's bits with every sampler") {
  for (Extent const& extent : zeroth_test::extents()) {
    for (zeroth::DataType dtype : zeroth_test::every_dtype) {
      Slice const slice(extent.size, extent.offset, dtype);
      auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.25}, slice.parameter);
      zeroth_test::for_each_sampler([&](auto const& sampler) { check_apply(slice, state, sampler); });
    }
  }
}

TEST_CASE("apply gives the reference's bits with every mask") {
  for (Extent const& extent : {Extent{256, 0}, Extent{517, 333}}) {
    for (zeroth::DataType dtype : zeroth_test::every_dtype) {
      Slice const slice(extent.size, extent.offset, dtype);
      zeroth_test::for_each_mask(slice.parameter, [&](auto const& state, char const* name) {
        INFO(name);
        check_apply(slice, state, zeroth::Gaussian{});
      });
    }
  }
}

TEST_CASE("apply gives the reference's bits however the executor shares the work") {
  for (zeroth::DataType dtype : zeroth_test::every_dtype) {
    for (zeroth::Rounding rounding : every_rounding) {
      if (!is_tried(dtype, rounding)) continue;
      Slice const slice(zeroth_test::several_chunks.size, zeroth_test::several_chunks.offset, dtype);
      zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 99, 20000};
      auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{}, slice.parameter);
      ElementwisePass pass = passes()[4];
      pass.rounding = rounding;
      auto const expected = applied(zeroth::ReferenceBackend{}, slice, nullptr, state, noise, pass);
      CHECK(expected.active > slice.parameter.size() / 4);
      zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
        INFO(name << ", " << to_string(dtype) << ", " << to_string(rounding));
        CHECK((applied(backend, slice, nullptr, state, noise, pass) == expected));
      });
    }
  }
}

#if !defined(__CUDACC__)
TEST_CASE("the weights that a GPU is tested on make no NaN, whatever the pass") {
  for (zeroth::DataType dtype : zeroth_test::every_dtype) {
    Slice const slice(517, 333, dtype, 17, zeroth_test::Specials::without_nans);
    Slice const other(517, 333, dtype, 5, zeroth_test::Specials::without_nans);
    zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 99, 20000};
    CHECK_FALSE(zeroth_test::has_nan(slice.memory(), dtype));
    zeroth_test::for_each_mask(slice.parameter, [&](auto const& state, char const* name) {
      for (zeroth::Rounding rounding : every_rounding) {
        INFO(name << ", " << to_string(dtype) << ", " << to_string(rounding));
        for (ElementwisePass pass : passes()) {
          pass.rounding = rounding;
          for (void const* source : {static_cast<void const*>(nullptr), static_cast<void const*>(other.parameter.data)})
            CHECK_FALSE(zeroth_test::has_nan(
                applied(zeroth::ReferenceBackend{}, slice, source, state, noise, pass).memory, dtype));
        }
      }
    });
  }
  // Shows that the test would notice.
  Slice const with_nans(517, 333, zeroth::DataType::bf16, 17, zeroth_test::Specials::all);
  CHECK(zeroth_test::has_nan(with_nans.memory(), zeroth::DataType::bf16));
}
#endif

TEST_CASE("apply does what the pass says, in its order") {
  float weight = 2;
  zeroth::Parameter const tensor{"w", zeroth::Role::matrix, {1, 1}, zeroth::DataType::f32, &weight, 0, 0};
  zeroth::NoiseField<zeroth::Rademacher> const noise{{}, 1, 0};
  zeroth::TensorMask<zeroth::Dense::Rule> const dense{zeroth::Coverage::all, {}};
  float const z0 = noise.value(0, 0, 0);
  float const z1 = noise.value(0, 1, 0);
  std::vector<NoiseTerm> const back = {{0, 0, 0.5F}};
  std::vector<NoiseTerm> const terms = {{0, 0, 0.25F}, {0, 1, 2.0F}};
  auto check = [&](auto const& backend, std::string const& name) {
    INFO(name);
    weight = 2;
    CHECK(backend.apply(tensor, nullptr, dense, noise, {back, 0.125F, terms}) == 1);
    CHECK(weight == (2 + 0.5F * z0) * (1 - 0.125F) + 0.25F * z0 + 2 * z1);
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

TEST_CASE("apply leaves the bits of inactive weights, and their remainders") {
  for (zeroth::DataType dtype : zeroth_test::every_dtype) {
    Slice const slice(300, 64, dtype);
    auto const state = zeroth_test::mask_of(zeroth::StoredMask{}, slice.parameter);
    auto const none =
        zeroth_test::mask_of(zeroth_test::ThirdsBelow{-std::numeric_limits<float>::infinity()}, slice.parameter);
    zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 1, 0};
    for (zeroth::Rounding rounding : every_rounding) {
      auto check = [&](auto const& backend, std::string const& name) {
        INFO(name << ", " << to_string(dtype) << ", " << to_string(rounding));
        auto const before = applied(zeroth::ReferenceBackend{}, slice, nullptr, state, noise, {.rounding = rounding});
        for (ElementwisePass pass : passes()) {
          pass.rounding = rounding;
          CHECK((applied(backend, slice, nullptr, none, noise, pass) == before));
        }
      };
      check(zeroth::ReferenceBackend{}, "reference");
      zeroth_test::for_each_backend(check);
    }
  }
}

TEST_CASE("a pass that does nothing leaves weights of 16 bits as they are, in every way of rounding") {
  for (zeroth::DataType dtype : {zeroth::DataType::bf16, zeroth::DataType::f16}) {
    Slice const slice(300, 64, dtype);
    auto const dense = zeroth_test::mask_of(zeroth::Dense{}, slice.parameter);
    zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 1, 0};
    for (zeroth::Rounding rounding : every_rounding) {
      auto check = [&](auto const& backend, std::string const& name) {
        INFO(name << ", " << to_string(dtype) << ", " << to_string(rounding));
        Slice copy = slice;
        std::vector<std::byte> remainders(600, std::byte{0});
        backend.apply(copy.parameter, nullptr, dense.tensor(0, 0), noise,
                      {.rounding = rounding, .remainders = {.data = remainders.data()}});
        CHECK(copy.memory() == slice.memory());
        CHECK(remainders == std::vector<std::byte>(600, std::byte{0}));
      };
      check(zeroth::ReferenceBackend{}, "reference");
      zeroth_test::for_each_backend(check);
    }
  }
}

}  // namespace

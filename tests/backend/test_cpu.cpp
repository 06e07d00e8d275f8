// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using zeroth::CpuBackend;
using zeroth::InstructionSet;

void check_is_compared(InstructionSet set) {
  bool compared = false;
  zeroth_test::for_each_backend([&](auto const& backend, std::string const&) {
    if constexpr (requires { backend.instruction_set(); }) compared = compared || backend.instruction_set() == set;
  });
  CHECK(compared);
}

// One test per instruction set, so that a machine without it reports a skipped test.
TEST_CASE("the portable code is compared with the reference") {
  check_is_compared(InstructionSet::portable);
}

TEST_CASE("the AVX2 code is compared with the reference") {
  if (!zeroth::is_supported(InstructionSet::avx2)) ZEROTH_SKIP("this machine has no AVX2 and FMA");
  check_is_compared(InstructionSet::avx2);
}

TEST_CASE("the AVX-512 code is compared with the reference") {
  if (!zeroth::is_supported(InstructionSet::avx512)) ZEROTH_SKIP("this machine has no AVX-512 F, BW, DQ and VL");
  check_is_compared(InstructionSet::avx512);
}

TEST_CASE("the NEON code is compared with the reference") {
  if (!zeroth::is_supported(InstructionSet::neon)) ZEROTH_SKIP("this is no AArch64");
  check_is_compared(InstructionSet::neon);
}

TEST_CASE("the CPU backend runs the best supported code, and rejects what the machine does not support") {
  CHECK(zeroth::is_supported(zeroth::best_instruction_set()));
  CHECK(CpuBackend{}.instruction_set() == zeroth::best_instruction_set());
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (zeroth::is_supported(set))
      CHECK(CpuBackend({}, set).instruction_set() == set);
    else
      CHECK_THROWS_WITH(CpuBackend({}, set), zeroth_test::contains_text(std::string(zeroth::to_string(set))));
  }
}

TEST_CASE("backends are Backends, take every type and copy weights out") {
  STATIC_REQUIRE(zeroth::Backend<CpuBackend>);
  STATIC_REQUIRE(zeroth::Backend<zeroth::EigenBackend>);
  STATIC_REQUIRE(zeroth::Backend<zeroth::ReferenceBackend>);
  zeroth_test::Tensors tensors;
  tensors.add("w", {1.0F, 2.0F, 3.0F, 4.0F});
  auto check = [&](auto const& backend, std::string const& name) {
    INFO(name);
    std::vector<float> out(2);
    backend.read(tensors.parameters[0], 1, out);
    CHECK(out == std::vector<float>{2.0F, 3.0F});
    for (zeroth::DataType dtype : zeroth_test::every_dtype) {
      CHECK(backend.supports(dtype));
      zeroth_test::Slice const slice(517, 333, dtype);
      zeroth::Parameter const& p = slice.parameter;
      std::vector<float> expected(400);
      zeroth::ReferenceBackend{}.read(p, 13, expected);
      std::vector<float> read(400);
      backend.read(p, 13, read);
      CHECK(zeroth_test::bits(read) == zeroth_test::bits(expected));
      std::vector<std::byte> copied(p.bytes());
      backend.copy(p, copied);
      CHECK(std::equal(copied.begin(), copied.end(), static_cast<std::byte const*>(p.data)));
    }
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

TEST_CASE("a part of a tile knows its bits") {
  for (unsigned begin = 0; begin < 128; ++begin)
    for (unsigned size = 1; begin + size <= 128; ++size) {
      zeroth::TileMask const bits = zeroth::detail::TilePart{0, 0, begin, size}.bits();
      for (unsigned e = 0; e < 128; ++e)
        if (bits.test(e) != (e >= begin && e < begin + size)) FAIL("element " << e << " of " << begin << ", " << size);
    }
  SUCCEED();
}

}  // namespace

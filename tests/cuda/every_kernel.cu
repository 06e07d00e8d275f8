// SPDX-License-Identifier: MIT
// Every kernel once, on a few blocks: short enough for compute-sanitizer, which selects it by the tag.
#include <cstddef>
#include <cstdint>
#include <vector>

#include <zeroth/backend/cuda.hpp>

#include "catch.hpp"
#include "every_kernel.hpp"
#include "host_stream.hpp"

TEST_CASE("every kernel on a GPU gives the host's bits where they are promised", "[sanitizer]") {
  std::vector<zeroth_test::KernelOutput> const found = zeroth_test::run_every_kernel(zeroth::cuda::CudaStream(0));
  std::vector<zeroth_test::KernelOutput> const expected = zeroth_test::run_every_kernel(zeroth_test::HostStream{});
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO(expected[i].name);
    if (expected[i].is_exact) CHECK(found[i] == expected[i]);
  }
}

TEST_CASE("uploads on a GPU have the values that the host's memory had", "[sanitizer]") {
  // More than the ring of page-locked memory holds, on both queues, from memory that changes at once.
  zeroth::cuda::CudaStream const stream(0);
  constexpr std::size_t count = 40;
  constexpr std::size_t size = 300'007;
  auto const memory = stream.allocate(count * size, "uploads");
  std::vector<std::byte> from(size);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t b = 0; b < size; ++b) from[b] = static_cast<std::byte>(b + i);
    if (i % 3 == 0) {
      auto const side = stream.side();
      stream.upload(memory.get() + i * size, from.data(), size, "upload");
    } else {
      stream.upload(memory.get() + i * size, from.data(), size, "upload");
    }
  }
  {
    auto const side = stream.side();
    stream.synchronize("uploads");
  }
  std::vector<std::byte> found(count * size);
  stream.transfer(found.data(), memory.get(), found.size(), "uploads");
  bool same = true;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t b = 0; b < size; ++b) same = same && found[i * size + b] == static_cast<std::byte>(b + i);
  CHECK(same);
}

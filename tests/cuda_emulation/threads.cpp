// SPDX-License-Identifier: MIT
// Every CUDA kernel with as many threads as on a device, compiled with a sanitizer, which ends the program at the first
// error. Without Catch2, whose macros are not thread safe.
//
//     emulated_kernels_thread            the 256 threads of a block at once, two blocks at once
//     emulated_kernels_thread --race     the same for a kernel that lacks a phase, which the sanitizer must report

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "every_kernel.hpp"
#include "host_stream.hpp"
#include "threaded_stream.hpp"

namespace {

/// Reads what other threads write in the same phase.
struct RacingKernel {
  struct Shared {
    unsigned values[zeroth::cuda::block_threads];
  };
  static constexpr unsigned phases = 1;
  unsigned* out;
  template <unsigned phase>
  void run(zeroth::cuda::Place at, Shared& shared) const {
    shared.values[at.thread] = at.thread;
    out[at.thread] = shared.values[zeroth::cuda::block_threads - 1 - at.thread];
  }
};

int race() {
  std::vector<unsigned> out(zeroth::cuda::block_threads);
  // In a single launch the threads may happen to run one after the other, and the sanitizer then sees no race.
  constexpr int launches = 50;
  for (int i = 0; i < launches; ++i) zeroth_test::ThreadedStream{}.launch(RacingKernel{out.data()}, 1, "race");
  return 0;
}

int compare() {
  // One type is enough: what threads share does not depend on it.
  auto run = [](auto const& stream) { return zeroth_test::run_every_kernel(stream, {zeroth::DataType::bf16}); };
  std::vector<zeroth_test::KernelOutput> const expected = run(zeroth_test::HostStream{});
  std::vector<zeroth_test::KernelOutput> const found = run(zeroth_test::ThreadedStream{});
  std::size_t different = expected.size() == found.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(expected.size(), found.size()); ++i) {
    if (expected[i] == found[i]) continue;
    std::printf("%s: not the bits of one thread after the other\n", expected[i].name.c_str());
    ++different;
  }
  std::printf("%zu outputs of kernels, %zu different\n", expected.size(), different);
  return different == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return argc > 1 && std::string_view(argv[1]) == "--race" ? race() : compare();
}

// SPDX-License-Identifier: MIT
// Every CUDA kernel, of the backend and of the transformer, gives the same results whatever the order of its threads
// and blocks: a device promises no order.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "every_kernel.hpp"
#include "guarded_stream.hpp"
#include "host_stream.hpp"
#include "paths.hpp"

using namespace zeroth_test;

namespace {

void check_same(std::vector<KernelOutput> const& found, std::vector<KernelOutput> const& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO(expected[i].name);
    CHECK(found[i] == expected[i]);
  }
}

/// Lacks a phase: one thread reads what another writes in the same phase.
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

}  // namespace

TEST_CASE("every kernel has the same bits in each order of a phase's threads and a grid's blocks") {
  std::vector<KernelOutput> const expected = run_every_kernel(HostStream{});
  check_same(run_every_kernel(HostStream(Sequence::reverse)), expected);
  for (unsigned seed = 0; seed < 3; ++seed) check_same(run_every_kernel(HostStream(Sequence::random, seed)), expected);
  check_same(run_every_kernel(GuardedStream{}), expected);
}

TEST_CASE("a kernel that lacks a phase has other bits in another order") {
  // Otherwise the test above could not fail.
  auto run = [](Sequence sequence) {
    std::vector<unsigned> out(zeroth::cuda::block_threads);
    HostStream(sequence).launch(RacingKernel{out.data()}, 1, "race");
    return out;
  };
  CHECK(run(Sequence::reverse) != run(Sequence::forward));
  CHECK(run(Sequence::random) != run(Sequence::forward));
}

TEST_CASE("every kernel is every kernel that the headers define") {
  std::set<std::string> run;
  for (KernelOutput const& output : run_every_kernel(HostStream{}))
    run.insert(output.name.substr(0, output.name.find_first_of(" ,")));
  std::set<std::string> defined;
  for (char const* folder : {"zeroth/backend/cuda", "zeroth_model/ops/cuda"}) {
    for (auto const& entry :
         std::filesystem::directory_iterator(tests_directory().parent_path() / "include" / folder)) {
      std::ifstream file(entry.path());
      static std::regex const definition("^struct (\\w+Kernel) \\{");
      for (std::string line; std::getline(file, line);)
        if (std::smatch found; std::regex_search(line, found, definition)) defined.insert(found[1]);
    }
  }
  CHECK(defined.size() > 10);
  CHECK(run == defined);
}

TEST_CASE("a grid that no device takes is rejected, and so is one of no blocks") {
  unsigned value = 0;
  RacingKernel const kernel{&value};
  CHECK_THROWS_WITH(HostStream{}.launch(kernel, 0, "nothing"),
                    contains_text("launch (nothing): expected a grid of 1 to 2147483647 blocks, got 0"));
  CHECK_THROWS_WITH(HostStream{}.launch(kernel, std::uint64_t{1} << 31, "all"), contains_text("got 2147483648"));
}

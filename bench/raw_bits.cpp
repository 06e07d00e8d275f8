// SPDX-License-Identifier: MIT
// The raw Philox stream on standard output, for test batteries: bench_raw_bits ORDER [BLOCKS], endless without BLOCKS.
//
// ORDER `elements` counts the blocks of one tensor, as the elements of one perturbation use them. ORDER `interleaved`
// takes for each block index the blocks of 4 steps, 4 samples, 4 streams and 2 purposes in turn, so neighbours in the
// output differ only in the upper words of the counter: it shows any dependence between perturbations.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <zeroth/random/philox.hpp>

namespace {

using zeroth::Purpose;
using zeroth::RandomBlock;
using zeroth::RandomSource;

constexpr std::uint64_t seed = 1;
constexpr std::uint32_t stream = 0x9e3779b9U;  // of no tensor in particular

std::vector<RandomSource> sources(std::string_view order) {
  if (order == "elements") return {RandomSource{seed, 0, stream, 0, Purpose::perturbation}};
  std::vector<RandomSource> result;
  if (order != "interleaved") return result;
  for (std::uint32_t step = 0; step < 4; ++step)
    for (std::uint32_t sample = 0; sample < 4; ++sample)
      for (std::uint32_t next = 0; next < 4; ++next)
        for (Purpose purpose : {Purpose::perturbation, Purpose::mask})
          result.push_back({seed, step, stream + next, sample, purpose});
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<RandomSource> const from = sources(argc > 1 ? argv[1] : "");
  if (from.empty() || argc > 3) {
    std::fprintf(stderr, "usage: %s elements|interleaved [BLOCKS]\n", argv[0]);
    return 2;
  }
  std::uint64_t const blocks = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : ~std::uint64_t{0};
  std::vector<RandomBlock> buffer(4096);
  for (std::uint64_t made = 0; made < blocks;) {
    std::size_t count = 0;
    for (; count < buffer.size() && made < blocks; ++count, ++made)
      buffer[count] = from[made % from.size()].block(made / from.size());
    // The reader closes the pipe when it has enough.
    if (std::fwrite(buffer.data(), sizeof(RandomBlock), count, stdout) != count) return 0;
  }
}

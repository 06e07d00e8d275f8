// SPDX-License-Identifier: MIT
// Where the remainders of 16-bit weights lie if only some weights have a place, for tensors of any size.
#include <zeroth/storage/remainder.hpp>

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <vector>

#include "host_stream.hpp"
#include "support.hpp"

namespace {

using zeroth::PlaceIndex;
using zeroth::Remainders;
using zeroth::Rounding;
using zeroth::tile_size;

constexpr std::uint64_t two_to_the_32 = std::uint64_t{1} << 32;

/// Words for that many tiles, some of them full and some empty.
std::vector<std::uint64_t> words_of(std::size_t tiles) {
  std::vector<std::uint64_t> words(tiles * 2);
  for (std::size_t w = 0; w < words.size(); ++w)
    words[w] = w % 7 == 3 ? 0 : w % 3 == 0 ? 0x8421'0842'1084'2101U : ~std::uint64_t{0};
  return words;
}

void check_places(std::vector<std::uint64_t> const& words, std::uint64_t first) {
  PlaceIndex const index(words, first);
  std::byte nothing{};
  Remainders const beside{&nothing, words.data(), index.group_place.data(), index.first_place.data()};
  std::uint64_t next = first;
  for (std::uint64_t tile = 0; tile < words.size() / 2; ++tile) {
    if (beside.first_place_of(tile) != next) FAIL("tile " << tile << " from " << first);
    for (unsigned e = 0; e < tile_size; ++e) {
      if ((words[tile * 2 + e / 64] >> (e % 64) & 1U) == 0) {
        if (beside.has_place(tile, e)) FAIL("tile " << tile << ", element " << e);
        continue;
      }
      if (!beside.has_place(tile, e) || beside.place(tile, e) != next) FAIL("tile " << tile << ", element " << e);
      ++next;
    }
  }
  CHECK(index.end == next);
}

TEST_CASE("places are counted in 64 bits, group by group") {
  std::size_t const group = Remainders::tiles_per_group;
  for (std::size_t tiles : {std::size_t{0}, std::size_t{1}, group - 1, group, group + 1, 3 * group + 5})
    for (std::uint64_t first : {std::uint64_t{0}, two_to_the_32 - 100, two_to_the_32 * 1000 + 7}) {
      check_places(words_of(tiles), first);
      check_places(std::vector<std::uint64_t>(tiles * 2, ~std::uint64_t{0}), first);
    }
}

TEST_CASE("what says where places begin takes 2 bytes per tile and 8 per group of 512") {
  std::size_t const tiles = 3 * Remainders::tiles_per_group;
  CHECK(PlaceIndex(words_of(tiles)).bytes() == tiles * 2 + 3 * 8);
}

/// Memory in which only the pages that are touched exist.
class SparseMemory {
 public:
  explicit SparseMemory(std::size_t bytes)
      : bytes_(bytes),
        memory_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  SparseMemory(SparseMemory const&) = delete;
  SparseMemory& operator=(SparseMemory const&) = delete;
  ~SparseMemory() {
    if (exists()) ::munmap(memory_, bytes_);
  }
  [[nodiscard]] bool exists() const { return memory_ != MAP_FAILED; }
  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(memory_); }

 private:
  std::size_t bytes_;
  void* memory_;
};

TEST_CASE("every backend finds the remainders of weights past 2^32 places") {
  if constexpr (sizeof(std::size_t) < 8) ZEROTH_SKIP("the address space has 32 bits");
  auto const [size, offset] = zeroth_test::several_chunks;  // more than one group of tiles
  std::vector<zeroth::NoiseTerm> const terms = {{7, 0, -3e-4F}};
  for (Rounding rounding : {Rounding::compensated, Rounding::extra_byte}) {
    zeroth_test::Slice const slice(size, offset, zeroth::DataType::bf16);
    std::vector<std::uint64_t> const words = zeroth_test::words_of_places(slice.parameter);
    zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 99, 7};
    auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.25}, slice.parameter);

    // The weights, preview's results and the remainders after two passes, with places counted from `first`.
    auto run = [&](auto const& backend, std::uint64_t first, std::byte* memory) {
      zeroth_test::Slice copy = slice;
      std::uint64_t const weights = copy.parameter.size();
      PlaceIndex const index(words, first);
      std::size_t const begin = static_cast<std::size_t>(first) * remainder_bytes(rounding);
      std::size_t const count = static_cast<std::size_t>(index.end - first) * remainder_bytes(rounding);
      std::memset(memory + begin, 0x2b, count);
      zeroth::ElementwisePass const pass{
          .terms = terms,
          .rounding = rounding,
          .remainders = {memory, words.data(), index.group_place.data(), index.first_place.data()}};
      backend.apply(copy.parameter, nullptr, state.tensor(0, 0), noise, pass);
      std::vector<float> previewed(static_cast<std::size_t>(weights));
      backend.preview(copy.parameter, state.tensor(0, 0), noise, pass, 0, weights, previewed.data());
      backend.apply(copy.parameter, nullptr, state.tensor(0, 0), noise, pass);
      return std::tuple{copy.memory(), zeroth_test::bits(previewed),
                        std::vector<std::byte>(memory + begin, memory + begin + count)};
    };

    std::vector<std::byte> dense(size * 2);
    auto const expected = run(zeroth::ReferenceBackend{}, 0, dense.data());
    std::uint64_t const first = two_to_the_32 - 30'000;  // within the second group
    SparseMemory const sparse(static_cast<std::size_t>(first + size) * 2);
    if (!sparse.exists()) ZEROTH_SKIP("the system gives no 8 GiB of addresses");
    CHECK((run(zeroth::ReferenceBackend{}, first, sparse.data()) == expected));
    for (zeroth::InstructionSet set : zeroth::every_instruction_set)
      if (zeroth::is_supported(set)) CHECK((run(zeroth::CpuBackend{{}, set}, first, sparse.data()) == expected));
    zeroth_test::EmulatedCudaBackend const cuda{zeroth_test::HostStream{}};
    CHECK((run(cuda, first, sparse.data()) == expected));
  }
}

TEST_CASE("no block of the histogram counts more than 32 bits hold") {
  using Kernel = zeroth::cuda::HistogramKernel;
  for (std::uint64_t size :
       {std::uint64_t{1}, two_to_the_32 - 1, two_to_the_32, two_to_the_32 * 100, two_to_the_32 << 12}) {
    std::uint64_t const packets = size / 8 + 1;  // for 16-bit weights, which have the most per packet
    std::uint64_t const threads = Kernel::least_blocks(size) * zeroth::cuda::block_threads;
    std::uint64_t const of_a_block =
        (packets / threads + 1) * zeroth::cuda::block_threads * 8 + zeroth::cuda::block_threads;
    CHECK(of_a_block < two_to_the_32);
  }
}

}  // namespace

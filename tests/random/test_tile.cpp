// SPDX-License-Identifier: MIT
#include <zeroth/random/tile.hpp>

#include <cstdint>
#include <set>
#include <utility>

#include "catch.hpp"

namespace {

template <unsigned values>
void check_bijection(std::uint64_t tile) {
  constexpr unsigned blocks = zeroth::tile_size / values;
  std::set<std::pair<std::uint64_t, unsigned>> seen;
  for (unsigned within = 0; within < zeroth::tile_size; ++within) {
    zeroth::BlockPosition const at = zeroth::block_position<values>(tile * zeroth::tile_size + within);
    CHECK(at.block / blocks == tile);
    CHECK(at.value < values);
    seen.emplace(at.block, at.value);
  }
  CHECK(seen.size() == zeroth::tile_size);
}

TEST_CASE("each value of a tile's blocks goes to one element") {
  for (std::uint64_t tile : {0ULL, 1ULL, 1ULL << 33}) {
    check_bijection<1>(tile);
    check_bijection<2>(tile);
    check_bijection<4>(tile);
    check_bijection<8>(tile);
    check_bijection<16>(tile);
    check_bijection<32>(tile);
    check_bijection<64>(tile);
    check_bijection<128>(tile);
  }
}

TEST_CASE("neighbouring elements come from neighbouring blocks") {
  using zeroth::BlockPosition;
  CHECK(zeroth::block_position<8>(0) == BlockPosition{0, 0});
  CHECK(zeroth::block_position<8>(15) == BlockPosition{15, 0});
  CHECK(zeroth::block_position<8>(16) == BlockPosition{0, 1});
  CHECK(zeroth::block_position<8>(127) == BlockPosition{15, 7});
  CHECK(zeroth::block_position<8>(128) == BlockPosition{16, 0});
  CHECK(zeroth::block_position<128>(129) == BlockPosition{1, 1});
}

}  // namespace

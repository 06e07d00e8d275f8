// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>

#include <zeroth_model/ops/cuda/values.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// Queries that a block processes together, and their segment.
struct AttentionTile {
  std::uint64_t first;  ///< first of the query matrix's rows
  std::uint64_t count;
  std::uint64_t begin;  ///< rows of keys and values: see Segment
  std::uint64_t prefix_begin;
  std::uint64_t prefix_length;
};

/// Attention by a running softmax over tiles of keys: no matrix of queries x keys is ever in memory. Each round
/// processes a tile of keys. Tiles of keys begin at multiples of their size whatever the queries are, so a row's result
/// does not depend on the rows that share its tile. Grid: one block per tile of queries, head and lane.
/// @tparam most_dim the longest supported head
template <unsigned most_dim>
struct AttentionKernel {
  static constexpr unsigned queries = 2048 / most_dim;  ///< per tile
  static constexpr unsigned keys = 4096 / most_dim;     ///< per tile
  static constexpr unsigned phases = 6;

  struct Shared {
    float q[queries][most_dim];
    float out[queries][most_dim];      // not yet divided by `sum`
    float values[keys][most_dim + 1];  // keys, then values; one more per row, against bank conflicts
    float scores[queries][keys];
    float top[queries];
    float scale[queries];  // rescales earlier sums to a new maximum
    float sum[queries];
  };

  LaneRows q;
  LaneRows k;
  LaneRows v;
  LaneRows out;
  AttentionTile const* tiles;
  std::uint64_t tile_count;
  std::uint64_t const* rows;  ///< row in the batch of each query
  std::uint64_t heads;
  std::uint64_t kv_heads;
  unsigned dim;          ///< elements per head
  std::uint64_t window;  ///< see HeadShape, also for the next members
  float score_scale;
  float soft_cap = 0;

  [[nodiscard]] ZEROTH_HOST_DEVICE unsigned rounds(Place at) const noexcept {
    AttentionTile const tile = tiles[at.block % tile_count];
    return static_cast<unsigned>((visible(tile, tile.count - 1) - first_key(tile) + keys - 1) / keys);
  }

  template <unsigned phase>
  ZEROTH_HOST_DEVICE void run(Place at, Shared& shared) const {
    AttentionTile const tile = tiles[at.block % tile_count];
    std::uint64_t const lane = at.block / tile_count / heads;
    std::uint64_t const head = at.block / tile_count % heads;
    std::uint64_t const key = first_key(tile) + at.round * keys;
    if constexpr (phase == 0) {
      if (at.round == 0) begin(at.thread, shared, tile, lane, head);
      load_tile(at.thread, shared, k, tile, lane, head, key);
    } else if constexpr (phase == 1) {
      score(at.thread, shared, tile, key);
    } else if constexpr (phase == 2) {
      if (at.thread < tile.count) raise_top(at.thread, shared);
      load_tile(at.thread, shared, v, tile, lane, head, key);
    } else if constexpr (phase == 3) {
      for (unsigned i = at.thread; i < queries * keys; i += block_threads) {
        float& s = shared.scores[i / keys][i % keys];
        s = s == minus_infinity() ? 0.0F : std::exp((s - shared.top[i / keys]) * scale());
      }
    } else if constexpr (phase == 4) {
      accumulate(at.thread, shared, tile);
    } else {
      if (at.round + 1 == rounds(at)) finish(at.thread, shared, tile, lane, head);
    }
  }

 private:
  /// The factor of a stored score: a capped score is already scaled.
  [[nodiscard]] ZEROTH_HOST_DEVICE float scale() const noexcept { return soft_cap == 0 ? score_scale : soft_cap; }

  [[nodiscard]] ZEROTH_HOST_DEVICE float capped(float score) const noexcept {
    return soft_cap == 0 ? score : std::tanh(score * score_scale / soft_cap);
  }

  /// Keys up to the one of the query itself.
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t visible(AttentionTile const& tile,
                                                         std::uint64_t query) const noexcept {
    return tile.prefix_length + (rows[tile.first + query] - tile.begin) + 1;
  }
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t first_seen(std::uint64_t visible) const noexcept {
    return window != 0 && visible > window ? visible - window : 0;
  }
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t first_key(AttentionTile const& tile) const noexcept {
    return first_seen(visible(tile, 0)) / keys * keys;
  }

  ZEROTH_HOST_DEVICE void begin(unsigned thread, Shared& shared, AttentionTile const& tile, std::uint64_t lane,
                                std::uint64_t head) const noexcept {
    for (unsigned i = thread; i < queries * dim; i += block_threads) {
      unsigned const query = i / dim;
      unsigned const d = i % dim;
      shared.q[query][d] = query < tile.count ? q.get(query_row(q, tile, lane, query) + head * dim + d) : 0.0F;
      shared.out[query][d] = 0;
    }
    if (thread < queries) {
      shared.top[thread] = minus_infinity();
      shared.sum[thread] = 0;
    }
  }

  /// The first element of a query's row.
  [[nodiscard]] ZEROTH_HOST_DEVICE static std::uint64_t query_row(LaneRows const& x, AttentionTile const& tile,
                                                                  std::uint64_t lane, unsigned query) noexcept {
    return (lane * x.rows + tile.first + query) * x.features;
  }

  /// Loads the keys or values of a tile; 0 after the last.
  ZEROTH_HOST_DEVICE void load_tile(unsigned thread, Shared& shared, LaneRows const& from, AttentionTile const& tile,
                                    std::uint64_t lane, std::uint64_t head, std::uint64_t first) const noexcept {
    std::uint64_t const column = head / (heads / kv_heads) * dim;
    std::uint64_t const end = visible(tile, tile.count - 1);
    for (unsigned i = thread; i < keys * dim; i += block_threads) {
      std::uint64_t const key = first + i / dim;
      std::uint64_t const row =
          key < tile.prefix_length ? tile.prefix_begin + key : tile.begin + (key - tile.prefix_length);
      shared.values[i / dim][i % dim] =
          key < end ? from.get((lane * from.rows + row) * from.features + column + i % dim) : 0.0F;
    }
  }

  /// Each thread reads one key once, for several queries.
  ZEROTH_HOST_DEVICE void score(unsigned thread, Shared& shared, AttentionTile const& tile,
                                std::uint64_t first) const noexcept {
    constexpr unsigned groups = block_threads / keys < queries ? block_threads / keys : queries;
    constexpr unsigned each = queries / groups;
    unsigned const column = thread % keys;
    unsigned const query = thread / keys * each;
    if (query >= queries) return;
    float sums[each] = {};
    for (unsigned d = 0; d < dim; ++d)
      for (unsigned j = 0; j < each; ++j) sums[j] += shared.q[query + j][d] * shared.values[column][d];
    std::uint64_t const key = first + column;
    for (unsigned j = 0; j < each; ++j) {
      bool const seen =
          query + j < tile.count && key < visible(tile, query + j) && key >= first_seen(visible(tile, query + j));
      shared.scores[query + j][column] = seen ? capped(sums[j]) : minus_infinity();
    }
  }

  ZEROTH_HOST_DEVICE void raise_top(unsigned query, Shared& shared) const noexcept {
    float top = shared.top[query];
    for (float s : shared.scores[query]) top = s > top ? s : top;
    // Before the first visible key there is nothing to scale.
    shared.scale[query] = top == minus_infinity() ? 1.0F : std::exp((shared.top[query] - top) * scale());
    shared.top[query] = top;
  }

  /// Each thread reads one element of the values once, for several queries.
  ZEROTH_HOST_DEVICE void accumulate(unsigned thread, Shared& shared, AttentionTile const& tile) const noexcept {
    constexpr unsigned each = queries / (block_threads / most_dim);
    unsigned const d = thread % most_dim;
    unsigned const query = thread / most_dim * each;
    if (d < dim) {
      float sums[each] = {};
      for (unsigned key = 0; key < keys; ++key)
        for (unsigned j = 0; j < each; ++j) sums[j] += shared.scores[query + j][key] * shared.values[key][d];
      for (unsigned j = 0; j < each; ++j)
        if (query + j < tile.count)
          shared.out[query + j][d] = shared.out[query + j][d] * shared.scale[query + j] + sums[j];
    }
    if (thread < tile.count) {
      float sum = 0;
      for (float p : shared.scores[thread]) sum += p;
      shared.sum[thread] = shared.sum[thread] * shared.scale[thread] + sum;
    }
  }

  ZEROTH_HOST_DEVICE void finish(unsigned thread, Shared& shared, AttentionTile const& tile, std::uint64_t lane,
                                 std::uint64_t head) const noexcept {
    for (unsigned i = thread; i < queries * dim; i += block_threads) {
      unsigned const query = i / dim;
      if (query < tile.count)
        out.set(query_row(out, tile, lane, query) + head * dim + i % dim,
                shared.out[query][i % dim] / shared.sum[query]);
    }
  }
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

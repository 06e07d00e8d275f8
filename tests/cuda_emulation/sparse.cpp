// SPDX-License-Identifier: MIT
// CUDA kernels on tensors with more than 2^32 elements: places, rows and sizes are 64-bit wherever a device computes
// them. The memory is mapped but does not exist until it is touched. Of each grid, only the blocks run that reach the
// inspected elements: around element 2^32, and the last ones. If that much memory cannot be mapped, the program returns
// 77.
//
// Each case runs twice, as a part of the large tensor and by itself; both runs must leave the same bits.

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include <zeroth/backend/cuda/apply.hpp>
#include <zeroth/backend/cuda/expand.hpp>
#include <zeroth/backend/cuda/graph_stream.hpp>
#include <zeroth/backend/cuda/histogram.hpp>
#include <zeroth/backend/cuda/mask_words.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth_model/ops/cuda/attention.hpp>
#include <zeroth_model/ops/cuda/copy_rows.hpp>
#include <zeroth_model/ops/cuda/elementwise.hpp>
#include <zeroth_model/ops/cuda/head.hpp>
#include <zeroth_model/ops/cuda/norm.hpp>
#include <zeroth_model/ops/cuda/rotary.hpp>

#include "host_stream.hpp"
#include "tensors.hpp"

namespace {

using zeroth::DataType;
using zeroth_test::normal_weights;

constexpr std::uint64_t limit = std::uint64_t{1} << 32;
constexpr std::uint64_t around = 300;  // elements on either side of it, and at the end

std::size_t wrong = 0;

void check(bool holds, std::string const& what) {
  if (!holds) ++wrong;
  std::printf("%s: %s\n", what.c_str(), holds ? "the same" : "DIFFERENT");
}

/// Memory that exists only where it is touched.
template <class T>
class Sparse {
 public:
  explicit Sparse(std::uint64_t count) : bytes_(static_cast<std::size_t>(count) * sizeof(T)) {
    void* const memory =
        ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
  }
  ~Sparse() { ::munmap(data_, bytes_); }
  Sparse(Sparse const&) = delete;
  Sparse& operator=(Sparse const&) = delete;

  [[nodiscard]] T* data() const { return data_; }
  T& operator[](std::uint64_t i) const { return data_[i]; }
  void put(std::uint64_t at, std::vector<T> const& values) const {
    std::copy(values.begin(), values.end(), data_ + at);
  }
  [[nodiscard]] std::vector<T> get(std::uint64_t at, std::uint64_t count) const {
    return {data_ + at, data_ + at + count};
  }

 private:
  std::size_t bytes_;
  T* data_;
};

/// Runs only those blocks of a grid.
template <class Kernel>
void launch(Kernel const& kernel, std::uint64_t blocks, std::set<std::uint64_t> const& chosen) {
  zeroth::cuda::check_launch<Kernel>(blocks, "sparse");
  for (std::uint64_t block : chosen)
    if (block < blocks) zeroth_test::HostStream{}.launch_block(kernel, {0, block, blocks});
}

std::uint64_t blocks_of(std::uint64_t threads) {
  return (threads + zeroth::cuda::block_threads - 1) / zeroth::cuda::block_threads;
}

/// The blocks that contain threads [first, first + count).
std::set<std::uint64_t> blocks_with(std::uint64_t first, std::uint64_t count) {
  std::set<std::uint64_t> blocks;
  for (std::uint64_t thread = first; thread < first + count; ++thread)
    blocks.insert(thread / zeroth::cuda::block_threads);
  return blocks;
}

/// An inspected part of a tensor.
struct Part {
  std::uint64_t first;
  std::uint64_t count;
};
constexpr std::uint64_t tensor_size = limit + 70'001;
constexpr Part parts[] = {{limit - around, 2 * around}, {tensor_size - around, around}};

std::vector<std::uint16_t> stored_weights(std::uint64_t count, std::uint64_t seed) {
  std::vector<std::uint16_t> stored;
  for (float weight : normal_weights(static_cast<std::size_t>(count), seed))
    stored.push_back(zeroth::narrow(DataType::bf16, weight));
  return stored;
}

using Smallest = zeroth::MagnitudeRule<true>;
constexpr zeroth::TensorMask<Smallest> half{zeroth::Coverage::some, {0x3c600000U}};
constexpr zeroth::NoiseField<zeroth::Gaussian> noise{{}, 7, 3};
constexpr std::uint64_t tensor_offset = 333;
constexpr std::uint32_t stream_id = 77;

/// The tensor for a part by itself.
zeroth::Parameter slice(Part const& part, void* data) {
  return {"slice", zeroth::Role::matrix, {1, part.count}, DataType::bf16, data, stream_id, tensor_offset + part.first};
}

/// The blocks of a TileShare grid that contain a part's elements.
std::set<std::uint64_t> tile_blocks(Part const& part) {
  using Share = zeroth::cuda::TileShare<zeroth::Gaussian>;
  std::uint64_t const first_tile = tensor_offset / zeroth::tile_size;
  std::uint64_t const begin = (tensor_offset + part.first) / zeroth::tile_size - first_tile;
  std::uint64_t const end = (tensor_offset + part.first + part.count - 1) / zeroth::tile_size - first_tile + 1;
  return blocks_with(begin * Share::threads, (end - begin) * Share::threads);
}

void expansion() {
  Sparse<std::uint16_t> const weights(tensor_size);
  Sparse<float> const panel(tensor_size);
  for (Part const& part : parts) {
    weights.put(part.first, stored_weights(part.count, part.first));
    zeroth::cuda::ExpandKernel<zeroth::Gaussian, Smallest> kernel{};
    kernel.weights = weights.data();
    kernel.dtype = DataType::bf16;
    kernel.panel_dtype = DataType::f32;
    kernel.first = tensor_offset;
    kernel.count = tensor_size;
    kernel.stream = stream_id;
    kernel.mask = half;
    kernel.noise = noise;
    kernel.lanes = 1;
    kernel.lane[0] = {panel.data(), 1e-2F, 5, true};
    launch(kernel, blocks_of(zeroth::cuda::TileShare<zeroth::Gaussian>::threads_of(tensor_offset, tensor_size)),
           tile_blocks(part));
    std::vector<std::uint16_t> own = weights.get(part.first, part.count);
    std::vector<float> expected(part.count);
    float* const panels[] = {expected.data()};
    zeroth::Point const lanes[] = {{5, +1}};
    zeroth::ReferenceBackend{}.expand(slice(part, own.data()), half, noise, std::span(lanes), 1e-2F, 0, part.count,
                                      std::span(panels));
    check(zeroth_test::bits(panel.get(part.first, part.count)) == zeroth_test::bits(expected), "expand");
  }
}

template <class Change>
zeroth::cuda::ApplyKernel<zeroth::Gaussian, Smallest, Change> pass_kernel(void* data, Change const& change) {
  zeroth::cuda::ApplyKernel<zeroth::Gaussian, Smallest, Change> kernel{data,
                                                                       data,
                                                                       DataType::bf16,
                                                                       tensor_offset,
                                                                       0,
                                                                       tensor_size,
                                                                       stream_id,
                                                                       half,
                                                                       noise,
                                                                       {},
                                                                       {},
                                                                       0.01F,
                                                                       zeroth::Rounding::extra_byte,
                                                                       change,
                                                                       {},
                                                                       nullptr,
                                                                       nullptr};
  kernel.terms.count = 1;
  kernel.terms.few[0] = {noise.step, 0, 1e-3F};
  return kernel;
}

/// @param with_places each element has one by the bitmap, rather than all without
void update(bool with_places) {
  std::uint64_t const threads = zeroth::cuda::TileShare<zeroth::Gaussian>::threads_of(tensor_offset, tensor_size);
  std::uint64_t const tiles = (tensor_offset % zeroth::tile_size + tensor_size) / zeroth::tile_size + 1;
  Sparse<std::uint16_t> const weights(tensor_size);
  Sparse<std::int8_t> const beside(tensor_size);
  Sparse<std::uint64_t> const places(2 * tiles);
  constexpr std::uint64_t group_tiles = zeroth::Remainders::tiles_per_group;
  Sparse<std::uint64_t> const group_place((tiles + group_tiles - 1) / group_tiles);
  Sparse<std::uint16_t> const first_place(tiles);
  zeroth::NoiseTerm const term{noise.step, 0, 1e-3F};
  for (Part const& part : parts) {
    weights.put(part.first, stored_weights(part.count, part.first));
    std::uint64_t const start = tensor_offset % zeroth::tile_size;  // elements of the first tile before the tensor
    for (std::uint64_t i = part.first; i < part.first + part.count; ++i) {
      beside[i] = static_cast<std::int8_t>(i * 37);
      std::uint64_t const bit = start + i;
      places[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
    // As if all before the part had a place too.
    for (std::uint64_t tile = (start + part.first) / zeroth::tile_size;
         tile <= (start + part.first + part.count - 1) / zeroth::tile_size; ++tile) {
      std::uint64_t const group = tile / group_tiles;
      group_place[group] = std::max(group * group_tiles * zeroth::tile_size, start) - start;
      std::uint64_t const place = std::max(tile * zeroth::tile_size, start + part.first) - start;
      first_place[tile] = static_cast<std::uint16_t>(place - group_place[group]);
    }
    std::vector<std::uint16_t> own = weights.get(part.first, part.count);
    std::vector<std::int8_t> own_beside = beside.get(part.first, part.count);
    std::uint64_t const expected_active =
        zeroth::ReferenceBackend{}.apply(slice(part, own.data()), nullptr, half, noise,
                                         {.decay = 0.01F,
                                          .terms = {&term, 1},
                                          .rounding = zeroth::Rounding::extra_byte,
                                          .remainders = {own_beside.data()}});
    unsigned long long active = 0;
    auto kernel = pass_kernel(weights.data(), zeroth::cuda::TermsChange{});
    kernel.remainders.data = beside.data();
    if (with_places) {
      kernel.remainders.places = places.data();
      kernel.remainders.group_place = group_place.data();
      kernel.remainders.first_place = first_place.data();
    }
    kernel.active = &active;
    launch(kernel, blocks_of(threads), tile_blocks(part));
    std::string const name = with_places ? "apply, places" : "apply";
    check(weights.get(part.first, part.count) == own, name);
    check(beside.get(part.first, part.count) == own_beside, name + ", what is kept with the weights");
    // The other elements of those blocks are 0, and so among the smallest.
    check(active >= expected_active, name + ", active weights");
  }
}

void update_with_state() {
  std::uint64_t const threads = zeroth::cuda::TileShare<zeroth::Gaussian>::threads_of(tensor_offset, tensor_size);
  zeroth::AdamRule const rule{0.9F, 0.1F, 0.99F, 0.01F, 1, 1, 1e-8F, 1e-3F};
  Sparse<std::uint16_t> const weights(tensor_size);
  Sparse<float> const state(2 * tensor_size);
  Sparse<float> const panel(tensor_size);
  Sparse<std::int8_t> const beside(tensor_size);
  zeroth::NoiseTerm const term{noise.step, 0, 1e-3F};
  for (Part const& part : parts) {
    weights.put(part.first, stored_weights(part.count, part.first));
    std::vector<std::uint16_t> own = weights.get(part.first, part.count);
    std::vector<std::int8_t> own_beside(part.count);
    zeroth::ElementwisePass const pass{.decay = 0.01F,
                                       .terms = {&term, 1},
                                       .rounding = zeroth::Rounding::extra_byte,
                                       .remainders = {own_beside.data()}};
    // What an update would leave, and then with state.
    std::vector<float> expected(part.count);
    zeroth::ReferenceBackend{}.preview(slice(part, own.data()), half, noise, pass, 0, part.count, expected.data());
    auto preview = pass_kernel(weights.data(), zeroth::cuda::TermsChange{});
    preview.remainders.data = beside.data();
    preview.panel = panel.data();
    launch(preview, blocks_of(threads), tile_blocks(part));
    check(zeroth_test::bits(panel.get(part.first, part.count)) == zeroth_test::bits(expected), "preview");

    std::vector<float> own_state(2 * part.count);
    zeroth::ReferenceBackend{}.apply_rule(slice(part, own.data()), nullptr, half, noise, pass, rule, own_state.data());
    unsigned long long active = 0;
    auto kernel =
        pass_kernel(weights.data(), zeroth::cuda::RuleChange<zeroth::AdamRule>{rule, state.data(), tensor_size});
    kernel.remainders.data = beside.data();
    kernel.active = &active;
    launch(kernel, blocks_of(threads), tile_blocks(part));
    check(weights.get(part.first, part.count) == own, "apply_rule");
    std::vector<float> planes = state.get(part.first, part.count);
    std::vector<float> const second = state.get(tensor_size + part.first, part.count);
    planes.insert(planes.end(), second.begin(), second.end());
    check(zeroth_test::bits(planes) == zeroth_test::bits(own_state), "apply_rule, state");
  }
}

void mask_words() {
  Sparse<std::uint16_t> const weights(tensor_size);
  std::uint64_t const origin = tensor_offset / zeroth::tile_size * zeroth::tile_size;
  std::uint64_t const words = (tensor_offset - origin + tensor_size + 63) / 64;
  Sparse<std::uint64_t> const out(words);
  for (Part const& part : parts) {
    weights.put(part.first, stored_weights(part.count, part.first));
    std::uint64_t const first = (tensor_offset - origin + part.first) / 64;
    std::uint64_t const last = (tensor_offset - origin + part.first + part.count - 1) / 64;
    launch(zeroth::cuda::MaskWordsKernel<Smallest>{weights.data(), DataType::bf16, tensor_offset, tensor_size, origin,
                                                   half, words, out.data()},
           blocks_of(words), blocks_with(first, last - first + 1));
    bool same = true;
    for (std::uint64_t i = part.first; i < part.first + part.count; ++i) {
      std::uint64_t const bit = tensor_offset - origin + i;
      bool const active = (out[bit / 64] >> (bit % 64) & 1U) != 0;
      same = same && active == half(zeroth::widen(DataType::bf16, weights[i]), tensor_offset + i);
    }
    check(same, "mask words");
  }
}

void histogram() {
  // A thread for each packet of 8 weights; those behind the last packet are the first thread's.
  Sparse<std::uint16_t> const weights(tensor_size);
  Part const last = parts[1];
  weights.put(last.first, stored_weights(last.count, 9));
  std::vector<unsigned long long> counts(zeroth::cuda::HistogramKernel::max_bins);
  std::uint64_t const packets = tensor_size / 8;
  std::uint64_t const begin = last.first / 8;
  std::set<std::uint64_t> chosen = blocks_with(begin, packets - begin);
  chosen.insert(0);
  launch(zeroth::cuda::HistogramKernel{weights.data(), DataType::bf16, tensor_size, 20, 11, 0, counts.data()},
         blocks_of(packets), chosen);
  std::vector<unsigned long long> expected(counts.size());
  for (std::uint64_t i = last.first; i < tensor_size; ++i)
    ++expected[zeroth::magnitude_bits(zeroth::widen(DataType::bf16, weights[i])) >> 20];
  counts[0] = expected[0];  // the zeros around them
  check(counts == expected, "histogram");
}

using zeroth::model::cuda::LaneRows;
using zeroth::model::cuda::LaneWeights;

constexpr std::uint64_t features = 4096;
constexpr std::uint64_t rows = limit / features + 3;

/// Runs a kernel on the last row of many, and by itself.
/// @param kernel called as kernel(in, out, first row, rows) @param threads of an element, or 0: a block a row
template <class Make>
void last_row(std::string const& name, double threads, Make const& make) {
  Sparse<float> const in(rows * features);
  Sparse<float> const out(rows * features);
  std::vector<float> own_in = normal_weights(features, 3, 1);
  std::vector<float> own_out(features);
  in.put((rows - 1) * features, own_in);
  auto run = [&](float* from, float* to, std::uint64_t count) {
    auto const kernel = make(LaneRows{from, DataType::f32, 1, count, features},
                             LaneRows{to, DataType::f32, 1, count, features}, rows - count);
    auto const of_row = static_cast<std::uint64_t>(threads * features);
    if (of_row == 0) return launch(kernel, count, {count - 1});
    launch(kernel, blocks_of(count * of_row), blocks_with((count - 1) * of_row, of_row));
  };
  run(in.data(), out.data(), rows);
  run(own_in.data(), own_out.data(), 1);
  check(zeroth_test::bits(in.get((rows - 1) * features, features)) == zeroth_test::bits(own_in), name + ", in place");
  check(zeroth_test::bits(out.get((rows - 1) * features, features)) == zeroth_test::bits(own_out), name);
}

void activations() {
  using namespace zeroth::model::cuda;  // NOLINT(google-build-using-namespace): a dozen kernels
  std::vector<float> const gain = normal_weights(features, 5, 1);
  LaneWeights const gains{gain.data(), DataType::f32, 0};
  last_row("RMS norm", 0, [&](LaneRows in, LaneRows out, std::uint64_t) {
    return RmsNormKernel{in, out, gains, 1e-5F};
  });
  last_row("layer norm", 0, [&](LaneRows in, LaneRows out, std::uint64_t) {
    return LayerNormKernel{in, out, gains, gains, 1e-5F};
  });
  last_row("SwiGLU", 0.25, [&](LaneRows in, LaneRows, std::uint64_t) {
    return ElementwiseKernel<SwiGlu>{in, in.data};
  });
  last_row("rows", 1, [&](LaneRows in, LaneRows out, std::uint64_t) {
    return CopyRowsKernel{{in.data, DataType::f32, 0}, features, nullptr, 0, out, 0, features, true};
  });
  constexpr std::uint64_t pairs = 64;
  Sparse<float> const table(2 * rows * pairs);
  table.put(2 * (rows - 1) * pairs, normal_weights(2 * pairs, 6, 1));
  for (auto pairing : {zeroth::model::RotaryPairing::adjacent, zeroth::model::RotaryPairing::halves})
    last_row("rotary embedding", 0.5, [&](LaneRows in, LaneRows, std::uint64_t first) {
      return RotateKernel{table.data() + 2 * first * pairs, pairs, pairing, in};
    });
}

void rotary_table() {
  using zeroth::model::cuda::RotaryTableKernel;
  constexpr std::uint64_t pairs = 64;
  constexpr std::uint64_t count = limit / pairs + 3;
  Sparse<std::uint64_t> const positions(count);
  Sparse<float> const table(2 * count * pairs);
  positions[count - 1] = 4000;
  std::vector<double> const frequencies(pairs, 0.3);
  launch(RotaryTableKernel{positions.data(), frequencies.data(), count, pairs, table.data()}, blocks_of(count * pairs),
         blocks_with((count - 1) * pairs, pairs));
  std::vector<float> expected(2 * pairs);
  launch(RotaryTableKernel{positions.data() + count - 1, frequencies.data(), 1, pairs, expected.data()},
         blocks_of(pairs), {0});
  check(table.get(2 * (count - 1) * pairs, 2 * pairs) == expected, "rotary table");
}

void head() {
  using namespace zeroth::model::cuda;  // NOLINT(google-build-using-namespace)
  constexpr std::uint64_t tokens = features;
  Sparse<float> const logits(rows * tokens);
  std::vector<float> const own = normal_weights(tokens, 8, 3);
  logits.put((rows - 1) * tokens, own);
  Sparse<float> const tops(rows);
  Sparse<double> const sums(rows);
  HeadRequest const request{rows - 1, 77};
  HeadRequest const own_request{0, 77};
  double picked = 0;
  double own_picked = 0;
  float own_top = 0;
  double own_sum = 0;
  LogitsPart const part{logits.data(), 1, 0, rows, 0, tokens};
  LogitsPart const own_part{own.data(), 1, 0, 1, 0, tokens};
  launch(LogSumKernel{part, rows, tops.data(), sums.data()}, rows, {rows - 1});
  launch(LogSumKernel{own_part, 1, &own_top, &own_sum}, 1, {0});
  check(tops[rows - 1] == own_top && sums[rows - 1] == own_sum, "sums of the head");
  launch(PickKernel{part, &request, 1, &picked}, 1, {0});
  launch(PickKernel{own_part, &own_request, 1, &own_picked}, 1, {0});
  check(picked == own_picked, "scores");
  launch(NormaliseKernel{&request, 1, 1, rows, tops.data(), sums.data(), &picked}, 1, {0});
  launch(NormaliseKernel{&own_request, 1, 1, 1, &own_top, &own_sum, &own_picked}, 1, {0});
  check(picked == own_picked, "log-probabilities");
}

void attention() {
  using namespace zeroth::model::cuda;  // NOLINT(google-build-using-namespace)
  constexpr std::uint64_t heads = 32;
  constexpr std::uint64_t count = 3;
  Sparse<float> const q(rows * features);
  Sparse<float> const k(rows * features);
  Sparse<float> const v(rows * features);
  Sparse<float> const out(rows * features);
  Sparse<std::uint64_t> const numbers(rows);
  std::vector<float> own[4];
  for (std::size_t i = 0; i < 4; ++i) own[i] = normal_weights(count * features, 20 + i, 1);
  q.put((rows - count) * features, own[0]);
  k.put((rows - count) * features, own[1]);
  v.put((rows - count) * features, own[2]);
  for (std::uint64_t r = 0; r < count; ++r) numbers[rows - count + r] = rows - count + r;
  AttentionTile const tile{rows - count, count, rows - count, 0, 0};
  AttentionTile const own_tile{0, count, 0, 0, 0};
  std::vector<std::uint64_t> const own_numbers{0, 1, 2};
  auto kernel = [&](float* a, float* b, float* c, float* d, std::uint64_t all, AttentionTile const* tiles,
                    std::uint64_t const* row_numbers) {
    auto matrix = [&](float* data) { return LaneRows{data, DataType::f32, 1, all, features}; };
    return AttentionKernel<128>{matrix(a),   matrix(b), matrix(c), matrix(d), tiles, 1,
                                row_numbers, heads,     heads,     128,       0,     0.0884F};
  };
  launch(kernel(q.data(), k.data(), v.data(), out.data(), rows, &tile, numbers.data()), heads, {0, heads - 1});
  launch(kernel(own[0].data(), own[1].data(), own[2].data(), own[3].data(), count, &own_tile, own_numbers.data()),
         heads, {0, heads - 1});
  bool same = true;
  for (std::uint64_t r = 0; r < count; ++r)
    for (std::uint64_t head : {std::uint64_t{0}, heads - 1})
      for (std::uint64_t d = 0; d < 128; ++d)
        same = same && out[(rows - count + r) * features + head * 128 + d] ==
                           own[3][static_cast<std::size_t>(r * features + head * 128 + d)];
  check(same, "attention");
}

void stored_bytes() {
  using Kernel = zeroth::cuda::StoredBytesKernel;
  std::uint64_t const bytes = limit + 1000;
  Sparse<std::byte> const stored(sizeof(Kernel) + bytes);
  Sparse<std::byte> const out(bytes);
  Kernel const* const kernel = new (stored.data()) Kernel{out.data(), bytes};
  for (std::uint64_t i = bytes - 900; i < bytes; ++i) stored[sizeof(Kernel) + i] = static_cast<std::byte>(i * 7);
  launch(*kernel, blocks_of(bytes), blocks_with(bytes - 900, 900));
  check(out.get(bytes - 900, 900) == stored.get(sizeof(Kernel) + bytes - 900, 900), "stored bytes");
}

}  // namespace

int main() {
  try {
    expansion();
    update(/*with_places=*/false);
    update(/*with_places=*/true);
    update_with_state();
    mask_words();
    histogram();
    activations();
    rotary_table();
    head();
    attention();
    stored_bytes();
  } catch (std::bad_alloc const&) {
    std::printf("skipped: so much memory cannot be mapped\n");
    return 77;
  }
  return wrong == 0 ? 0 : 1;
}

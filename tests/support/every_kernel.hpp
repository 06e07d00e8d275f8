// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/apply.hpp>
#include <zeroth/backend/cuda/expand.hpp>
#include <zeroth/backend/cuda/graph_stream.hpp>
#include <zeroth/backend/cuda/histogram.hpp>
#include <zeroth/backend/cuda/mask_words.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/sign_sgd.hpp>
#include <zeroth_model/ops/cuda/attention.hpp>
#include <zeroth_model/ops/cuda/copy_rows.hpp>
#include <zeroth_model/ops/cuda/elementwise.hpp>
#include <zeroth_model/ops/cuda/head.hpp>
#include <zeroth_model/ops/cuda/norm.hpp>
#include <zeroth_model/ops/cuda/rotary.hpp>

#include "tensors.hpp"

namespace zeroth_test {

/// The output of a kernel.
struct KernelOutput {
  std::string name;  ///< name of kernel and case
  bool is_exact;     ///< promised to the bit, whatever it runs on
  std::vector<std::byte> bytes;
  bool operator==(KernelOutput const&) const = default;
};

/// Launches every CUDA kernel on a stream, each on a few blocks, and keeps its output. Weights have only the alignment
/// of their type. Uses only the standard library, so it serves a device, threads under a sanitizer and the tests alike.
template <class Stream>
class EveryKernel {
 public:
  explicit EveryKernel(Stream stream) : stream_(std::move(stream)) {}

  /// @param dtypes of weights and activations
  [[nodiscard]] std::vector<KernelOutput> run(std::initializer_list<zeroth::DataType> dtypes) {
    for (zeroth::DataType dtype : dtypes) {
      expansions<zeroth::Gaussian>(dtype, "Gaussian");
      expansions<zeroth::Rademacher>(dtype, "Rademacher");
      passes(dtype);
      masks(dtype);
      rows(dtype);
      attention<64>(dtype, 24);
      attention<128>(dtype, 96);
      attention<256>(dtype, 136);
    }
    stored_bytes();
    head();
    return std::move(outputs_);
  }

 private:
  using Smallest = zeroth::MagnitudeRule<true>;

  static constexpr std::uint64_t weights = 517;
  static constexpr std::uint64_t offset = 333;  ///< of the tensor within a larger one
  static constexpr std::uint32_t stream_id = 77;
  // About half of normal_weights.
  static constexpr zeroth::TensorMask<Smallest> mask{zeroth::Coverage::some, {0x3c600000U}};

  /// Values on the device.
  class Values {
   public:
    Values(Stream const& stream, void const* from, std::size_t bytes, std::size_t shift = 0)
        : memory_(stream.allocate(bytes + shift, "values")), begin_(memory_.get() + shift), bytes_(bytes) {
      if (from != nullptr) stream.transfer(begin_, from, bytes, "values");
    }
    template <class T>
    [[nodiscard]] T* as() const {
      return reinterpret_cast<T*>(begin_);
    }
    [[nodiscard]] void* data() const { return begin_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

   private:
    std::shared_ptr<std::byte> memory_;
    std::byte* begin_;
    std::size_t bytes_;
  };

  [[nodiscard]] Values zeros(std::size_t bytes) const { return Values(stream_, nullptr, bytes); }
  template <class T>
  [[nodiscard]] Values list(std::vector<T> const& values) const {
    return Values(stream_, values.data(), values.size() * sizeof(T));
  }
  /// Normal values of a type. @param shifted by one element from an address where wider reads may begin
  [[nodiscard]] Values normal(zeroth::DataType dtype, std::size_t count, std::uint64_t seed, float scale = 0.02F,
                              bool shifted = false) const {
    std::vector<float> const floats = normal_weights(count, seed, scale);
    std::size_t const shift = shifted ? zeroth::size_of(dtype) : 0;
    if (dtype == zeroth::DataType::f32) return Values(stream_, floats.data(), count * sizeof(float), shift);
    std::vector<std::uint16_t> narrowed;
    for (float value : floats) narrowed.push_back(narrow(dtype, value));
    return Values(stream_, narrowed.data(), count * sizeof(std::uint16_t), shift);
  }

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t threads) const {
    launch_blocks(kernel, (threads + zeroth::cuda::block_threads - 1) / zeroth::cuda::block_threads);
  }
  template <class Kernel>
  void launch_blocks(Kernel const& kernel, std::uint64_t blocks) const {
    stream_.launch(kernel, blocks, "every kernel");
  }

  void keep(std::string name, Values const& values, bool is_exact = true) {
    std::vector<std::byte> bytes(values.bytes());
    stream_.transfer(bytes.data(), values.data(), bytes.size(), name);
    outputs_.push_back({std::move(name), is_exact, std::move(bytes)});
  }
  static std::string of(char const* kernel, zeroth::DataType dtype, std::string const& more = "") {
    return std::string(kernel) + " of " + std::string(to_string(dtype)) + (more.empty() ? "" : ", ") + more;
  }

  template <class S>
  void expansions(zeroth::DataType dtype, char const* sampler) {
    using Kernel = zeroth::cuda::ExpandKernel<S, Smallest>;
    using Share = zeroth::cuda::TileShare<S>;
    Values const theta = normal(dtype, weights, 1, 0.02F, /*shifted=*/true);
    for (zeroth::DataType panel_dtype : {zeroth::DataType::f32, zeroth::DataType::bf16}) {
      // A range, and pieces of it in a different order.
      std::vector<std::uint64_t> const pieces{3, 0, 3};
      Values const there = list(pieces);
      for (bool in_pieces : {false, true}) {
        std::uint64_t const first = in_pieces ? 0 : 5;
        std::uint64_t const count = in_pieces ? 120 : 500;
        std::uint64_t const size = in_pieces ? count * pieces.size() : count;
        Kernel kernel{};
        kernel.weights = theta.template as<std::byte>() + first * zeroth::size_of(dtype);
        kernel.dtype = dtype;
        kernel.panel_dtype = panel_dtype;
        kernel.first = offset + first;
        kernel.count = count;
        kernel.stream = stream_id;
        kernel.mask = mask;
        kernel.noise = {{}, 7, 3};
        std::vector<Values> panels;
        float const signs[] = {1, -1, 0, 1};
        for (unsigned lane = 0; lane < 4; ++lane) {
          panels.push_back(zeros(size * zeroth::size_of(panel_dtype)));
          kernel.lane[kernel.lanes++] = {panels.back().data(), 1e-2F * signs[lane], lane / 3, signs[lane] != 0};
        }
        kernel.piece_count = in_pieces ? pieces.size() : 1;
        kernel.pieces = in_pieces ? there.template as<std::uint64_t const>() : nullptr;
        kernel.piece_threads = Share::most_threads_of(count);
        launch(kernel, in_pieces ? pieces.size() * kernel.piece_threads : Share::threads_of(kernel.first, count));
        for (Values const& panel : panels)
          keep(of("ExpandKernel", dtype, std::string(sampler) + (in_pieces ? ", pieces" : "")), panel);
      }
    }
  }

  /// Remainder places for four in five of the weights.
  struct Places {
    std::vector<std::uint64_t> words;

    Places() : words((offset % zeroth::tile_size + weights + zeroth::tile_size - 1) / zeroth::tile_size * 2) {
      std::uint64_t const origin = offset / zeroth::tile_size * zeroth::tile_size;
      for (std::uint64_t w = 0; w < words.size(); ++w) {
        for (std::uint64_t b = 0; b < 64; ++b) {
          std::uint64_t const element = origin + w * 64 + b;
          if (element < offset || element >= offset + weights || element % 5 == 3) continue;
          words[w] |= std::uint64_t{1} << b;
        }
      }
    }
  };

  template <class Change>
  void pass(zeroth::DataType dtype, zeroth::Rounding rounding, Change const& change, bool with_places, bool previews,
            std::string const& name) {
    using Kernel = zeroth::cuda::ApplyKernel<zeroth::Gaussian, Smallest, Change>;
    Places const places;
    Values const words = list(places.words);
    zeroth::PlaceIndex const index(places.words);
    Values const group_place = list(index.group_place);
    Values const first_place = list(index.first_place);
    std::vector<zeroth::NoiseTerm> terms;
    for (std::uint32_t t = 0; t < zeroth::cuda::Terms::few_terms + 4; ++t) terms.push_back({3 - t % 2, t, 1e-4F});
    Values const many = list(terms);
    Values const data = normal(dtype, weights, 2, 0.02F, /*shifted=*/true);
    Values const active = zeros(sizeof(unsigned long long));
    Values const panel = zeros(weights * sizeof(float));
    Values const remainders = zeros(weights * 2);
    Kernel kernel{data.data(), data.data(), dtype, offset,   0,      weights, stream_id, mask,   {{}, 7, 3},
                  {},          {},          0.01F, rounding, change, {},      nullptr,   nullptr};
    kernel.restore.count = 1;
    kernel.restore.few[0] = {3, 0, 1e-3F};
    kernel.terms.count = static_cast<unsigned>(terms.size());
    kernel.terms.many = many.template as<zeroth::NoiseTerm const>();
    kernel.remainders.data = remainders.data();
    if (with_places) {
      kernel.remainders.places = words.template as<std::uint64_t const>();
      kernel.remainders.group_place = group_place.template as<std::uint64_t const>();
      kernel.remainders.first_place = first_place.template as<std::uint16_t const>();
    }
    if (previews) kernel.panel = panel.template as<float>();
    kernel.active = active.template as<unsigned long long>();
    launch(kernel, zeroth::cuda::TileShare<zeroth::Gaussian>::threads_of(offset, weights));
    keep(of("ApplyKernel", dtype, name), data);
    keep(of("ApplyKernel", dtype, name + ", remainders"), remainders);
    keep(of("ApplyKernel", dtype, name + ", active"), active);
    keep(of("ApplyKernel", dtype, name + ", panel"), panel);
  }

  void passes(zeroth::DataType dtype) {
    for (zeroth::Rounding rounding : {zeroth::Rounding::nearest, zeroth::Rounding::stochastic,
                                      zeroth::Rounding::compensated, zeroth::Rounding::extra_byte}) {
      if (dtype == zeroth::DataType::f32 && rounding != zeroth::Rounding::nearest) continue;
      for (bool with_places : {false, true}) {
        pass(dtype, rounding, zeroth::cuda::TermsChange{}, with_places, /*previews=*/false,
             std::string(to_string(rounding)));
        pass(dtype, rounding, zeroth::cuda::TermsChange{}, with_places, /*previews=*/true,
             std::string(to_string(rounding)) + ", preview");
      }
    }
    Values const state = normal(zeroth::DataType::f32, 2 * weights, 3, 1e-3F);
    zeroth::AdamRule const rule{0.9F, 0.1F, 0.99F, 0.01F, 1, 1, 1e-8F, 1e-3F};
    pass(dtype, zeroth::Rounding::nearest, zeroth::cuda::RuleChange<zeroth::SignRule>{{1e-3F}, nullptr, weights},
         /*with_places=*/false,
         /*previews=*/false, "sign");
    // Its square root needs nonnegative sums.
    std::vector<float> planes(2 * weights);
    stream_.transfer(planes.data(), state.data(), state.bytes(), "state");
    for (float& value : planes) value = value < 0 ? -value : value;
    stream_.transfer(state.data(), planes.data(), state.bytes(), "state");
    pass(dtype, zeroth::Rounding::nearest,
         zeroth::cuda::RuleChange<zeroth::AdamRule>{rule, state.template as<float>(), weights}, false, false, "Adam");
    keep(of("ApplyKernel", dtype, "state"), state);
  }

  void masks(zeroth::DataType dtype) {
    for (bool shifted : {false, true}) {
      Values const theta = normal(dtype, weights, 4, 0.02F, shifted);
      std::uint64_t const origin = offset / zeroth::tile_size * zeroth::tile_size;
      std::uint64_t const words = (offset + weights - origin + 63) / 64;
      Values const bits = zeros(words * sizeof(std::uint64_t));
      launch(zeroth::cuda::MaskWordsKernel<Smallest>{theta.data(), dtype, offset, weights, origin, mask, words,
                                                     bits.template as<std::uint64_t>()},
             words);
      keep(of("MaskWordsKernel", dtype), bits);
      Values const counts = zeros(zeroth::cuda::HistogramKernel::max_bins * sizeof(unsigned long long));
      launch_blocks(zeroth::cuda::HistogramKernel{theta.data(), dtype, weights, 20, 11, 0,
                                                  counts.template as<unsigned long long>()},
                    2);
      keep(of("HistogramKernel", dtype), counts);
    }
  }

  /// Kernels on activations, with two lanes.
  void rows(zeroth::DataType dtype) {
    using namespace zeroth::model::cuda;  // NOLINT(google-build-using-namespace): a dozen kernels
    constexpr std::uint64_t lanes = 2;
    constexpr std::uint64_t count = 3;
    constexpr std::uint64_t features = 302;
    constexpr std::size_t size = lanes * count * features;
    auto view = [&](Values const& values) { return LaneRows{values.data(), dtype, lanes, count, features}; };
    Values const in = normal(dtype, size, 5, 1);
    Values const gain = normal(dtype, features, 6, 1, /*shifted=*/true);
    Values const bias = normal(zeroth::DataType::f32, lanes * features, 7, 1);
    LaneWeights const gains{gain.data(), dtype, 0};
    LaneWeights const biases{bias.data(), zeroth::DataType::f32, features};
    Values const out = zeros(in.bytes());
    launch_blocks(RmsNormKernel{view(in), view(out), gains, 1e-5F}, lanes * count);
    keep(of("RmsNormKernel", dtype), out, false);
    launch_blocks(LayerNormKernel{view(in), view(out), gains, biases, 1e-5F}, lanes * count);
    keep(of("LayerNormKernel", dtype), out, false);

    std::vector<std::uint64_t> const chosen{2, 0, 2};
    Values const indices = list(chosen);
    for (bool adds : {false, true}) {
      launch(CopyRowsKernel{{in.data(), dtype, count * features},
                            features,
                            indices.template as<std::uint64_t const>(),
                            0,
                            view(out),
                            count * features,
                            features,
                            adds},
             size);
      keep(of("CopyRowsKernel", dtype), out, !adds);
    }
    elementwise<Add>(dtype, size, "Add", true);
    elementwise<Relu>(dtype, size, "Relu", true);
    elementwise<SwiGlu>(dtype, size, "SwiGlu", false);
    elementwise<GeGlu>(dtype, size, "GeGlu", false);
    elementwise<Scale>(dtype, size, "Scale", true);
    elementwise<SoftCap>(dtype, size, "SoftCap", false);
    rotary(dtype);
  }

  template <class Operation>
  void elementwise(zeroth::DataType dtype, std::size_t size, char const* name, bool is_exact) {
    using Kernel = zeroth::model::cuda::ElementwiseKernel<Operation>;
    size -= 3;  // not whole packets
    Values const x = normal(dtype, size, 8, 1);
    Values const y = normal(dtype, size, 9, 1);
    launch(Kernel{{x.data(), dtype, 1, 1, size}, y.data()}, (size + Kernel::size - 1) / Kernel::size);
    keep(of("ElementwiseKernel", dtype, name), x, is_exact);
  }

  void rotary(zeroth::DataType dtype) {
    using namespace zeroth::model::cuda;  // NOLINT(google-build-using-namespace)
    constexpr std::uint64_t lanes = 2;
    constexpr std::uint64_t pairs = 12;
    constexpr std::uint64_t heads = 5;
    Values const positions = list(std::vector<std::uint64_t>{0, 9, 4000});
    Values const frequencies = list([] {
      std::vector<double> all(pairs, 1);
      for (std::size_t i = 1; i < pairs; ++i) all[i] = all[i - 1] / 2;
      return all;
    }());
    constexpr std::uint64_t count = 3;
    Values const table = zeros(2 * count * pairs * sizeof(float));
    launch(RotaryTableKernel{positions.template as<std::uint64_t const>(), frequencies.template as<double const>(),
                             count, pairs, table.template as<float>()},
           count * pairs);
    keep("RotaryTableKernel", table, false);
    for (auto pairing : {zeroth::model::RotaryPairing::adjacent, zeroth::model::RotaryPairing::halves}) {
      std::size_t const size = lanes * count * heads * 2 * pairs;
      Values const x = normal(dtype, size, 10, 1);
      launch(RotateKernel{table.template as<float const>(), pairs, pairing,
                          LaneRows{x.data(), dtype, lanes, count, heads * 2 * pairs}},
             size / 2);
      keep(of("RotateKernel", dtype), x, false);
      // Heads whose first elements are rotated.
      launch(RotateKernel{table.template as<float const>(), pairs / 2, pairing,
                          LaneRows{x.data(), dtype, lanes, count, heads * 2 * pairs}, 2 * pairs},
             size / 4);
      keep(of("RotateKernel", dtype, "part of heads"), x, false);
    }
  }

  void stored_bytes() {
    using Kernel = zeroth::cuda::StoredBytesKernel;
    std::vector<std::byte> values(sizeof(Kernel) + 301);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::byte>(i * 7);
    Values const out = zeros(301);
    Kernel const kernel{out.template as<std::byte>(), 301};
    std::copy_n(reinterpret_cast<std::byte const*>(&kernel), sizeof kernel, values.begin());
    Values const there = list(values);
    stream_.launch_stored(there.template as<Kernel const>(), 2, "every kernel");
    keep("StoredBytesKernel", out);
  }

  /// Three segments, one of them after a prefix, in tiles; with a window and a cap, and without.
  template <unsigned most_dim>
  void attention(zeroth::DataType dtype, unsigned dim) {
    using namespace zeroth::model::cuda;  // NOLINT(google-build-using-namespace)
    using Kernel = AttentionKernel<most_dim>;
    constexpr std::uint64_t heads = 2;
    constexpr std::uint64_t rows = 40 + 3;
    std::vector<AttentionTile> tiles;
    for (std::uint64_t first = 0; first < 40; first += Kernel::queries)
      tiles.push_back({first, std::min<std::uint64_t>(Kernel::queries, 40 - first), 0, 0, 0});
    tiles.push_back({40, 3, 40, 0, 40});
    std::vector<std::uint64_t> queries;
    for (std::uint64_t r = 0; r < rows; ++r) queries.push_back(r);
    Values const tile_list = list(tiles);
    Values const row_list = list(queries);
    Values const q = normal(dtype, rows * heads * dim, 11, 1);
    Values const k = normal(dtype, rows * dim, 12, 1);
    Values const v = normal(dtype, rows * dim, 13, 1);
    struct Case {
      std::uint64_t window;
      float soft_cap;
    };
    for (Case c : {Case{0, 0}, Case{9, 0}, Case{9, 2}}) {
      Values const out = zeros(q.bytes());
      launch_blocks(Kernel{{q.data(), dtype, 1, rows, heads * dim},
                           {k.data(), dtype, 1, rows, dim},
                           {v.data(), dtype, 1, rows, dim},
                           {out.data(), dtype, 1, rows, heads * dim},
                           tile_list.template as<AttentionTile const>(),
                           tiles.size(),
                           row_list.template as<std::uint64_t const>(),
                           heads,
                           1,
                           dim,
                           c.window,
                           0.125F,
                           c.soft_cap},
                    heads * tiles.size());
      keep(of("AttentionKernel", dtype, std::to_string(most_dim)), out, false);
    }
  }

  /// Logits in two parts of the vocabulary.
  void head() {
    using namespace zeroth::model::cuda;  // NOLINT(google-build-using-namespace)
    constexpr std::uint64_t lanes = 2;
    constexpr std::uint64_t rows = 3;
    constexpr std::uint64_t tokens = 700;
    std::vector<HeadRequest> const wanted{{0, 3}, {2, 699}, {1, 400}, {2, 0}};
    Values const requests = list(wanted);
    Values const tops = zeros(lanes * rows * sizeof(float));
    Values const sums = zeros(lanes * rows * sizeof(double));
    Values const picked = zeros(lanes * wanted.size() * sizeof(double));
    for (std::uint64_t first : {0U, 300U}) {
      std::uint64_t const count = first == 0 ? 300 : tokens - 300;
      Values const logits = normal(zeroth::DataType::f32, lanes * rows * count, 14 + first, 3);
      LogitsPart const part{logits.template as<float const>(), lanes, 0, rows, first, count};
      launch_blocks(LogSumKernel{part, rows, tops.template as<float>(), sums.template as<double>()}, lanes * rows);
      launch(PickKernel{part, requests.template as<HeadRequest const>(), wanted.size(), picked.template as<double>()},
             lanes * wanted.size());
    }
    keep("LogSumKernel", tops, false);
    keep("LogSumKernel, sums", sums, false);
    keep("PickKernel", picked);
    launch(NormaliseKernel{requests.template as<HeadRequest const>(), wanted.size(), lanes, rows,
                           tops.template as<float const>(), sums.template as<double const>(),
                           picked.template as<double>()},
           lanes * wanted.size());
    keep("NormaliseKernel", picked, false);
  }

  Stream stream_;
  std::vector<KernelOutput> outputs_;
};

template <class Stream>
[[nodiscard]] std::vector<KernelOutput> run_every_kernel(Stream const& stream,
                                                         std::initializer_list<zeroth::DataType> dtypes = {
                                                             zeroth::DataType::f32, zeroth::DataType::bf16,
                                                             zeroth::DataType::f16}) {
  return EveryKernel<Stream>(stream).run(dtypes);
}

}  // namespace zeroth_test

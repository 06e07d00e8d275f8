// SPDX-License-Identifier: MIT
// Work that CUDA's set collects and runs as graphs gives the same bits as work handed over piece by piece.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "cuda_steps.hpp"
#include "deferred_stream.hpp"
#include "host_products.hpp"
#include "zeroth/backend/cuda/graph_stream.hpp"
#include "zeroth/backend/reference.hpp"
#include "zeroth/mask/dense.hpp"
#include "zeroth_model/ops/cuda/copy_rows.hpp"
#include "zeroth_model/ops/cuda/graph_products.hpp"

using namespace zeroth_test;
using zeroth::DataType;
using Graphs = zeroth::cuda::GraphStream<DeferredStream>;
using GraphProducts = zeroth::model::cuda::GraphProducts<DeferredStream, KernelProducts<DeferredStream>>;

TEST_CASE("steps of CUDA's set as graphs have the bits of steps without, in every order that is allowed") {
  constexpr std::size_t steps = 6;
  for (DataType dtype : {DataType::f32, DataType::bf16}) {
    for (char const* name : {"llama3", "opt"}) {
      INFO(name << " in " << to_string(dtype));
      StepResult const expected = run_steps(name, dtype, dtype, HostStream{}, HostProducts{}, steps);
      for (Order order : {Order::side_early, Order::side_late, Order::random}) {
        DeferredStream const beneath(order);
        Graphs const stream(beneath);
        GraphProducts const products(stream, KernelProducts<DeferredStream>{beneath});
        CHECK(run_steps(name, dtype, dtype, stream, products, steps) == expected);
        // Two passes of a probe and two plain ones for each kind of score, and all updates but the first. Remainders
        // and state are allocated before the first of these.
        CHECK(stream.replays() == 2 * 4 + steps - 1);
      }
    }
  }
}

namespace {

/// Two numbers that kernels change, and a stream that collects.
struct Collected {
  DeferredStream beneath;
  explicit Collected(Order order = Order::side_late, unsigned seed = 0) : beneath(order, seed) {}
  Graphs stream{beneath};
  std::shared_ptr<std::byte> memory = stream.allocate(64 * sizeof(float), "numbers");

  [[nodiscard]] float* at(std::size_t i) const { return reinterpret_cast<float*>(memory.get()) + i; }
  void set(std::size_t i, float value) const { stream.upload(at(i), &value, sizeof value, "number"); }
  void copy(std::size_t from, std::size_t to, std::uint64_t blocks = 1) const {
    zeroth::model::cuda::CopyRowsKernel const kernel{{at(from)}, 1, nullptr, 0, {at(to), DataType::f32, 1, 1, 1},
                                                     1,          1, false};
    stream.launch(kernel, blocks, "copy");
  }
  [[nodiscard]] float get(std::size_t i) const {
    float value = 0;
    stream.transfer(&value, at(i), sizeof value, "number");
    return value;
  }
};

}  // namespace

TEST_CASE("a list whose values differ is replayed with its own") {
  Collected const work;
  for (std::size_t i = 0; i < 5; ++i) {
    work.stream.collect();
    work.set(i, static_cast<float>(10 + i));
    work.copy(i, 20 + i);
    CHECK(work.get(20 + i) == static_cast<float>(10 + i));
    CHECK(work.stream.replays() == i);
  }
}

TEST_CASE("lists of other grids, products or sizes are handed over piece by piece") {
  Collected const work;
  auto run = [&](std::uint64_t blocks, std::size_t uploads) {
    work.stream.collect();
    for (std::size_t i = 0; i < uploads; ++i) work.set(i, 3);
    work.copy(0, 30, blocks);
    CHECK(work.get(30) == 3);
  };
  run(1, 1);
  run(2, 1);
  run(1, 2);
  CHECK(work.stream.replays() == 0);
  CHECK(work.stream.pieces() == 7);
  run(1, 1);
  run(2, 1);
  run(1, 2);
  CHECK(work.stream.replays() == 3);
  CHECK(work.stream.pieces() == 7);
  GraphProducts const products(work.stream, KernelProducts<DeferredStream>{work.beneath});
  auto multiply = [&](float alpha) {
    work.stream.collect();
    zeroth::model::cuda::Product product{};
    product.batch = product.rows = product.outputs = product.columns = product.out_row = 1;
    product.dtype = product.out_dtype = DataType::f32;
    product.in = product.weights = work.at(0);
    product.out = work.at(40);
    product.alpha = alpha;
    products.run(product, "product");
    CHECK(work.get(40) == 9 * alpha);
  };
  multiply(1);
  multiply(2);
  CHECK(work.stream.replays() == 3);
  multiply(2);
  CHECK(work.stream.replays() == 4);
}

TEST_CASE("the graphs that were used last are kept, and no more") {
  Collected const work;
  auto run = [&](std::uint64_t blocks) {
    work.stream.collect();
    work.copy(0, 1, blocks);
    work.stream.synchronize("");
  };
  for (std::uint64_t blocks = 1; blocks <= Graphs::most_graphs; ++blocks) run(blocks);
  run(1);
  CHECK(work.stream.replays() == 1);
  run(Graphs::most_graphs + 1);  // replaces the graph of 2 blocks
  run(2);
  CHECK(work.stream.replays() == 1);
  run(1);
  CHECK(work.stream.replays() == 2);
}

TEST_CASE("what was collected is done before memory goes, and before zeros and transfers") {
  Collected const work;
  work.stream.collect();
  work.set(0, 5);
  {
    std::shared_ptr<std::byte> const other = work.stream.allocate(sizeof(float), "other");
    zeroth::model::cuda::CopyRowsKernel const there{
        {work.at(0)}, 1, nullptr, 0, {other.get(), DataType::f32, 1, 1, 1}, 1, 1, false};
    zeroth::model::cuda::CopyRowsKernel const back{
        {other.get()}, 1, nullptr, 0, {work.at(1), DataType::f32, 1, 1, 1}, 1, 1, false};
    work.stream.launch(there, 1, "there");
    work.stream.launch(back, 1, "back");
  }
  work.copy(1, 2);
  work.stream.zero(work.at(1), sizeof(float), "zero");
  CHECK(work.get(1) == 0);
  CHECK(work.get(2) == 5);
}

namespace {

/// Logits of sequences that grow token by token, while their keys and values outgrow their memory, with other scores in
/// between.
template <class Stream, class Products>
std::vector<double> run_next(std::string const& name, DataType stored, DataType computed, Stream const& stream,
                             Products const& products) {
  zeroth::model::DecoderWeights const weights =
      zeroth::model::load_hugging_face(std::filesystem::path(golden_file("families/" + name)), stored);
  zeroth::model::Decoder decoder(weights,
                                 zeroth::model::cuda::BasicOps<Stream, Products>(
                                     stream, products, {.dtype = computed, .panel_bytes = 6000, .logits_bytes = 5000}));
  Tokens const tokens = golden_sequences("families/" + name + "/golden")[3].tokens;
  zeroth::model::PackedBatch other;
  add_scored(other, Tokens{3, 1, 2});
  std::vector<double> all;
  std::vector<double> logits(weights.config().vocabulary);
  for (std::size_t first : {std::size_t{3}, std::size_t{2}}) {
    decoder.restart();
    std::span<std::int32_t const> left = std::span(tokens).first(20);
    for (std::size_t count = first; !left.empty(); count = 1) {
      decoder.next(left.first(count), logits);
      left = left.subspan(count);
      all.insert(all.end(), logits.begin(), logits.end());
      if (left.size() % 5 != 0) continue;
      auto const scores = score(decoder, other);
      all.insert(all.end(), scores.begin(), scores.end());
    }
  }
  return all;
}

}  // namespace

TEST_CASE(
    "a sequence that continues token by token as graphs has the bits of one without, whatever the weights' type") {
  for (auto [stored, computed] : std::initializer_list<std::pair<DataType, DataType>>{
           {DataType::f32, DataType::f32}, {DataType::bf16, DataType::f32}, {DataType::f32, DataType::bf16}}) {
    for (char const* name : {"llama3", "opt"}) {
      INFO(name << " of " << to_string(stored) << " in " << to_string(computed));
      auto const expected = run_next(name, stored, computed, HostStream{}, HostProducts{});
      for (Order order : {Order::side_early, Order::side_late, Order::random}) {
        DeferredStream const beneath(order);
        Graphs const stream(beneath);
        GraphProducts const products(stream, KernelProducts<DeferredStream>{beneath});
        CHECK(run_next(name, stored, computed, stream, products) == expected);
        CHECK(stream.replays() > 0);
      }
    }
  }
}

TEST_CASE("steps as graphs have the bits of steps without where the operations have another type than the weights") {
  constexpr std::size_t steps = 6;
  for (auto [stored, computed] : std::initializer_list<std::pair<DataType, DataType>>{{DataType::bf16, DataType::f32},
                                                                                      {DataType::f32, DataType::f16}}) {
    StepResult const expected = run_steps("llama3", stored, computed, HostStream{}, HostProducts{}, steps);
    for (Order order : {Order::side_early, Order::side_late, Order::random}) {
      DeferredStream const beneath(order);
      Graphs const stream(beneath);
      GraphProducts const products(stream, KernelProducts<DeferredStream>{beneath});
      CHECK(run_steps("llama3", stored, computed, stream, products, steps) == expected);
      CHECK(stream.replays() > 2 * 4);
    }
  }
}

TEST_CASE("work of either queue keeps its order wherever a list ends") {
  // Three times, so that each part is handed over piece by piece, then made a graph, then reused.
  for (Order order : {Order::side_early, Order::side_late, Order::random}) {
    for (bool ends_on_side : {false, true}) {
      for (bool collects_again : {false, true}) {
        INFO("order " << static_cast<int>(order) << ", ends on side " << ends_on_side << ", collects again "
                      << collects_again);
        Collected const work(order);
        auto const written = work.stream.make_event();
        auto const read = work.stream.make_event();
        for (int turn = 0; turn < 3; ++turn) {
          auto const value = static_cast<float>(10 + turn);
          work.set(0, value);
          work.stream.collect();
          {
            work.stream.record(written);
            auto const side = work.stream.side();
            work.stream.wait(written);
            work.copy(0, 1);
            work.stream.record(read);
          }
          work.copy(0, 2);
          work.stream.wait(read);
          work.copy(1, 3);
          work.stream.record(written);
          float found = 0;
          if (ends_on_side) {
            // Side-queue work comes after the work collected for the side queue.
            auto const side = work.stream.side();
            work.stream.transfer(&found, work.at(1), sizeof found, "end");
          } else {
            work.stream.transfer(&found, work.at(3), sizeof found, "end");
          }
          CHECK(found == value);
          if (collects_again) work.stream.collect();
          {
            auto const side = work.stream.side();
            work.stream.wait(written);  // marked in the previous list
            work.copy(3, 4);
            work.stream.record(read);
          }
          work.stream.wait(read);
          work.copy(4, 5);
          CHECK(work.get(5) == value);
        }
        CHECK(work.stream.replays() > 0);
      }
    }
  }
}

TEST_CASE("a list comes after events that were marked before it was collected") {
  for (Order order : {Order::side_early, Order::side_late}) {
    Collected const work(order);
    work.stream.synchronize("the zeros of its memory");
    auto const written = work.stream.make_event();
    for (int turn = 0; turn < 3; ++turn) {
      auto const value = static_cast<float>(10 + turn);
      {
        auto const side = work.stream.side();
        work.set(0, value);
        work.stream.record(written);
      }
      work.stream.collect();
      work.stream.wait(written);
      work.copy(0, 1);
      CHECK(work.get(1) == value);
    }
    CHECK(work.stream.replays() == 2);
  }
}

TEST_CASE("a graph's part of the side queue comes after that queue's earlier work") {
  // In both worst orders the stream's side queue runs before the graph's: only random orders can show the opposite.
  for (unsigned seed = 0; seed < 100; ++seed) {
    Collected const work(Order::random, seed);
    work.stream.synchronize("the zeros of its memory");
    auto const read = work.stream.make_event();
    for (int turn = 0; turn < 3; ++turn) {
      auto const value = static_cast<float>(10 + turn);
      {
        auto const side = work.stream.side();
        work.set(0, value);
      }
      work.stream.collect();
      {
        auto const side = work.stream.side();
        work.copy(0, 1);
        work.stream.record(read);
      }
      work.stream.wait(read);
      work.copy(1, 2);
      CHECK(work.get(2) == value);
    }
    CHECK(work.stream.replays() == 2);
  }
}

TEST_CASE("a grid that no device takes is rejected where it is requested") {
  Collected const work;
  for (bool collects : {false, true}) {
    if (collects) work.stream.collect();
    CHECK_THROWS_WITH(work.copy(0, 1, 0),
                      contains_text("launch (copy): expected a grid of 1 to 2147483647 blocks, got 0"));
    CHECK_THROWS_WITH(work.copy(0, 1, std::uint64_t{1} << 31), contains_text("got 2147483648"));
  }
  work.copy(0, 1);
  work.stream.synchronize("");
}

TEST_CASE("the model of CUDA's graphs rejects what CUDA refuses") {
  DeferredStream const stream;
  Collected const work;
  auto const event = stream.make_event();
  auto const other = stream.make_event();
  stream.record(other);
  auto capture = [&](auto const& body) { return stream.capture(body, "graph"); };
  CHECK_THROWS_WITH(capture([&] { stream.wait(other); }), contains_text("a wait for what the graph does not mark"));
  CHECK_THROWS_WITH(capture([&] {
                      auto const side = stream.side();
                      stream.zero(work.at(0), 4, "");
                    }),
                    contains_text("does not begin with a wait"));
  CHECK_THROWS_WITH(capture([&] {
                      stream.record(event);
                      auto const side = stream.side();
                      stream.wait(event);
                    }),
                    contains_text("does not wait for its side queue"));
  zeroth::cuda::StoredBytesKernel const kernel{nullptr, 0};
  CHECK_THROWS_WITH(capture([&] { stream.launch_stored(&kernel, 1, ""); }), contains_text("has to be loaded"));
  CHECK_THROWS_WITH(capture([&] { static_cast<void>(stream.allocate(1, "")); }), contains_text("does not capture"));
  auto const graph = capture([&] { stream.record(event); });
  CHECK_THROWS_WITH(stream.wait(event), contains_text("last marked in a capture"));
  stream.replay(graph, "");
  CHECK_THROWS_WITH(stream.wait(event), contains_text("last marked in a capture"));
  stream.record(event);
  stream.wait(event);
  stream.synchronize("");
}

TEST_CASE("an update of many terms is one graph") {
  DeferredStream const beneath;
  Graphs const stream(beneath);
  zeroth::cuda::BasicBackend<Graphs> const backend(stream);
  std::vector<float> const start{1, 2, 3};
  auto const memory = backend.allocate(start.size() * sizeof(float));
  backend.transfer(memory.get(), start.data(), start.size() * sizeof(float));
  std::vector<float> expected = start;
  zeroth::Parameter const there{"w", zeroth::Role::matrix, {1, 3}, DataType::f32, memory.get(), 7, 0};
  zeroth::Parameter here = there;
  here.data = expected.data();
  zeroth::TensorMask<zeroth::Dense::Rule> const all{zeroth::Coverage::all, {}};
  for (std::uint32_t step = 0; step < 4; ++step) {
    std::vector<zeroth::NoiseTerm> terms;
    for (std::uint32_t t = 0; t < 2 * zeroth::cuda::Terms::few_terms; ++t) terms.push_back({step, t, 0.01F});
    zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 5, step};
    backend.count_later();
    backend.apply(there, nullptr, all, noise, {.terms = terms});
    CHECK(backend.counted() == 3);
    zeroth::ReferenceBackend{}.apply(here, nullptr, all, noise, {.terms = terms});
    std::vector<float> found(3);
    backend.read(there, 0, found);
    CHECK(found == expected);
    CHECK(stream.replays() == step);
  }
}

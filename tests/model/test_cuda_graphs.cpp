// SPDX-License-Identifier: MIT
// Work that CUDA's set collects and runs as graphs gives the bits of work that is handed over piece by piece.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cuda_steps.hpp"
#include "deferred_stream.hpp"
#include "host_products.hpp"
#include "zeroth/backend/cuda/graph_stream.hpp"
#include "zeroth/model/cuda/copy_rows.hpp"
#include "zeroth/model/cuda/graph_products.hpp"

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
        // Of each kind of score two passes of a probe and two plain ones, and all updates but the first, or, where that
        // made memory beside the weights, the first two.
        CHECK(stream.replays() == 2 * 4 + steps - (dtype == DataType::f32 ? 1 : 2));
      }
    }
  }
}

namespace {

/// Two numbers that kernels move, and a stream that collects.
struct Collected {
  DeferredStream beneath;
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
  run(Graphs::most_graphs + 1);  // in place of that of 2 blocks
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

// SPDX-License-Identifier: MIT
// The work that CUDA's set puts on two queues, run in the worst orders that their events allow, gives the bits of one
// order.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "cuda_steps.hpp"
#include "deferred_stream.hpp"
#include "host_products.hpp"
#include "zeroth_model/ops/cuda/panel_buffers.hpp"

using namespace zeroth_test;
using zeroth::DataType;
using zeroth::model::cuda::PanelBuffers;
using zeroth::model::cuda::Workspace;

namespace {

StepResult run_deferred(std::string const& name, DataType stored, DataType computed, DeferredStream const& stream) {
  return run_steps(name, stored, computed, stream, KernelProducts<DeferredStream>{stream});
}

}  // namespace

TEST_CASE("steps of CUDA's set have the same bits in every order that its queues and events allow") {
  for (auto [stored, computed] : std::initializer_list<std::pair<DataType, DataType>>{
           {DataType::f32, DataType::f32}, {DataType::bf16, DataType::bf16}, {DataType::bf16, DataType::f32}}) {
    for (char const* name : {"llama3", "opt"}) {
      INFO(name << " of " << to_string(stored) << " in " << to_string(computed));
      StepResult const expected = run_steps(name, stored, computed, HostStream{}, HostProducts{});
      DeferredStream const early(Order::side_early);
      CHECK(run_deferred(name, stored, computed, early) == expected);
      CHECK(early.overtakings() > 0);
      CHECK(run_deferred(name, stored, computed, DeferredStream(Order::side_late)) == expected);
      for (unsigned seed = 0; seed < 3; ++seed)
        CHECK(run_deferred(name, stored, computed, DeferredStream(Order::random, seed)) == expected);
    }
  }
}

TEST_CASE("steps of CUDA's set have the same bits in every order of a phase's threads and a grid's blocks") {
  for (char const* name : {"llama3", "opt"}) {
    INFO(name);
    StepResult const expected = run_steps(name, DataType::bf16, DataType::bf16, HostStream{}, HostProducts{});
    for (Sequence sequence : {Sequence::reverse, Sequence::random})
      CHECK(run_steps(name, DataType::bf16, DataType::bf16, HostStream(sequence), HostProducts{}) == expected);
  }
}

namespace {

/// A HostStream that fills memory for passes, which need not be zero, with other values.
struct PoisonedStream : HostStream {
  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes, std::string const& what) const {
    std::shared_ptr<std::byte> memory = HostStream::allocate(bytes, what);
    if (what == "workspace of the transformer" || what == "keys and values") {
      // As f32, bf16 or f16: NaN. As a number of rows: more than exist.
      std::memset(memory.get(), 0xff, bytes);
      *poisoned += bytes;
    }
    return memory;
  }
  std::shared_ptr<std::size_t> poisoned = std::make_shared<std::size_t>(0);
};

}  // namespace

TEST_CASE("CUDA's set reads nothing of its memory that it has not written") {
  for (auto [stored, computed] : std::initializer_list<std::pair<DataType, DataType>>{
           {DataType::f32, DataType::f32}, {DataType::bf16, DataType::bf16}, {DataType::bf16, DataType::f32}}) {
    for (char const* name : {"llama3", "opt"}) {
      INFO(name << " of " << to_string(stored) << " in " << to_string(computed));
      PoisonedStream const stream;
      CHECK(run_steps(name, stored, computed, stream, HostProducts{}) ==
            run_steps(name, stored, computed, HostStream{}, HostProducts{}));
      CHECK(*stream.poisoned > 0);
    }
  }
}

TEST_CASE("an order that leaves out the waits of either queue does not have the same bits") {
  // Otherwise the test above could not fail.
  StepResult const expected = run_steps("llama3", DataType::f32, DataType::f32, HostStream{}, HostProducts{});
  DeferredStream const early(Order::side_early);
  early.ignore_waits(/*of_side=*/true);
  CHECK(run_deferred("llama3", DataType::f32, DataType::f32, early) != expected);
  DeferredStream const late(Order::side_late);
  late.ignore_waits(/*of_side=*/false);
  CHECK(run_deferred("llama3", DataType::f32, DataType::f32, late) != expected);
}

namespace {

/// Numbers in a deferred stream's memory, and copies of them by its kernels.
struct Numbers {
  static constexpr std::size_t count = 5;
  static constexpr std::size_t bytes = count * sizeof(float);
  DeferredStream stream;
  std::shared_ptr<std::byte> memory = stream.allocate(bytes, "numbers");

  [[nodiscard]] float* data() const { return reinterpret_cast<float*>(memory.get()); }
  void set(float value) const {
    std::vector<float> const values(count, value);
    stream.upload(memory.get(), values.data(), bytes, "numbers");
  }
  static void copy(DeferredStream const& stream, void const* from, void* to) {
    zeroth::model::cuda::CopyRowsKernel const kernel{{from}, count, nullptr, 0, {to, DataType::f32, 1, 1, count},
                                                     count,  count, false};
    stream.launch(kernel, 1, "copy");
  }
};

}  // namespace

TEST_CASE("panels of a pass are written after what was queued before it") {
  for (Order order : {Order::side_late, Order::side_early}) {
    DeferredStream const stream(order);
    Numbers const weights{stream};
    Numbers const out{stream};
    Workspace<DeferredStream> memory(stream);
    PanelBuffers buffers(memory);
    for (float value : {3.0F, 4.0F}) {
      weights.set(value);
      memory.begin_pass();
      buffers.begin(Numbers::bytes, /*overlaps=*/true);
      for (int panel = 0; panel < 3; ++panel)
        Numbers::copy(stream,
                      buffers.fill(Numbers::bytes, [&](void* to) { Numbers::copy(stream, weights.data(), to); }),
                      out.data());
    }
    stream.synchronize("");
    CHECK(std::count(out.data(), out.data() + Numbers::count, 4.0F) == Numbers::count);
  }
}

TEST_CASE("what reads a panel has read it before another is written there") {
  for (Order order : {Order::side_late, Order::side_early, Order::random}) {
    DeferredStream const stream(order);
    Workspace<DeferredStream> memory(stream);
    PanelBuffers buffers(memory);
    std::vector<Numbers> weights;
    std::vector<Numbers> out;
    for (int i = 0; i < 6; ++i) {
      weights.push_back({stream});
      out.push_back({stream});
      weights.back().set(static_cast<float>(i));
    }
    buffers.begin(Numbers::bytes, /*overlaps=*/true);
    for (std::size_t i = 0; i < out.size(); ++i) {
      // Some are taken for writes in the main order.
      void* panel = nullptr;
      if (i == 2 || i == 3) {
        panel = buffers.take(Numbers::bytes);
        Numbers::copy(stream, weights[i].data(), panel);
      } else {
        panel = buffers.fill(Numbers::bytes, [&](void* to) { Numbers::copy(stream, weights[i].data(), to); });
      }
      Numbers::copy(stream, panel, out[i].data());
    }
    stream.synchronize("");
    for (std::size_t i = 0; i < out.size(); ++i)
      CHECK(std::count(out[i].data(), out[i].data() + Numbers::count, static_cast<float>(i)) == Numbers::count);
  }
}

TEST_CASE("an expansion that fails leaves none behind that reads weights later") {
  DeferredStream const stream(Order::side_late);
  Numbers const weights{stream};
  Numbers const read{stream};
  Workspace<DeferredStream> memory(stream);
  PanelBuffers buffers(memory);
  weights.set(3);
  buffers.begin(Numbers::bytes, /*overlaps=*/true);
  auto fails = [&](void* /*panel*/) {
    Numbers::copy(stream, weights.data(), read.data());
    throw std::runtime_error("the next lane's");
  };
  CHECK_THROWS_AS(buffers.fill(Numbers::bytes, fails), std::runtime_error);
  weights.set(4);
  stream.synchronize("");
  {
    auto const side = stream.side();
    stream.synchronize("");
  }
  CHECK(read.data()[0] == 3.0F);
}

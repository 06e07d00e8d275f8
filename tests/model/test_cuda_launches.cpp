// SPDX-License-Identifier: MIT
// How often CUDA's set calls the device in a step on a small model, with and without graphs: docs/cuda.md has the
// figures. Nothing is computed.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "catch.hpp"
#include "golden.hpp"
#include "zeroth/backend/cuda/graph_stream.hpp"
#include "zeroth/mask/magnitude.hpp"
#include "zeroth/optimizer.hpp"
#include "zeroth/sampler/gaussian.hpp"
#include "zeroth_model/families/published_models.hpp"
#include "zeroth_model/ops/cuda/basic_ops.hpp"
#include "zeroth_model/ops/cuda/graph_products.hpp"

using namespace zeroth_test;
using zeroth::DataType;
namespace cuda = zeroth::cuda;

namespace {

struct Calls {
  std::size_t launches = 0;
  std::size_t products = 0;
  std::size_t uploads = 0;
  std::size_t replays = 0;
  std::size_t events = 0;  ///< marked or waited for
  bool captures = false;
};

/// A stream that counts requests, with memory that does not exist.
struct CountingStream {
  struct Event {
    int number = 0;
    bool operator==(Event const&) const = default;
  };
  struct Graph {};
  struct State {
    Calls calls;
    std::uintptr_t next = first_address;
    int events = 0;
  };
  static constexpr std::uintptr_t first_address = std::uintptr_t{1} << 40;
  std::shared_ptr<State> state = std::make_shared<State>();

  void count(std::size_t Calls::*member) const {
    if (!state->calls.captures) ++(state->calls.*member);
  }
  template <class Kernel>
  void launch(Kernel const& /*kernel*/, std::uint64_t /*blocks*/, std::string const& /*what*/) const {
    count(&Calls::launches);
  }
  template <class Kernel>
  static void prepare_stored(std::string const& /*what*/) {}
  template <class Kernel>
  void launch_stored(Kernel const* /*kernel*/, std::uint64_t /*blocks*/, std::string const& /*what*/) const {
    count(&Calls::launches);
  }
  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes, std::string const& /*what*/) const {
    auto* const memory = reinterpret_cast<std::byte*>(state->next);
    state->next += (bytes / 256 + 1) * 256;
    return {memory, [](std::byte*) {}};
  }
  [[nodiscard]] bool reaches(void const* memory) const {
    auto const address = reinterpret_cast<std::uintptr_t>(memory);
    return address >= first_address && address < state->next;
  }
  static void zero(void* /*memory*/, std::size_t /*bytes*/, std::string const& /*what*/) {}
  void transfer(void* to, void const* /*from*/, std::size_t bytes, std::string const& /*what*/) const {
    if (!reaches(to)) std::memset(to, 0, bytes);
  }
  void upload(void* /*to*/, void const* /*from*/, std::size_t /*bytes*/, std::string const& /*what*/) const {
    count(&Calls::uploads);
  }
  static void synchronize(std::string const& /*what*/) {}
  [[nodiscard]] static std::uint64_t blocks_at_once() { return 132 * 8; }
  [[nodiscard]] static std::shared_ptr<void> side() { return nullptr; }
  void record(Event const& /*event*/) const { count(&Calls::events); }
  void wait(Event const& /*event*/) const { count(&Calls::events); }
  [[nodiscard]] Event make_event() const { return {++state->events}; }
  [[nodiscard]] static std::size_t cache_bytes() { return std::size_t{50} << 20; }  // an H100's
  template <class Body>
  [[nodiscard]] Graph capture(Body const& body, std::string const& /*what*/) const {
    state->calls.captures = true;
    body();
    state->calls.captures = false;
    return {};
  }
  void replay(Graph const& /*graph*/, std::string const& /*what*/) const { count(&Calls::replays); }
};
static_assert(cuda::StreamWithGraphs<CountingStream>);

struct CountingProducts {
  CountingStream stream;
  void run(zeroth::model::cuda::Product const& /*product*/, std::string const& /*what*/) const {
    stream.count(&Calls::products);
  }
};

/// The calls of a step's two probes and of its update, once the steps are alike.
struct StepCalls {
  Calls probes;
  Calls update;
};

template <class Stream, class Products>
StepCalls calls_of_step(CountingStream const& counting, Stream const& stream, Products const& products) {
  cuda::BasicBackend<Stream> const backend(stream);
  zeroth::model::DecoderWeights const weights(zeroth::model::published_model("smollm2-135m"), "model", DataType::bf16,
                                              zeroth::model::WeightMemory::of(backend));
  zeroth::model::Decoder decoder(
      weights, zeroth::model::cuda::BasicOps<Stream, Products>(stream, products, {.dtype = DataType::bf16}));
  zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.75},
                                         backend, zeroth::Sgd{}, zeroth::CentralDifference{},
                                         {.epsilon = 1e-3F, .learning_rate = 1e-6});
  zeroth::model::PackedBatch batch;
  for (int sequence = 0; sequence < 16; ++sequence) {
    batch.add_segment(Tokens(32, 5));
    batch.request(batch.rows() - 1, 7);
  }
  StepCalls result;
  for (int step = 0; step < 4; ++step) {
    optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
      counting.state->calls = {};
      static_cast<void>(score(decoder, batch, probe));
      result.probes = std::exchange(counting.state->calls, {});
      for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = static_cast<double>(k);
    });
    result.update = counting.state->calls;
  }
  return result;
}

}  // namespace

TEST_CASE("a step on SmolLM2-135M takes the calls to a GPU that the documentation says") {
  CountingStream const plain;
  StepCalls const without = calls_of_step(plain, plain, CountingProducts{plain});
  CHECK(without.probes.launches == 539);
  CHECK(without.probes.products == 217);
  CHECK(without.probes.uploads == 9);
  CHECK(without.probes.events == 867);
  CHECK(without.update.launches == 272);
  CHECK(without.probes.replays + without.update.replays == 0);

  CountingStream const beneath;
  cuda::GraphStream<CountingStream> const stream(beneath);
  StepCalls const with = calls_of_step(
      beneath, stream,
      zeroth::model::cuda::GraphProducts<CountingStream, CountingProducts>(stream, CountingProducts{beneath}));
  for (Calls const& calls : {with.probes, with.update}) {
    CHECK(calls.launches + calls.products + calls.events == 0);
    CHECK(calls.uploads == 1);
    CHECK(calls.replays == 1);
  }
}

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth/backend/cuda/runtime.hpp>
#include <zeroth/backend/cuda/stream.hpp>
#include <zeroth_model/ops/cuda/cublas.hpp>

namespace zeroth_bench {

/// A CudaStream in one order that times each launch with a pair of events, by the part it belongs to. Copies share the
/// times. Events take time too, and short work includes the launch overhead: the parts of a step add up to more than
/// the step.
class TimedStream {
 public:
  using Times = std::map<std::string, double>;

  explicit TimedStream(zeroth::cuda::CudaStream stream) : stream_(std::move(stream)) {}

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t blocks, std::string const& what) const {
    time(part_of<Kernel>(), [&] { stream_.launch(kernel, blocks, what); });
  }

  /// Times work on the stream as part of that name.
  template <class Work>
  void time(char const* part, Work const& work) const {
    if (state_->used == state_->spans.size()) state_->spans.push_back(std::make_unique<Span>());
    Span& span = *state_->spans[state_->used++];
    span.part = part;
    span.begin.record(stream_.stream());
    work();
    span.end.record(stream_.stream());
  }

  /// Milliseconds of each part since the last call; waits for the events.
  [[nodiscard]] Times take() const {
    Times times;
    for (std::size_t i = 0; i < state_->used; ++i) {
      Span const& span = *state_->spans[i];
      times[span.part] += static_cast<double>(span.end.milliseconds_since(span.begin));
    }
    state_->used = 0;
    return times;
  }

  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes, std::string const& what) const {
    return stream_.allocate(bytes, what);
  }
  void zero(void* memory, std::size_t bytes, std::string const& what) const { stream_.zero(memory, bytes, what); }
  void transfer(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    stream_.transfer(to, from, bytes, what);
  }
  void upload(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    stream_.upload(to, from, bytes, what);
  }
  [[nodiscard]] static bool reaches(void const* memory) { return zeroth::cuda::CudaStream::reaches(memory); }
  [[nodiscard]] std::uint64_t blocks_at_once() const { return stream_.blocks_at_once(); }
  void synchronize(std::string const& what) const { stream_.synchronize(what); }

 private:
  struct Span {
    char const* part = "";
    zeroth::cuda::Event begin;
    zeroth::cuda::Event end;
  };
  struct State {
    std::vector<std::unique_ptr<Span>> spans;
    std::size_t used = 0;
  };

  template <class Kernel>
  [[nodiscard]] static char const* part_of() {
    std::string_view const kernel = __PRETTY_FUNCTION__;
    constexpr std::pair<char const*, char const*> parts[] = {
        {"AttentionKernel", "attention"},    {"Rota", "rotary"},
        {"NormKernel", "norms_swiglu_adds"}, {"ElementwiseKernel", "norms_swiglu_adds"},
        {"ExpandKernel", "expansion"},       {"ApplyKernel", "update"}};
    for (auto const& [name, part] : parts)
      if (kernel.find(name) != std::string_view::npos) return part;
    return "rest";
  }

  zeroth::cuda::CudaStream stream_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};
static_assert(zeroth::cuda::Stream<TimedStream>);

/// cuBLAS's products, timed.
struct TimedProducts {
  TimedStream stream;
  zeroth::model::cuda::CublasProducts products;

  void run(zeroth::model::cuda::Product const& product, std::string const& what) const {
    stream.time("products", [&] { products.run(product, what); });
  }
};

}  // namespace zeroth_bench

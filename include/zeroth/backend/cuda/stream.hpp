// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <cuda_runtime.h>

#include <zeroth/backend/cuda/kernel.hpp>
#include <zeroth/backend/cuda/run_kernel.hpp>
#include <zeroth/backend/cuda/runtime.hpp>
#include <zeroth/backend/cuda/side_scope.hpp>
#include <zeroth/backend/cuda/upload_ring.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// A device and a stream on it, the caller's or its own, with a second stream for its side queue; copies share both.
/// BasicBackend runs on it.
class CudaStream {
 public:
  using Event = QueueEvent;
  using Graph = std::shared_ptr<CUgraphExec_st>;

  /// Creates its own stream.
  /// @throws CudaError if the device does not exist or is too old
  explicit CudaStream(int device) : device_(device) {
    open();
    DeviceScope const scope(device_);
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags", "stream");
    owner_ = std::shared_ptr<void>(nullptr, [stream = stream_](void*) { cudaStreamDestroy(stream); });
  }

  /// The caller's stream, which must outlive this object and its copies.
  CudaStream(int device, cudaStream_t stream) : device_(device), stream_(stream) { open(); }

#if defined(__CUDACC__)
  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t blocks, std::string const& what) const {
    check_launch<Kernel>(blocks, what);
    DeviceScope const scope(device_);
    detail::run_kernel<<<static_cast<unsigned>(blocks), block_threads, 0, queue()>>>(kernel);
    check(cudaGetLastError(), "kernel launch", what);
  }

  /// See StreamWithGraphs.
  template <class Kernel>
  void prepare_stored(std::string const& what) const {
    // Kernels are loaded lazily, which a capture may not allow: querying their attributes loads them.
    DeviceScope const scope(device_);
    cudaFuncAttributes attributes{};
    void (*const function)(Kernel const*) = &detail::run_stored_kernel<Kernel>;
    check(cudaFuncGetAttributes(&attributes, reinterpret_cast<void const*>(function)), "cudaFuncGetAttributes", what);
  }
  template <class Kernel>
  void launch_stored(Kernel const* kernel, std::uint64_t blocks, std::string const& what) const {
    check_launch<Kernel>(blocks, what);
    DeviceScope const scope(device_);
    detail::run_stored_kernel<<<static_cast<unsigned>(blocks), block_threads, 0, queue()>>>(kernel);
    check(cudaGetLastError(), "kernel launch", what);
  }
#endif

  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes, std::string const& what) const {
    std::shared_ptr<std::byte> memory = allocate_device(device_, bytes, what);
    zero(memory.get(), bytes, what);
    return memory;
  }

  void zero(void* memory, std::size_t bytes, std::string const& what) const {
    DeviceScope const scope(device_);
    check(cudaMemsetAsync(memory, 0, bytes, queue()), "cudaMemsetAsync", what);
  }

  /// Waits for the copy, and so for all earlier work.
  void transfer(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    transfer_async(to, from, bytes, what);
    synchronize(what);
  }
  /// The host memory must not change until the stream is synchronised.
  void transfer_async(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    DeviceScope const scope(device_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, queue()), "cudaMemcpyAsync", what);
  }

  /// Copies from the host, whose memory may change once this returns, and does not wait for the copy. Uses the stream's
  /// own page-locked memory: CUDA only promises that a copy from other memory may be synchronous, and one from the
  /// caller's page-locked memory is not.
  void upload(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    if (shared_->uploads == nullptr)
      shared_->uploads = std::make_unique<UploadRing<PinnedPort>>(PinnedPort(device_), upload_bytes);
    shared_->uploads->copy(to, from, bytes, [&](void* target, std::byte const* pinned, std::size_t part) {
      transfer_async(target, pinned, part, what);
      return queue();
    });
  }

  [[nodiscard]] static bool reaches(void const* memory) {
    cudaPointerAttributes attributes{};
    if (cudaPointerGetAttributes(&attributes, memory) != cudaSuccess) {
      cudaGetLastError();
      return false;
    }
    return attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged;
  }

  [[nodiscard]] std::uint64_t blocks_at_once() const noexcept {
    return blocks_at_once_;
  }

  /// @throws CudaError also for an earlier kernel's error
  void synchronize(std::string const& what) const {
    DeviceScope const scope(device_);
    check(cudaStreamSynchronize(queue()), "cudaStreamSynchronize", what);
  }

  /// See StreamWithSide.
  [[nodiscard]] auto side() const {
    if (shared_->side == nullptr) {
      DeviceScope const scope(device_);
      check(cudaStreamCreateWithFlags(&shared_->side, cudaStreamNonBlocking), "cudaStreamCreateWithFlags",
            "side queue");
    }
    return SideScope(shared_->on_side);
  }
  void record(Event const& event) const {
    DeviceScope const scope(device_);
    check(cudaEventRecord(event.get(), queue()), "cudaEventRecord", "event");
  }
  void wait(Event const& event) const {
    DeviceScope const scope(device_);
    check(cudaStreamWaitEvent(queue(), event.get(), 0), "cudaStreamWaitEvent", "event");
  }
  [[nodiscard]] Event make_event() const {
    return Event(device_);
  }
  [[nodiscard]] std::size_t cache_bytes() const {
    int bytes = 0;
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, device_), "cudaDeviceGetAttribute", "L2 cache");
    return static_cast<std::size_t>(bytes);
  }

  /// See StreamWithGraphs. The default stream of a device cannot be captured.
  template <class Body>
  [[nodiscard]] Graph capture(Body const& body, std::string const& what) const {
    DeviceScope const scope(device_);
    // Relaxed: other things that CUDA may have to load while kernels are launched, such as the caller's, are then no
    // error.
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture", what);
    cudaGraph_t graph = nullptr;
    try {
      body();
    } catch (...) {
      cudaStreamEndCapture(stream_, &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    check(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture", what);
    std::shared_ptr<CUgraph_st> const owner(graph, [](cudaGraph_t g) { cudaGraphDestroy(g); });
    cudaGraphExec_t executable = nullptr;
    check(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate", what);
    return {executable, [](cudaGraphExec_t e) { cudaGraphExecDestroy(e); }};
  }
  void replay(Graph const& graph, std::string const& what) const {
    DeviceScope const scope(device_);
    check(cudaGraphLaunch(graph.get(), queue()), "cudaGraphLaunch", what);
  }

  [[nodiscard]] int device() const noexcept {
    return device_;
  }
  [[nodiscard]] cudaStream_t stream() const noexcept {
    return stream_;
  }

 private:
  struct Shared {
    Shared() = default;
    ~Shared() {
      if (side != nullptr) cudaStreamDestroy(side);
    }
    Shared(Shared const&) = delete;
    Shared& operator=(Shared const&) = delete;

    cudaStream_t side = nullptr;
    bool on_side = false;
    std::unique_ptr<UploadRing<PinnedPort>> uploads;
  };

  /// Bytes of page-locked memory: more than the passes of a step send.
  static constexpr std::size_t upload_bytes = std::size_t{4} << 20;

  /// The stream that currently receives work.
  [[nodiscard]] cudaStream_t queue() const noexcept {
    return shared_->on_side ? shared_->side : stream_;
  }

  void open() {
    std::string const why = why_unusable(device_);
    if (!why.empty()) throw CudaError(why);
    int processors = 0;
    int threads = 0;
    check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device_), "cudaDeviceGetAttribute",
          "processors");
    check(cudaDeviceGetAttribute(&threads, cudaDevAttrMaxThreadsPerMultiProcessor, device_), "cudaDeviceGetAttribute",
          "threads");
    blocks_at_once_ = static_cast<std::uint64_t>(processors) * (static_cast<std::uint64_t>(threads) / block_threads);
  }

  int device_;
  cudaStream_t stream_ = nullptr;
  std::shared_ptr<void> owner_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::uint64_t blocks_at_once_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA::cuda

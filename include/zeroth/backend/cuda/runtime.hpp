// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <cuda_runtime.h>

#include <zeroth/backend/cuda/kernel.hpp>
#include <zeroth/backend/cuda/side_scope.hpp>
#include <zeroth/backend/cuda/upload_ring.hpp>
#include <zeroth/error.hpp>

#if defined(__CUDACC__)
/// NVVM's: which of nvcc's flags hold.
extern "C" __device__ int __nvvm_reflect(char const* name);  // NOLINT: its name
#endif

namespace zeroth::ZEROTH_ISA {

/// A call of CUDA's that failed. The message names the call, what it was for, and CUDA's own name and number of the
/// error.
class CudaError : public Error {
 public:
  using Error::Error;
};

namespace cuda {

/// The least compute capability that zeroth's kernels run on, as major * 10 + minor.
inline constexpr int least_capability = 80;

/// @throws CudaError if the code is not cudaSuccess
inline void check(cudaError_t code, char const* call, std::string const& what) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // or a later call would report it again
  throw CudaError(std::string(call) + " (" + what + "): " + cudaGetErrorString(code) + " (" + cudaGetErrorName(code) +
                  ", " + std::to_string(static_cast<int>(code)) + ")");
}

/// Why that device cannot be used; empty if it can.
[[nodiscard]] inline std::string why_unusable(int device) {
  int devices = 0;
  cudaError_t const code = cudaGetDeviceCount(&devices);
  if (code != cudaSuccess) {
    cudaGetLastError();
    return std::string("there is no CUDA device: cudaGetDeviceCount says ") + cudaGetErrorString(code) + " (" +
           cudaGetErrorName(code) + ", " + std::to_string(static_cast<int>(code)) + ")";
  }
  if (device < 0 || device >= devices)
    return "there is no CUDA device " + std::to_string(device) + ", only " + std::to_string(devices) +
           ", counted from 0";
  int major = 0;
  int minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute",
        "compute capability");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "cudaDeviceGetAttribute",
        "compute capability");
  if (major * 10 + minor < least_capability)
    return "CUDA device " + std::to_string(device) + " has compute capability " + std::to_string(major) + "." +
           std::to_string(minor) + ", expected " + std::to_string(least_capability / 10) + "." +
           std::to_string(least_capability % 10) + " or more";
  return {};
}

/// Makes a device the calling thread's while it lives.
class DeviceScope {
 public:
  explicit DeviceScope(int device) {
    check(cudaGetDevice(&before_), "cudaGetDevice", "device " + std::to_string(device));
    check(cudaSetDevice(device), "cudaSetDevice", "device " + std::to_string(device));
  }
  ~DeviceScope() { cudaSetDevice(before_); }
  DeviceScope(DeviceScope const&) = delete;
  DeviceScope& operator=(DeviceScope const&) = delete;

 private:
  int before_ = 0;
};

/// Memory of a device, freed with its last owner; what is in it is not set.
/// @throws CudaError; out of memory, it says how much was asked for and how much was free
[[nodiscard]] inline std::shared_ptr<std::byte> allocate_device(int device, std::size_t bytes,
                                                                std::string const& what) {
  DeviceScope const scope(device);
  void* memory = nullptr;
  cudaError_t const code = cudaMalloc(&memory, bytes == 0 ? 1 : bytes);
  if (code == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo", what);
    throw CudaError("cudaMalloc (" + what + "): out of memory on device " + std::to_string(device) + ": asked for " +
                    std::to_string(bytes) + " bytes, " + std::to_string(free) + " of " + std::to_string(total) +
                    " are free");
  }
  check(code, "cudaMalloc", what);
  return {static_cast<std::byte*>(memory), [device](std::byte* p) {
            // Neither may throw here; after an error that took the context away, the memory is gone too.
            int before = 0;
            cudaGetDevice(&before);
            cudaSetDevice(device);
            cudaFree(p);
            cudaSetDevice(before);
          }};
}

/// A point in a stream's work, and the time between two.
class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "cudaEventCreate", "event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(Event const&) = delete;
  Event& operator=(Event const&) = delete;

  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "cudaEventRecord", "event"); }

  /// Milliseconds from an earlier event's point to this one's, which is waited for.
  [[nodiscard]] float milliseconds_since(Event const& earlier) const {
    check(cudaEventSynchronize(event_), "cudaEventSynchronize", "event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, earlier.event_, event_), "cudaEventElapsedTime", "event");
    return milliseconds;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// A point that a queue of a stream's comes to, for another queue to wait for. Copies are the same event.
class QueueEvent {
 public:
  QueueEvent() = default;
  explicit QueueEvent(int device) {
    DeviceScope const scope(device);
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags", "event");
    event_ = std::shared_ptr<CUevent_st>(event, [](cudaEvent_t e) { cudaEventDestroy(e); });
  }
  [[nodiscard]] cudaEvent_t get() const noexcept { return event_.get(); }
  bool operator==(QueueEvent const&) const = default;

 private:
  std::shared_ptr<CUevent_st> event_;
};

/// Page-locked memory and marks on a device's streams: see UploadRing.
class PinnedPort {
 public:
  using Mark = QueueEvent;

  explicit PinnedPort(int device) : device_(device) {}

  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes) const {
    DeviceScope const scope(device_);
    void* memory = nullptr;
    check(cudaMallocHost(&memory, bytes), "cudaMallocHost", "memory that uploads go through");
    return {static_cast<std::byte*>(memory), [](std::byte* p) { cudaFreeHost(p); }};
  }
  [[nodiscard]] Mark make_mark() const { return Mark(device_); }
  void set(Mark const& mark, cudaStream_t stream) const {
    DeviceScope const scope(device_);
    check(cudaEventRecord(mark.get(), stream), "cudaEventRecord", "upload");
  }
  void wait(Mark const& mark) const { check(cudaEventSynchronize(mark.get()), "cudaEventSynchronize", "upload"); }

 private:
  int device_;
};

#if defined(__CUDACC__)

namespace detail {

/// Ends the compilation where a flag would change results: nvcc has no macro that tells of one. What is reflected is
/// known to its optimizer, which leaves the line for the assembler to refuse, or nothing.
__device__ inline void refuse_inexact_arithmetic() {
  if (__nvvm_reflect("__CUDA_FTZ") != 0 || __nvvm_reflect("__CUDA_PREC_SQRT") == 0 ||
      __nvvm_reflect("__CUDA_PREC_DIV") == 0)
    asm volatile("zeroth_refuses_use_fast_math_ftz_and_inexact_division_or_root;");
}

template <unsigned phase, class Kernel>
__device__ void run_phases(Kernel const& kernel, Place at, typename Kernel::Shared& shared) {
  kernel.template run<phase>(at, shared);
  if constexpr (phase + 1 < Kernel::phases) {
    __syncthreads();
    run_phases<phase + 1>(kernel, at, shared);
  }
}

template <class Kernel>
__device__ void run_rounds(Kernel const& kernel, typename Kernel::Shared& shared) {
  Place at{threadIdx.x, blockIdx.x, gridDim.x};
  if constexpr (requires { kernel.rounds(at); }) {
    for (unsigned const rounds = kernel.rounds(at); at.round != rounds; ++at.round) {
      run_phases<0>(kernel, at, shared);
      __syncthreads();
    }
  } else {
    run_phases<0>(kernel, at, shared);
  }
}

template <class Kernel>
__global__ void __launch_bounds__(block_threads, 1) run_kernel(Kernel const kernel) {
  refuse_inexact_arithmetic();
  __shared__ typename Kernel::Shared shared;
  run_rounds(kernel, shared);
}

/// The same of a kernel that lies in the device's memory.
template <class Kernel>
__global__ void __launch_bounds__(block_threads, 1) run_stored_kernel(Kernel const* kernel) {
  refuse_inexact_arithmetic();
  __shared__ typename Kernel::Shared shared;
  run_rounds(*kernel, shared);
}

}  // namespace detail

#endif

/// A device and a stream of its, the caller's or one of its own, with a second stream for its side queue; copies share
/// both. What BasicBackend runs on.
class CudaStream {
 public:
  using Event = QueueEvent;
  using Graph = std::shared_ptr<CUgraphExec_st>;

  /// A stream of its own.
  /// @throws CudaError if the device is not there or is too old
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
    // Kernels are loaded lazily, which a capture may not allow: asking for what they are loads them.
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

  /// Waits for the copy, and so for all that was queued before.
  void transfer(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    transfer_async(to, from, bytes, what);
    synchronize(what);
  }
  /// The host's memory must stay as it is until the stream is synchronised.
  void transfer_async(void* to, void const* from, std::size_t bytes, std::string const& what) const {
    DeviceScope const scope(device_);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, queue()), "cudaMemcpyAsync", what);
  }

  /// Copies from the host, whose memory may change once this returns, and does not wait for the copy.
  /// It does by way of page-locked memory of the stream's own: of a copy from other memory CUDA says no more than that
  /// it may be synchronous, and one from the caller's page-locked memory is not.
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

  /// @throws CudaError also for what a kernel did wrong that ran before
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
    // Relaxed: what else CUDA may have to load while kernels are launched, such as the caller's, is no error then.
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

  /// Of page-locked memory: more than the passes of a step send.
  static constexpr std::size_t upload_bytes = std::size_t{4} << 20;

  /// The stream that work goes to at present.
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

}  // namespace cuda
}  // namespace zeroth::ZEROTH_ISA

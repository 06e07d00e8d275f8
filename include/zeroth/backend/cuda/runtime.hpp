// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <cuda_runtime.h>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA {

/// A failed CUDA call. The message names the call, its purpose, and CUDA's name and number of the error.
class CudaError : public Error {
 public:
  using Error::Error;
};

namespace cuda {

/// The lowest compute capability supported by zeroth's kernels, as major * 10 + minor.
inline constexpr int least_capability = 80;

/// @throws CudaError if the code is not cudaSuccess
inline void check(cudaError_t code, char const* call, std::string const& what) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // otherwise a later call would report it again
  throw CudaError(std::string(call) + " (" + what + "): " + cudaGetErrorString(code) + " (" + cudaGetErrorName(code) +
                  ", " + std::to_string(static_cast<int>(code)) + ")");
}

/// Why the device cannot be used; empty if it can.
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

/// Makes a device current for the calling thread while it lives.
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

/// Memory of a device, uninitialised and freed with its last owner.
/// @throws CudaError; if memory runs out, it says how much was requested and how much was free
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
            // Neither call may throw here; after an error that destroyed the context, the memory is gone too.
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

  /// Milliseconds from an earlier event's point to this one's; waits for this one.
  [[nodiscard]] float milliseconds_since(Event const& earlier) const {
    check(cudaEventSynchronize(event_), "cudaEventSynchronize", "event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, earlier.event_, event_), "cudaEventElapsedTime", "event");
    return milliseconds;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// A point in one of a stream's queues for which another queue can wait. Copies are the same event.
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

/// Page-locked memory, and marks on a device's streams: see UploadRing.
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

}  // namespace cuda
}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <cuda_runtime.h>

#include <zeroth/backend/cuda/runtime.hpp>

namespace zeroth_bench {

/// Makes standard output line-buffered, wherever it goes: results remain if a benchmark is stopped.
inline void write_lines() {
  std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
}

/// Median, lowest and highest of a figure over the rounds, as JSON.
[[nodiscard]] inline std::string spread_text(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  char text[96];
  std::snprintf(text, sizeof text, "[%.6g, %.6g, %.6g]", figures[figures.size() / 2], figures.front(), figures.back());
  return text;
}

/// A JSON object written member by member. Names and text need no escaping.
class JsonObject {
 public:
  void raw(std::string const& name, std::string const& value) {
    text_ += (text_.empty() ? "\"" : ", \"") + name + "\": " + value;
  }
  void text(std::string const& name, std::string const& value) { raw(name, "\"" + value + "\""); }
  void number(std::string const& name, double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.6g", value);
    raw(name, digits);
  }
  void bytes(std::string const& name, std::size_t value) { raw(name, std::to_string(value)); }
  [[nodiscard]] std::string str() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

/// Bytes of device memory in use, by any process.
[[nodiscard]] inline std::size_t device_bytes_in_use() {
  std::size_t free = 0;
  std::size_t total = 0;
  zeroth::cuda::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo", "benchmark");
  return total - free;
}

/// Describes the device.
[[nodiscard]] inline JsonObject describe_device(int device) {
  cudaDeviceProp properties{};
  zeroth::cuda::check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties", "benchmark");
  int driver = 0;
  int runtime = 0;
  zeroth::cuda::check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion", "benchmark");
  zeroth::cuda::check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion", "benchmark");
  JsonObject object;
  object.text("name", properties.name);
  object.number("compute_capability", properties.major + properties.minor / 10.0);
  object.bytes("memory_bytes", properties.totalGlobalMem);
  object.bytes("l2_bytes", static_cast<std::size_t>(properties.l2CacheSize));
  object.bytes("processors", static_cast<std::size_t>(properties.multiProcessorCount));
  object.bytes("driver", static_cast<std::size_t>(driver));
  object.bytes("runtime", static_cast<std::size_t>(runtime));
  return object;
}

/// Milliseconds that work on a stream takes.
template <class Work>
[[nodiscard]] double milliseconds(cudaStream_t stream, Work const& work) {
  zeroth::cuda::Event begin;
  zeroth::cuda::Event end;
  begin.record(stream);
  work();
  end.record(stream);
  return end.milliseconds_since(begin);
}

}  // namespace zeroth_bench

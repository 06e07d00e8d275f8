// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth/model/cuda/values.hpp>

namespace zeroth::model::cuda {

/// Memory of a device that grows and never shrinks; what it held is lost when it does.
class DeviceMemory {
 public:
  template <zeroth::cuda::Stream Device>
  std::byte* reserve(Device const& device, std::size_t bytes, char const* what) {
    if (bytes > bytes_) {
      memory_.reset();
      bytes_ = 0;
      memory_ = device.allocate(bytes, what);
      bytes_ = bytes;
    }
    return memory_.get();
  }

  [[nodiscard]] std::byte* data() const noexcept { return memory_.get(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::shared_ptr<std::byte> memory_;
  std::size_t bytes_ = 0;
};

/// Activations of all lanes on a device: lanes x rows x features, row-major. Keeps its memory between uses.
class DeviceMatrix {
 public:
  /// Sets type and sizes; the contents are undefined afterwards.
  template <zeroth::cuda::Stream Device>
  void resize(Device const& device, DataType dtype, std::uint64_t lanes, std::uint64_t rows, std::uint64_t features) {
    view_ = {nullptr, dtype, lanes, rows, features};
    view_.data = memory_.reserve(device, bytes(), "activations");
  }

  /// One lane of `rows` rows, of which the first `kept` keep what they hold. Grows by half.
  template <zeroth::cuda::Stream Device>
  void extend(Device const& device, DataType dtype, std::uint64_t rows, std::uint64_t kept, std::uint64_t features) {
    view_ = {memory_.data(), dtype, 1, rows, features};
    if (bytes() > memory_.bytes()) {
      DeviceMemory larger;
      larger.reserve(device, std::max(bytes(), memory_.bytes() + memory_.bytes() / 2), "keys and values");
      std::size_t const held = static_cast<std::size_t>(kept * features) * size_of(dtype);
      if (held != 0) device.transfer(larger.data(), memory_.data(), held, "keys and values");
      memory_ = std::move(larger);
    }
    view_.data = memory_.data();
  }

  /// What kernels receive.
  [[nodiscard]] LaneRows const& view() const noexcept { return view_; }

 private:
  [[nodiscard]] std::size_t bytes() const noexcept {
    return static_cast<std::size_t>(view_.size()) * size_of(view_.dtype);
  }

  DeviceMemory memory_;
  LaneRows view_;
};

/// Lists of the host's on a device: rows, positions, requests. One that is there already is not sent again, so that the
/// layers of a model share theirs.
class UploadedLists {
 public:
  /// The list on the device, until `kept_lists` others have been asked for.
  template <class T, zeroth::cuda::Stream Device>
  T const* get(Device const& device, std::span<T const> list) {
    auto const bytes = std::as_bytes(list);
    auto holds = [&](List const& l) {
      return l.host.size() == bytes.size() && std::memcmp(l.host.data(), bytes.data(), bytes.size()) == 0;
    };
    auto found = std::find_if(lists_.begin(), lists_.end(), holds);
    if (bytes.empty()) found = lists_.begin();
    if (found == lists_.end()) {
      found =
          std::min_element(lists_.begin(), lists_.end(), [](List const& a, List const& b) { return a.used < b.used; });
      found->host.assign(bytes.begin(), bytes.end());
      found->memory.reserve(device, bytes.size(), "lists");
      if constexpr (requires { device.upload(nullptr, nullptr, bytes.size(), "lists"); })
        device.upload(found->memory.data(), found->host.data(), bytes.size(), "lists");
      else
        device.transfer(found->memory.data(), found->host.data(), bytes.size(), "lists");
    }
    found->used = ++uses_;
    return reinterpret_cast<T const*>(found->memory.data());
  }

 private:
  static constexpr std::size_t kept_lists = 12;
  struct List {
    std::vector<std::byte> host;
    DeviceMemory memory;
    std::uint64_t used = 0;
  };

  std::array<List, kept_lists> lists_;
  std::uint64_t uses_ = 0;
};

}  // namespace zeroth::model::cuda

// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/backend/cuda/basic_backend.hpp>
#include <zeroth_model/ops/cuda/copy_rows.hpp>
#include <zeroth_model/ops/cuda/values.hpp>
#include <zeroth_model/ops/cuda/workspace.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// Activations of all lanes on a device: lanes x rows x features, row-major. The beginning of a pass discards the
/// contents, except those that `extend` keeps.
class DeviceMatrix {
 public:
  /// Sets type and sizes; the contents are undefined afterwards.
  template <class Device>
  void resize(Workspace<Device>& workspace, DataType dtype, std::uint64_t lanes, std::uint64_t rows,
              std::uint64_t features) {
    view_ = {nullptr, dtype, lanes, rows, features};
    view_.data = piece_.reserve(workspace, bytes(), "activations");
  }

  /// One lane of `rows` rows, in its own memory, which grows by half; keeps the contents of the first `kept` rows.
  template <zeroth::cuda::Stream Device>
  void extend(Device const& device, DataType dtype, std::uint64_t rows, std::uint64_t kept, std::uint64_t features) {
    view_ = {kept_.get(), dtype, 1, rows, features};
    if (bytes() > kept_bytes_) {
      std::size_t const size = std::max(bytes(), kept_bytes_ + kept_bytes_ / 2);
      std::shared_ptr<std::byte> larger = device.allocate(size, "keys and values");
      // By a kernel: a transfer would end what a stream is collecting.
      LaneRows const to{larger.get(), dtype, 1, kept, features};
      if (to.size() != 0)
        device.launch(CopyRowsKernel{{kept_.get(), dtype, 0}, features, nullptr, 0, to, 0, features, /*adds=*/false},
                      (to.size() + block_threads - 1) / block_threads, "keys and values");
      kept_ = std::move(larger);
      kept_bytes_ = size;
    }
    view_.data = kept_.get();
  }

  /// The view that kernels receive.
  [[nodiscard]] LaneRows const& view() const noexcept { return view_; }

 private:
  [[nodiscard]] std::size_t bytes() const noexcept {
    return static_cast<std::size_t>(view_.size()) * size_of(view_.dtype);
  }

  Piece piece_;
  std::shared_ptr<std::byte> kept_;
  std::size_t kept_bytes_ = 0;
  LaneRows view_;
};

/// Host lists on a device: rows, positions, requests. A list already sent in this pass is not sent again, so the layers
/// of a model share lists.
class UploadedLists {
 public:
  static constexpr std::size_t kept_lists = 64;

  /// The list on the device, valid until the next pass or until `kept_lists` others have been requested.
  template <class T, zeroth::cuda::Stream Device>
  T const* get(Workspace<Device>& workspace, std::span<T const> list) {
    if (pass_ != workspace.pass()) {
      pass_ = workspace.pass();
      count_ = 0;
    }
    List& found = find(std::as_bytes(list));
    auto* const memory = found.memory.reserve(workspace, list.size_bytes(), "lists");
    found.used = ++uses_;
    if (!found.sent && !list.empty()) send(workspace.device(), memory, found.host);
    found.sent = true;
    return reinterpret_cast<T const*>(memory);
  }

 private:
  struct List {
    std::vector<std::byte> host;
    Piece memory;
    std::uint64_t used = 0;
    bool sent = false;
  };

  /// The list with these bytes, or one to replace with them.
  List& find(std::span<std::byte const> bytes) {
    auto const end = lists_.begin() + static_cast<std::ptrdiff_t>(count_);
    auto found = std::find_if(lists_.begin(), end, [&](List const& l) {
      return l.sent && std::equal(l.host.begin(), l.host.end(), bytes.begin(), bytes.end());
    });
    if (found != end) return *found;
    if (count_ < kept_lists) {
      if (count_ == lists_.size()) lists_.emplace_back();
      found = lists_.begin() + static_cast<std::ptrdiff_t>(count_++);
    } else {
      found =
          std::min_element(lists_.begin(), lists_.end(), [](List const& a, List const& b) { return a.used < b.used; });
    }
    found->host.assign(bytes.begin(), bytes.end());
    found->sent = false;
    return *found;
  }

  template <zeroth::cuda::Stream Device>
  static void send(Device const& device, std::byte* to, std::vector<std::byte> const& host) {
    if constexpr (requires { device.upload(to, host.data(), host.size(), "lists"); })
      device.upload(to, host.data(), host.size(), "lists");
    else
      device.transfer(to, host.data(), host.size(), "lists");
  }

  std::vector<List> lists_;
  std::size_t count_ = 0;
  std::uint64_t pass_ = 0;
  std::uint64_t uses_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

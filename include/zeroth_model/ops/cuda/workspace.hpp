// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <zeroth/backend/cuda/basic_backend.hpp>

namespace zeroth::ZEROTH_ISA::model::cuda {

/// One block of device memory for everything that a forward pass writes. A pass takes pieces in the order in which it
/// needs them, so passes of equal sizes find theirs at the same addresses; the next pass starts over.
template <zeroth::cuda::Stream Device>
class Workspace {
 public:
  explicit Workspace(Device device) : device_(std::move(device)) {}

  /// Allocates for passes of that size. Enlarging the block discards its contents.
  /// @throws as Device::allocate does if memory runs out
  void reserve(std::size_t bytes) {
    if (bytes <= bytes_) return;
    // Free the old block first: both might not fit even if one does.
    begin_pass();
    bytes_ = 0;
    block_.reset();
    block_ = device_.allocate(bytes, "workspace of the transformer");
    bytes_ = bytes;
  }

  /// Takes back all pieces.
  void begin_pass() noexcept {
    used_ = 0;
    ++pass_;
  }

  /// A piece of the block, or null if there is no room for it.
  [[nodiscard]] std::byte* take(std::size_t bytes) noexcept {
    std::size_t const size = piece_bytes(bytes);
    if (size > bytes_ - used_) return nullptr;
    std::byte* const piece = block_.get() + used_;
    used_ += size;
    return piece;
  }

  /// Size of a piece, padded so that every type and every vector of a kernel may begin there.
  [[nodiscard]] static constexpr std::size_t piece_bytes(std::size_t bytes) noexcept {
    return (bytes + alignment - 1) / alignment * alignment;
  }

  [[nodiscard]] Device const& device() const noexcept { return device_; }
  [[nodiscard]] std::uint64_t pass() const noexcept { return pass_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::size_t alignment = 256;

  Device device_;
  std::shared_ptr<std::byte> block_;
  std::size_t bytes_ = 0;
  std::size_t used_ = 0;
  std::uint64_t pass_ = 1;
};

/// Memory that a pass sizes as it goes: a piece of the workspace or, if the workspace has no room, memory of its own
/// that grows and never shrinks. Growing and the beginning of a pass discard the contents.
class Piece {
 public:
  template <class Device>
  std::byte* reserve(Workspace<Device>& workspace, std::size_t bytes, char const* what) {
    if (pass_ != workspace.pass()) {
      data_ = own_.get();
      bytes_ = own_bytes_;
      pass_ = workspace.pass();
    }
    if (bytes <= bytes_) return data_;
    data_ = workspace.take(bytes);
    bytes_ = bytes;
    if (data_ != nullptr) return data_;
    bytes_ = 0;
    own_bytes_ = 0;
    own_.reset();
    own_ = workspace.device().allocate(bytes, what);
    own_bytes_ = bytes;
    bytes_ = bytes;
    data_ = own_.get();
    return data_;
  }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint64_t pass_ = 0;
  std::shared_ptr<std::byte> own_;
  std::size_t own_bytes_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA::model::cuda

// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Whole zeroed pages from the system, returned on destruction; a page takes no memory until it is written.
class PageBuffer {
 public:
  PageBuffer() = default;

  /// @throws Error if the system is out of memory.
  explicit PageBuffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw Error("cannot allocate " + std::to_string(bytes) + " bytes: " + std::strerror(errno));
    data_ = static_cast<std::byte*>(data);
#ifdef MADV_HUGEPAGE
    // Each pass reads all weights once, in order: larger pages save most of the address translation.
    ::madvise(data_, bytes, MADV_HUGEPAGE);
#endif
  }

  PageBuffer(PageBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

  PageBuffer& operator=(PageBuffer&& other) noexcept {
    PageBuffer taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(bytes_, taken.bytes_);
    return *this;
  }

  ~PageBuffer() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }

  [[nodiscard]] std::byte* data() const noexcept {
    return data_;
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return bytes_;
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA::model

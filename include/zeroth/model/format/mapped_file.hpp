// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <zeroth/error.hpp>

namespace zeroth::model {

/// A whole file mapped read-only into memory, unmapped on destruction; or a copy of bytes that stands for one.
///
/// The file must not be truncated by another process while it is mapped: the system answers an access beyond its new
/// end with SIGBUS.
class MappedFile {
 public:
  /// Maps `path`. Throws InvalidFile if it cannot be opened, is not a regular file, or cannot be mapped.
  explicit MappedFile(std::string path) : path_(std::move(path)) {
    // O_NONBLOCK: a pipe is refused below, not waited for.
    const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) fail("cannot open", errno);
    struct ::stat status {};
    if (::fstat(descriptor, &status) != 0) fail_and_close("cannot read its size", errno, descriptor);
    if (!S_ISREG(status.st_mode)) {
      ::close(descriptor);
      throw InvalidFile(path_ + ": expected a regular file");
    }
    if (!std::in_range<std::size_t>(status.st_size)) fail_and_close("cannot map", EFBIG, descriptor);
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ > 0) {
      void* const data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (data == MAP_FAILED) fail_and_close("cannot map", errno, descriptor);
      data_ = static_cast<std::byte*>(data);
    }
    ::close(descriptor);
  }

  /// A file of these contents that is on no disk; `name` is its path in messages. The bytes lie in a block of exactly
  /// their size, so that the address sanitizer sees a read beyond the end, which it cannot in a mapping.
  static MappedFile in_memory(std::string name, std::span<const std::byte> contents) {
    MappedFile file;
    file.path_ = std::move(name);
    file.memory_ = std::make_unique<std::byte[]>(contents.size());
    std::copy(contents.begin(), contents.end(), file.memory_.get());
    file.data_ = file.memory_.get();
    file.size_ = contents.size();
    return file;
  }

  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)),
        memory_(std::move(other.memory_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}

  MappedFile& operator=(MappedFile&& other) noexcept {
    MappedFile taken(std::move(other));
    std::swap(path_, taken.path_);
    std::swap(memory_, taken.memory_);
    std::swap(data_, taken.data_);
    std::swap(size_, taken.size_);
    return *this;
  }

  ~MappedFile() {
    if (data_ != nullptr && !memory_) ::munmap(data_, size_);
  }

  /// The path as it was given, for messages.
  const std::string& path() const noexcept { return path_; }

  /// The contents. Valid as long as this object, or the one it was moved to, lives.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  /// Gives the memory of the whole pages inside [offset, offset + length) back to the system.
  ///
  /// Only a hint: the bytes stay readable and are fetched from the file again when they are touched.
  void release(std::size_t offset, std::size_t length) const noexcept {
    if (offset >= size_ || memory_) return;
    const std::size_t end = offset + std::min(length, size_ - offset);
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t first = (offset + page - 1) / page * page;
    // The last page of the file is padding beyond its end, so a range that reaches the end covers it whole.
    const std::size_t last = end == size_ ? end : end / page * page;
    if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
  }

 private:
  MappedFile() = default;

  [[noreturn]] void fail(const char* what, int error) const {
    throw InvalidFile(path_ + ": " + what + ": " + std::strerror(error));
  }

  [[noreturn]] void fail_and_close(const char* what, int error, int descriptor) const {
    ::close(descriptor);
    fail(what, error);
  }

  std::string path_;
  std::unique_ptr<std::byte[]> memory_;  // if it is not mapped
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace zeroth::model

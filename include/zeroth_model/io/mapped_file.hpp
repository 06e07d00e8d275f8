// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// When a file was last written to.
[[nodiscard]] inline ::timespec written_at(struct ::stat const& status) noexcept {
#if defined(__APPLE__)
  return status.st_mtimespec;
#else
  return status.st_mtim;
#endif
}

/// A regular file open for reading; links to one are followed.
class OpenFile {
 public:
  /// Throws InvalidFile if `path` cannot be opened, is not a regular file, or has more than `most` bytes.
  OpenFile(const std::string& path, std::uint64_t most) : path_(path) {
    // O_NONBLOCK: a pipe is rejected below, not waited for.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0) fail("cannot open", errno);
    try {
      if (::fstat(descriptor_, &status_) != 0) fail("cannot read its size", errno);
      if (!S_ISREG(status_.st_mode)) throw InvalidFile(path + ": expected a regular file, found " + kind());
      if (!std::in_range<std::size_t>(status_.st_size)) fail("cannot read", EFBIG);
      if (std::cmp_greater(status_.st_size, most)) {
        throw InvalidFile(path + ": expected at most " + std::to_string(most) + " bytes, found " +
                          std::to_string(status_.st_size));
      }
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(descriptor_); }

  int descriptor() const noexcept { return descriptor_; }
  const struct ::stat& status() const noexcept { return status_; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(status_.st_size); }

  [[noreturn]] void fail(const char* what, int error) const {
    throw InvalidFile(path_ + ": " + what + ": " + std::strerror(error));
  }

 private:
  const char* kind() const noexcept {
    if (S_ISDIR(status_.st_mode)) return "a folder";
    if (S_ISFIFO(status_.st_mode)) return "a pipe";
    return S_ISCHR(status_.st_mode) || S_ISBLK(status_.st_mode) ? "a device" : "another kind of file";
  }

  const std::string& path_;
  int descriptor_ = -1;
  struct ::stat status_ {};
};

}  // namespace detail

/// The bytes of a file. Throws InvalidFile if `path` cannot be read, is not a regular file, or has more than `most`
/// bytes.
inline std::string read_file(const std::string& path, std::uint64_t most) {
  const detail::OpenFile file(path, most);
  std::string bytes(file.size(), '\0');
  std::size_t read = 0;
  while (read < bytes.size()) {
    const ::ssize_t count = ::read(file.descriptor(), bytes.data() + read, bytes.size() - read);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) file.fail("cannot read", errno);
    if (count == 0) break;  // the file was truncated
    read += static_cast<std::size_t>(count);
  }
  bytes.resize(read);
  return bytes;
}

/// A whole file mapped read-only into memory, unmapped on destruction; or a copy of bytes that stands for one.
///
/// No other process may truncate the file while it is mapped: an access beyond the new end raises SIGBUS.
class MappedFile {
 public:
  /// Maps `path`. Throws InvalidFile if it cannot be opened, is not a regular file, or cannot be mapped.
  explicit MappedFile(std::string path) : path_(std::move(path)) {
    const detail::OpenFile file(path_, std::numeric_limits<std::uint64_t>::max());
    identity_ = file.status();
    size_ = file.size();
    if (size_ == 0) return;
    void* const data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
    if (data == MAP_FAILED) file.fail("cannot map", errno);
    data_ = static_cast<std::byte*>(data);
  }

  /// A file with these contents that is not on disk; messages name it `name`. The bytes lie in a block of exactly their
  /// size, so that the address sanitizer detects a read past the end, which it cannot in a mapping.
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
        size_(std::exchange(other.size_, 0)),
        kept_(std::exchange(other.kept_, 0)),
        identity_(other.identity_) {}

  MappedFile& operator=(MappedFile&& other) noexcept {
    MappedFile taken(std::move(other));
    std::swap(path_, taken.path_);
    std::swap(memory_, taken.memory_);
    std::swap(data_, taken.data_);
    std::swap(size_, taken.size_);
    std::swap(kept_, taken.kept_);
    std::swap(identity_, taken.identity_);
    return *this;
  }

  ~MappedFile() {
    if (data_ != nullptr && !memory_) ::munmap(data_, size_);
  }

  /// The path as passed in, for messages.
  const std::string& path() const noexcept { return path_; }

  /// The contents. Valid as long as this object, or the one it was moved to, lives.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  /// Returns the memory of the whole pages inside [offset, offset + length) to the system.
  ///
  /// Only a hint: the bytes stay readable and are fetched from the file again on the next access.
  void release(std::size_t offset, std::size_t length) const noexcept {
    if (offset >= size_ || memory_) return;
    const std::size_t end = offset + std::min(length, size_ - offset);
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t first = std::max((offset + page - 1) / page * page, kept_);
    // The last page of the file is padded past the file's end, so a range that reaches the end covers that page
    // completely.
    const std::size_t last = end == size_ ? end : end / page * page;
    if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
  }

  /// Replaces the mapping of the first `length` bytes with a copy, so that they no longer depend on the file. Views of
  /// them stay valid. Takes that much memory, in whole pages.
  void keep(std::size_t length) {
    if (memory_) return;
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t pages = (std::min(length, size_) + page - 1) / page * page;
    if (pages <= kept_) return;
    const std::vector<std::byte> copy(data_, data_ + std::min(pages, size_));
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (::mmap(data_, pages, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) {
      throw InvalidFile(path_ + ": cannot be held in memory: " + std::strerror(errno));
    }
    std::copy(copy.begin(), copy.end(), data_);
    kept_ = pages;
  }

  /// Throws InvalidFile if the file was written to since it was mapped. Removing or replacing the file does no harm:
  /// the mapping keeps it.
  void require_unchanged() const {
    struct ::stat now {};
    if (memory_ || ::stat(path_.c_str(), &now) != 0) return;
    if (now.st_dev != identity_.st_dev || now.st_ino != identity_.st_ino) return;
    ::timespec const then = detail::written_at(identity_);
    ::timespec const last = detail::written_at(now);
    if (now.st_size == identity_.st_size && last.tv_sec == then.tv_sec && last.tv_nsec == then.tv_nsec) return;
    throw InvalidFile(path_ + ": expected the file as it was opened, found it written to since");
  }

 private:
  MappedFile() = default;

  std::string path_;
  std::unique_ptr<std::byte[]> memory_;  // used if nothing is mapped
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t kept_ = 0;  // number of copied bytes
  struct ::stat identity_ {};
};

}  // namespace zeroth::ZEROTH_ISA::model

// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/journal/file_lock.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

[[noreturn]] inline void fail_to_write(const std::string& path, std::string_view what, int error) {
  throw InvalidFile(path + ": " + std::string(what) + ": " + std::strerror(error));
}

/// Writes all of `bytes`, in as many calls as the system needs. The message of InvalidFile names `path`.
inline void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ::ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_to_write(path, "cannot write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

/// Asks the system to write a folder's entries to disk. Best effort: not every file system can.
inline void synchronize_directory(const std::filesystem::path& directory) noexcept {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

/// The name of a file or folder until it is complete: PATH.part-PROCESS-NUMBER. Its writer holds its lock, so a part
/// without a lock was left by a killed process.
inline constexpr std::string_view part_infix = ".part-";

/// Whether `name` is the name of a part of the file or folder `of`.
inline bool is_part(std::string_view name, std::string_view of) noexcept {
  if (!name.starts_with(of) || !name.substr(of.size()).starts_with(part_infix)) return false;
  name.remove_prefix(of.size() + part_infix.size());
  const std::size_t dash = name.find('-');
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && is_number(name.substr(0, dash)) && is_number(name.substr(dash + 1));
}

/// Locks a part just created under `name`. False if another process removed it as abandoned before that.
inline bool claim_part(int descriptor, const char* name) noexcept {
  return zeroth::detail::try_lock(descriptor) != zeroth::detail::LockResult::busy &&
         zeroth::detail::is_named(descriptor, name);
}

/// Whether the folder holds only regular files; false if it cannot be read.
inline bool holds_regular_files_only(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->symlink_status(error).type() != std::filesystem::file_type::regular) return false;
  }
  return !error;
}

/// Removes an abandoned part: one whose lock is free.
inline void remove_dead_part(const std::filesystem::path& part) {
  int descriptor = ::open(part.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0 && errno == EISDIR) descriptor = ::open(part.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  if (zeroth::detail::try_lock(descriptor) == zeroth::detail::LockResult::held &&
      zeroth::detail::is_named(descriptor, part.c_str())) {
    struct ::stat status {};
    std::error_code ignored;
    if (::fstat(descriptor, &status) == 0 &&
        (S_ISREG(status.st_mode) || (S_ISDIR(status.st_mode) && holds_regular_files_only(part)))) {
      std::filesystem::remove_all(part, ignored);
    }
  }
  ::close(descriptor);
}

/// Calls `make(name)` with names next to `path` until one is free; returns that name. `make` returns false with errno.
template <class Make>
std::string make_beside(const std::string& path, Make make) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    std::string name = path + std::string(part_infix) + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    if (make(name.c_str())) return name;
    if (errno != EEXIST) fail_to_write(path, "cannot create", errno);
  }
  fail_to_write(path, "cannot create", EEXIST);
}

}  // namespace detail

/// Removes what killed processes left while they wrote `path`: its temporary files and folders, see AtomicFile, that no
/// process has locked. A file system without locks cannot tell, so they all stay.
inline void remove_dead_parts(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (detail::is_part(entry->path().filename().native(), path.filename().native())) {
      detail::remove_dead_part(entry->path());
    }
  }
}

/// A file that appears under its name complete or not at all.
///
/// The bytes go to a temporary name in the same folder; commit() writes them to disk and renames the file. Until then
/// an existing file of that name is untouched, and without commit() the temporary file is removed. Every failure,
/// including a full disk, throws InvalidFile with the final name and the system's reason, and leaves nothing behind.
class AtomicFile {
 public:
  /// Opens a temporary file next to `path`, and removes those left by killed processes. Also throws if `path` exists
  /// and is not a regular file.
  explicit AtomicFile(std::string path) : path_(std::move(path)) {
    struct ::stat status {};
    if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
      throw InvalidFile(path_ + ": cannot write: exists and is not a regular file");
    }
    buffer_.reserve(buffer_size);
    remove_dead_parts(path_);
    temporary_path_ = detail::make_beside(path_, [&](const char* name) {
      constexpr ::mode_t mode = 0666;  // less the process's umask
      descriptor_ = ::open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
      if (descriptor_ < 0 || detail::claim_part(descriptor_, name)) return descriptor_ >= 0;
      ::close(std::exchange(descriptor_, -1));
      errno = EEXIST;
      return false;
    });
  }

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  ~AtomicFile() { discard(); }

  /// The final name.
  const std::string& path() const noexcept { return path_; }

  /// Bytes written so far.
  std::uint64_t size() const noexcept { return size_; }

  /// Appends `bytes`.
  void write(std::span<const std::byte> bytes) {
    require_open();
    try {
      if (bytes.size() > buffer_size - buffer_.size()) flush();
      if (bytes.size() >= buffer_size) {
        detail::write_all(descriptor_, bytes, path_);
      } else {
        buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
      }
    } catch (...) {
      discard();
      throw;
    }
    size_ += bytes.size();
  }

  /// Appends the characters of `text`.
  void write(std::string_view text) { write(std::as_bytes(std::span<char const>(text))); }

  /// Writes the file to disk and gives it its name. Nothing can be written afterwards.
  void commit() {
    require_open();
    try {
      flush();
      if (::fsync(descriptor_) != 0) detail::fail_to_write(path_, "cannot write", errno);
      if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
        detail::fail_to_write(path_, "cannot rename the complete file to its name", errno);
      }
    } catch (...) {
      discard();
      throw;
    }
    temporary_path_.clear();
    // Close only after the rename: until then the lock keeps other processes from removing the part. It is on disk.
    ::close(std::exchange(descriptor_, -1));
    const auto folder = std::filesystem::path(path_).parent_path();
    detail::synchronize_directory(folder.empty() ? "." : folder);
  }

 private:
  static constexpr std::size_t buffer_size = std::size_t{1} << 18;

  void require_open() const {
    if (descriptor_ < 0) throw InvalidFile(path_ + ": cannot write: already committed, or failed before");
  }

  void flush() {
    detail::write_all(descriptor_, buffer_, path_);
    buffer_.clear();
  }

  void discard() noexcept {
    if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
    temporary_path_.clear();
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
  std::vector<std::byte> buffer_;
  std::uint64_t size_ = 0;
};

/// A folder of files that appears under its name complete or not at all.
///
/// Files are written into a temporary folder next to it; commit() renames that. An existing folder of that name stays
/// complete until the new one is, and is then removed. It may hold only regular files, so that a mistyped name cannot
/// remove a tree.
class AtomicDirectory {
 public:
  /// Creates the temporary folder, and removes those left by killed processes. Throws InvalidFile if it cannot, or if
  /// `path` exists and is not such a folder.
  explicit AtomicDirectory(const std::filesystem::path& path) {
    std::error_code error;
    auto resolved = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
    if (error) detail::fail_to_write(path.string(), "cannot resolve the name", error.value());
    if (!resolved.has_filename()) resolved = resolved.parent_path();  // "out/"
    path_ = resolved.string();
    require_replaceable();
    remove_dead_parts(path_);
    temporary_path_ = detail::make_beside(path_, [&](const char* name) { return make_locked(name); });
  }

  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  ~AtomicDirectory() {
    remove(temporary_path_);
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// The final name, absolute.
  const std::string& path() const noexcept { return path_; }

  /// The path at which to write the file `name` of the folder.
  std::string file(const std::string& name) const { return temporary_path_ + "/" + name; }

  /// Gives the folder its name, replacing an existing folder. Its files must be complete (see AtomicFile).
  void commit() {
    if (temporary_path_.empty()) throw InvalidFile(path_ + ": cannot write: already committed");
    require_replaceable();
    detail::synchronize_directory(temporary_path_);
    // The old folder, if any, ends up under the temporary name.
    if (!exchange()) replace_in_steps();
    detail::synchronize_directory(std::filesystem::path(path_).parent_path());
    remove(std::exchange(temporary_path_, {}));
    ::close(std::exchange(descriptor_, -1));
  }

 private:
  /// Creates the folder and locks it. False with errno.
  bool make_locked(const char* name) noexcept {
    if (::mkdir(name, 0777) != 0) return false;
    descriptor_ = ::open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ >= 0 && detail::claim_part(descriptor_, name)) return true;
    const int error = descriptor_ >= 0 || errno == ENOENT ? EEXIST : errno;  // removed as abandoned: try another name
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    if (error != EEXIST) ::rmdir(name);
    errno = error;
    return false;
  }

  /// Swaps the names of the two folders in one call, so that the name always leads to a folder. Not every system can.
  bool exchange() const noexcept {
#ifdef RENAME_EXCHANGE
    return ::renameat2(AT_FDCWD, temporary_path_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0;
#else
    return false;
#endif
  }

  void replace_in_steps() {
    std::string old;
    if (std::error_code ignored; std::filesystem::exists(path_, ignored)) {
      // Not a part's name: if the process is killed between the two renames, this is the only folder left.
      old = detail::make_beside(path_ + ".old", [&](const char* name) {
        return ::mkdir(name, 0777) == 0 && ::rename(path_.c_str(), name) == 0;  // onto the empty folder
      });
    }
    if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
      const int error = errno;
      if (!old.empty()) ::rename(old.c_str(), path_.c_str());
      detail::fail_to_write(path_, "cannot rename the complete folder to its name", error);
    }
    temporary_path_ = old;
  }

  void require_replaceable() const {
    namespace fs = std::filesystem;
    std::error_code error;
    if (fs::symlink_status(path_, error).type() == fs::file_type::not_found) return;
    if (!fs::is_directory(path_, error)) throw InvalidFile(path_ + ": cannot write: exists and is not a folder");
    fs::directory_iterator entry(path_, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      if (entry->symlink_status(error).type() != fs::file_type::regular) {
        throw InvalidFile(path_ + ": cannot replace a folder that holds more than regular files, found '" +
                          entry->path().filename().string() + "'");
      }
    }
    if (error) detail::fail_to_write(path_, "cannot read the folder", error.value());
  }

  static void remove(const std::string& path) noexcept {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }

  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;  ///< of the temporary folder, for its lock
};

}  // namespace zeroth::ZEROTH_ISA::model

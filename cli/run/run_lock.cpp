// SPDX-License-Identifier: MIT
#include "run_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/journal/file_lock.hpp>
#include <zeroth_model/io/atomic_file.hpp>

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

/// Creates the folder and the missing ones above it, and synchronizes their names to disk. Whether one was missing.
bool make_folder(fs::path const& folder, std::string const& name) {
  std::error_code error;
  fs::path const absolute = fs::absolute(folder, error);
  fs::path existing = absolute;
  while (!fs::exists(existing, error) && existing.has_relative_path()) existing = existing.parent_path();
  bool const made = fs::create_directories(folder, error);
  if (error) throw InvalidFile(name + ": " + folder.string() + ": cannot create the folder: " + error.message());
  for (fs::path above = absolute; made && above != existing && above.has_relative_path();) {
    above = above.parent_path();
    model::detail::synchronize_directory(above);
  }
  return made;
}

/// What a lock file says about the process that holds it: " (process 17 on host)", or nothing.
std::string owner_in(int descriptor) {
  std::array<char, 128> text{};
  ::ssize_t const size = ::pread(descriptor, text.data(), text.size(), 0);
  std::string owner(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (std::size_t const end = owner.find('\n'); end != std::string::npos) owner.resize(end);
  for (char const c : owner)
    if (c < 0x20 || c > 0x7e) return "";
  return owner.empty() ? "" : " (" + owner + ")";
}

}  // namespace

RunLock::RunLock(fs::path folder, std::string name, Folder mode)
    : folder_(std::move(folder)), file_(folder_ / file_name), name_(std::move(name)) {
  // The previous holder may have removed the file, and the folder too, between these calls.
  constexpr int attempts = 100;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (mode == Folder::may_be_created) made_here_ = make_folder(folder_, name_) || made_here_;
    if (try_to_hold(mode)) return;
  }
  throw InvalidFile(name_ + ": " + folder_.string() +
                    ": expected a folder that stays, found that another process keeps removing it");
}

RunLock::~RunLock() {
  // Removed while it is locked: a process that has it open sees that it lost its name, and creates a new one.
  if (zeroth::detail::is_named(descriptor_, file_.c_str())) ::unlink(file_.c_str());
  if (made_here_) ::rmdir(folder_.c_str());
  ::close(descriptor_);
}

void RunLock::require_held() const {
  if (zeroth::detail::is_named(descriptor_, file_.c_str())) return;
  throw InvalidFile(name_ + ": " + folder_.string() +
                    ": expected the folder that this run began in, found it removed or replaced: another run may be " +
                    "writing there");
}

/// False if the folder or the file was removed meanwhile.
bool RunLock::try_to_hold(Folder kind) {
  constexpr ::mode_t mode = 0666;  // less the process's umask
  int const descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
  if (descriptor < 0) {
    if (errno == ENOENT && kind == Folder::may_be_created) return false;
    throw InvalidFile(name_ + ": " + folder_.string() + ": cannot write " + file_.string() + ": " +
                      std::strerror(errno));
  }
  zeroth::detail::LockResult const result = zeroth::detail::try_lock(descriptor);
  if (result == zeroth::detail::LockResult::busy) {
    std::string const owner = owner_in(descriptor);
    ::close(descriptor);
    throw InvalidFile(name_ + ": " + folder_.string() + ": another run is writing here" + owner +
                      "; wait until it ends, or choose another folder");
  }
  if (!zeroth::detail::is_named(descriptor, file_.c_str())) {
    ::close(descriptor);
    return false;
  }
  descriptor_ = descriptor;
  locked_ = result == zeroth::detail::LockResult::held;
  write_owner();
  return true;
}

/// For the message of a second run. Best effort: the lock itself needs no content.
void RunLock::write_owner() const {
  std::array<char, 65> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  std::string const owner = "process " + std::to_string(::getpid()) + " on " + host.data() + "\n";
  if (::ftruncate(descriptor_, 0) == 0) static_cast<void>(::pwrite(descriptor_, owner.data(), owner.size(), 0) == 0);
}

}  // namespace zeroth::cli

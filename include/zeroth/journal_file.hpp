// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/journal/file_lock.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// The kind of file that this mode stands for, for messages.
[[nodiscard]] constexpr char const* kind_of(::mode_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a pipe";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

/// A regular file that is closed by the destructor. Every failure throws InvalidFile with the path.
class PosixFile {
 public:
  /// @throws InvalidFile also if the path is a pipe, a device or a directory, which cannot be cut or locked or have no
  /// end
  PosixFile(std::string path, int flags) : path_(std::move(path)) {
    constexpr ::mode_t mode = 0666;  // less the process's umask
    // Otherwise opening a pipe would wait for its other end.
    descriptor_ = ::open(path_.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
    if (descriptor_ < 0) fail("cannot open");
    struct ::stat status {};
    int const error = ::fstat(descriptor_, &status) == 0 ? 0 : errno;
    if (error == 0 && S_ISREG(status.st_mode)) return;
    ::close(descriptor_);
    errno = error;
    if (error != 0) fail("cannot open");
    throw InvalidFile(path_ + ": expected a regular file, found " + kind_of(status.st_mode));
  }
  PosixFile(PosixFile const&) = delete;
  PosixFile& operator=(PosixFile const&) = delete;
  PosixFile(PosixFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), locked_(other.locked_) {}
  PosixFile& operator=(PosixFile&&) = delete;
  ~PosixFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// Opens a journal that no other JournalFile may have open. The system releases the lock of a process that dies.
  [[nodiscard]] static PosixFile open_locked(std::string const& path, int flags) {
    // A file that was replaced between open and lock is opened again.
    constexpr int attempts = 100;
    for (int attempt = 0; attempt < attempts; ++attempt) {
      PosixFile file(path, flags);
      LockResult const lock = try_lock(file.descriptor_);
      if (lock == LockResult::busy)
        throw InvalidFile(path + ": expected a journal that no one else has open, found one open for writing");
      if (!is_named(file.descriptor_, path.c_str())) continue;
      file.locked_ = lock == LockResult::held;
      return file;
    }
    throw InvalidFile(path + ": expected a journal that stays in its place, found it replaced again and again");
  }

  [[nodiscard]] std::string const& path() const noexcept { return path_; }
  [[nodiscard]] bool is_locked() const noexcept { return locked_; }

  /// Reads what the file holds now; it may grow meanwhile.
  [[nodiscard]] std::vector<std::byte> read_all() const {
    struct ::stat status {};
    if (::fstat(descriptor_, &status) != 0) fail("cannot read");
    auto const size = static_cast<std::size_t>(status.st_size);
    std::vector<std::byte> bytes;
    std::array<std::byte, 1 << 16> block;
    while (bytes.size() < size) {
      std::size_t const most = std::min(block.size(), size - bytes.size());
      ::ssize_t const count = ::pread(descriptor_, block.data(), most, static_cast<::off_t>(bytes.size()));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("cannot read");
      if (count == 0) break;
      bytes.insert(bytes.end(), block.begin(), block.begin() + count);
      // Do not read the rest of a large file that is not a journal.
      if (bytes.size() >= journal_magic.size() && !is_journal(bytes)) return bytes;
    }
    return bytes;
  }

  void write(std::span<std::byte const> bytes, std::size_t at) const {
    while (!bytes.empty()) {
      ::ssize_t const count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<::off_t>(at));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("cannot write");
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      at += static_cast<std::size_t>(count);
    }
  }

  void truncate(std::size_t size) const {
    if (::ftruncate(descriptor_, static_cast<::off_t>(size)) != 0) fail("cannot cut to its whole records");
  }

  void synchronize() const {
    if (::fsync(descriptor_) != 0) fail("cannot write");
  }

  /// As `synchronize`, without an exception: for callers that cannot report one.
  void try_synchronize() const noexcept { ::fsync(descriptor_); }

  /// Writes the directory entry to disk. Best effort: not every file system can.
  void synchronize_name() const {
    std::size_t const slash = path_.rfind('/');
    std::string const folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    int const descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    ::fsync(descriptor);
    ::close(descriptor);
  }

 private:
  [[noreturn]] void fail(char const* what) const {
    throw InvalidFile(path_ + ": " + what + ": " + std::strerror(errno));
  }

  std::string path_;
  int descriptor_ = -1;
  bool locked_ = false;
};

/// Saves bytes next to `path`, as PATH.cut-1 or the first such name that is free. Returns that name.
[[nodiscard]] inline std::string keep_aside(std::string const& path, std::span<std::byte const> bytes) {
  constexpr int most = 10000;
  for (int number = 1; number <= most; ++number) {
    std::string name = path + ".cut-" + std::to_string(number);
    struct ::stat status {};
    if (::lstat(name.c_str(), &status) == 0) continue;
    PosixFile const file(name, O_WRONLY | O_CREAT | O_EXCL);
    try {
      file.write(bytes, 0);
      file.synchronize();
    } catch (...) {
      ::unlink(name.c_str());
      throw;
    }
    file.synchronize_name();
    return name;
  }
  throw InvalidFile(path + ".cut-N: expected a name that is free for N from 1 to " + std::to_string(most) +
                    ", found none");
}

}  // namespace detail

/// Reads the journal in a file; a run may be writing it.
/// @throws InvalidFile if it cannot be read or is not a regular file; see Journal::read
[[nodiscard]] inline Journal read_journal(std::string const& path) {
  return Journal::read(detail::PosixFile(path, O_RDONLY).read_all(), path);
}

/// The part of a journal file that can be trusted.
struct RecoveredJournal {
  Journal journal;
  std::size_t left_bytes = 0;  ///< bytes after its last record

  /// Whether at least a whole record's bytes follow. Fewer are a record whose writing was cut short, which loses
  /// nothing.
  [[nodiscard]] bool is_damaged() const noexcept { return left_bytes >= journal.record_bytes(); }

  /// Describes the damage on one line.
  [[nodiscard]] std::string damage() const { return detail::damage(journal, left_bytes); }
};

/// Reads the journal in a file up to its first bad record; the file is not changed.
/// @throws InvalidFile if it cannot be read or is not a regular file; see Journal::recover
[[nodiscard]] inline RecoveredJournal recover_journal(std::string const& path) {
  std::vector<std::byte> const bytes = detail::PosixFile(path, O_RDONLY).read_all();
  Journal journal = Journal::recover(bytes, path);
  std::size_t const left = bytes.size() - journal.size();
  return {std::move(journal), left};
}

/// What was cut off a journal because it did not follow on from the records before it.
struct JournalCut {
  std::size_t bytes = 0;
  std::size_t records = 0;  ///< records that remain
  std::uint64_t steps = 0;  ///< steps that remain
  std::string kept_in{};    ///< file that the bytes were saved to; empty if they were less than a record

  /// "cut 96 bytes after record 11, step 10; they are in run.journal.cut-1".
  [[nodiscard]] std::string text() const {
    std::string const kept = kept_in.empty() ? ": a record whose writing was cut short" : "; they are in " + kept_in;
    return "cut " + std::to_string(bytes) + " bytes after " + std::to_string(records) + " records and " +
           std::to_string(steps) + " steps" + kept;
  }
};

namespace detail {

/// Cuts the bytes after `journal`'s records off its file, whose content is `found`; saves them first if they are a
/// record or more.
[[nodiscard]] inline std::optional<JournalCut> cut_tail(PosixFile const& file, Journal const& journal,
                                                        std::span<std::byte const> found) {
  std::span<std::byte const> const tail = found.subspan(journal.size());
  if (tail.empty()) return std::nullopt;
  JournalCut cut{.bytes = tail.size(), .records = journal.entries().size(), .steps = journal.steps()};
  if (tail.size() >= journal.record_bytes()) cut.kept_in = keep_aside(file.path(), tail);
  file.truncate(journal.size());
  file.synchronize();
  return cut;
}

}  // namespace detail

/// Cuts a damaged journal before its first bad record and saves the rest in a file next to it. Returns what was cut, or
/// nothing if the journal is complete.
/// @throws InvalidFile if a JournalFile has it open, or as recover_journal does; the file is then unchanged
[[nodiscard]] inline std::optional<JournalCut> repair_journal(std::string const& path) {
  detail::PosixFile const file = detail::PosixFile::open_locked(path, O_RDWR);
  std::vector<std::byte> const found = file.read_all();
  return detail::cut_tail(file, Journal::recover(found, path), found);
}

/// Options of a JournalFile.
struct JournalFileOptions {
  std::vector<JournalField> notes{};  ///< see make_journal_header
  /// Writes records to disk if the last time is at least this long ago; 0: each record.
  std::chrono::milliseconds sync_every{1000};
};

/// A journal on disk that grows with the run. Three lines let a run of any engine be stopped at any instant, even by a
/// crash, and resume to the same bits when the program is started again over the base weights:
///
///     zeroth::JournalFile journal("run.journal", optimizer);
///     while (optimizer.steps() < 1000) journal.append(optimizer.step(loss));
///
/// When `append` returns, the operating system has the record, so it survives the end of the process. It is on disk
/// after the first `append` at least `sync_every` after the last such write: if the machine itself goes down, about
/// that much time's steps are lost and must be taken again. `synchronize` writes all records to disk; so does the
/// destructor, which cannot report a failure.
///
/// Opening a journal that such a crash damaged cuts it at the first bad record, even if good ones follow. The rest is
/// saved in a file next to it, which `cut` names.
///
/// While it is open, no second JournalFile can open it, in this process or another, if the file system has locks
/// (`is_locked`); without locks nothing prevents it. Nothing protects against others removing or renaming the file.
///
/// Not part of <zeroth/zeroth.hpp>: it needs a POSIX system.
class JournalFile {
 public:
  /// Opens the journal of the optimizer's run. A missing or empty file starts a new journal; otherwise the optimizer
  /// replays its steps (see `replay`) and stands where the run stopped.
  /// @param optimizer before its first step, over the base weights
  /// @throws InvalidFile naming the file, and the difference if the journal is of another run; nothing is written then
  template <class Optimizer>
  requires(!std::same_as<Optimizer, JournalHeader>)  //
      JournalFile(std::string path, Optimizer& optimizer, JournalFileOptions const& options = {})
      : JournalFile(std::move(path), begun_header(optimizer, options.notes), options.sync_every) {
    detail::replay_steps(journal_, optimizer, journal_.steps());
  }

  /// As above, without the replay.
  /// @param header of the run
  JournalFile(std::string path, JournalHeader const& header, std::chrono::milliseconds sync_every = default_sync)
      : file_(detail::PosixFile::open_locked(path, O_RDWR | O_CREAT)), journal_(header), sync_every_(sync_every) {
    std::vector<std::byte> const found = file_.read_all();
    std::vector<std::byte> const begun = encode(header);
    // If the machine went down while the header was being written, the file may have zeros in place of bytes that never
    // reached the disk.
    bool const is_torn_header = found.size() <= begun.size() &&
                                std::equal(found.begin(), found.end(), begun.begin(),
                                           [](std::byte f, std::byte b) { return f == b || f == std::byte{0}; });
    if (is_torn_header) {
      file_.write(begun, 0);
      file_.synchronize();
      file_.synchronize_name();
      return;
    }
    journal_ = Journal::recover(found, file_.path());
    require_same(journal_.header(), header, file_.path());
    cut_ = detail::cut_tail(file_, journal_, found);
  }

  JournalFile(JournalFile const&) = delete;
  JournalFile& operator=(JournalFile const&) = delete;
  ~JournalFile() { file_.try_synchronize(); }

  [[nodiscard]] std::string const& path() const noexcept { return file_.path(); }
  [[nodiscard]] Journal const& journal() const noexcept { return journal_; }

  /// What opening cut off; nothing if the journal was complete.
  [[nodiscard]] std::optional<JournalCut> const& cut() const noexcept { return cut_; }

  /// Whether other JournalFiles are kept out: false on a file system without locks.
  [[nodiscard]] bool is_locked() const noexcept { return file_.is_locked(); }

  /// Adds the record of the next step, or an evaluation after the last one.
  /// @throws InvalidFile if it cannot be written, as on a full disk; the file then still ends with the record before
  /// @throws InvalidArgument see Journal::append
  void append(JournalEntry entry) {
    std::size_t const end = journal_.size();
    std::vector<std::byte> const record = journal_.append(std::move(entry));
    try {
      file_.write(record, end);
      auto const now = Clock::now();
      if (now - synchronized_ < sync_every_) return;
      file_.synchronize();
      synchronized_ = now;
    } catch (...) {
      truncate(journal_.entries().size() - 1);
      throw;
    }
  }

  /// Drops all but the first `count` entries.
  void truncate(std::size_t count) {
    journal_.truncate(count);
    file_.truncate(journal_.size());
  }

  /// Writes all records to disk.
  /// @throws InvalidFile if the system cannot
  void synchronize() { file_.synchronize(); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds default_sync{1000};

  template <class Optimizer>
  [[nodiscard]] static JournalHeader begun_header(Optimizer const& optimizer, std::vector<JournalField> const& notes) {
    detail::require_no_step(optimizer, "journal");
    return make_journal_header(optimizer, notes);
  }

  detail::PosixFile file_;
  Journal journal_;
  std::optional<JournalCut> cut_;
  std::chrono::milliseconds sync_every_;
  Clock::time_point synchronized_ = Clock::now();
};

}  // namespace zeroth::ZEROTH_ISA

// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/journal/journal.hpp>

namespace zeroth {

namespace detail {

/// A file of the operating system's that is closed at the end. Every failure throws InvalidFile with its path.
class PosixFile {
 public:
  PosixFile(std::string path, int flags) : path_(std::move(path)) {
    constexpr ::mode_t mode = 0666;  // less the process's umask
    descriptor_ = ::open(path_.c_str(), flags | O_CLOEXEC, mode);
    if (descriptor_ < 0) fail("cannot open");
  }
  PosixFile(PosixFile const&) = delete;
  PosixFile& operator=(PosixFile const&) = delete;
  ~PosixFile() { ::close(descriptor_); }

  [[nodiscard]] std::string const& path() const noexcept { return path_; }

  /// Keeps other processes from locking it, for as long as it is open. The system ends the lock of a process that dies.
  void lock() const {
    // Some network file systems have no locks; there, nobody is kept out.
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      throw InvalidFile(path_ + ": expected a journal that nobody writes, found one that another process has open");
  }

  [[nodiscard]] std::vector<std::byte> read_all() const {
    std::vector<std::byte> bytes;
    std::array<std::byte, 1 << 16> block;
    for (;;) {
      ::ssize_t const count = ::pread(descriptor_, block.data(), block.size(), static_cast<::off_t>(bytes.size()));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("cannot read");
      if (count == 0) return bytes;
      bytes.insert(bytes.end(), block.begin(), block.begin() + count);
    }
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

  /// Puts the file's name on disk. Best effort: not every file system can.
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
};

}  // namespace detail

/// Reads the journal in a file, also while a run goes on writing it.
/// @throws InvalidFile if it cannot be read or is none; see Journal::read
[[nodiscard]] inline Journal read_journal(std::string const& path) {
  return Journal::read(detail::PosixFile(path, O_RDONLY).read_all(), path);
}

/// How a JournalFile is kept.
struct JournalFileOptions {
  std::vector<JournalField> notes{};  ///< see make_journal_header
  /// Records are put on disk when the last time is this long ago; 0: each of them.
  std::chrono::milliseconds sync_every{1000};
};

/// A journal on disk that grows with the run. Three lines make the run of any engine one that can be stopped at any
/// instant, by a crash too, and go on to the same bits when the program is started again over the base weights:
///
///     zeroth::JournalFile journal("run.journal", optimizer);
///     while (optimizer.steps() < 1000) journal.append(optimizer.step(loss));
///
/// A record is with the operating system when `append` returns, and so survives whatever ends the process. It is on
/// disk at the next `append` that comes `sync_every` later, so that if the machine itself goes down the steps of about
/// that time are lost, and done again. Whatever is torn is cut off at the last whole record when the file is opened.
///
/// While it is open no second JournalFile can have it. Not part of <zeroth/zeroth.hpp>: it needs a POSIX system.
class JournalFile {
 public:
  /// Opens the journal of the optimizer's run. If the file is not there or empty it is begun; else the optimizer does
  /// the steps in it again (see `replay`), and is then where the run was.
  /// @param optimizer before its first step, over the base weights
  /// @throws InvalidFile naming the file, and what differs if it is of another run; nothing is written then
  template <class Optimizer>
  requires(!std::same_as<Optimizer, JournalHeader>)  //
      JournalFile(std::string path, Optimizer& optimizer, JournalFileOptions const& options = {})
      : JournalFile(std::move(path), begun_header(optimizer, options.notes), options.sync_every) {
    detail::replay_steps(journal_, optimizer, journal_.steps());
  }

  /// The same without the replay.
  /// @param header of the run
  JournalFile(std::string path, JournalHeader const& header, std::chrono::milliseconds sync_every = default_sync)
      : file_(std::move(path), O_RDWR | O_CREAT), journal_(header), sync_every_(sync_every) {
    file_.lock();
    std::vector<std::byte> const found = file_.read_all();
    std::vector<std::byte> const begun = encode(header);
    bool const is_torn_header = found.size() < begun.size() && std::equal(found.begin(), found.end(), begun.begin());
    if (is_torn_header) {
      file_.write(begun, 0);
      file_.synchronize();
      file_.synchronize_name();
      return;
    }
    journal_ = Journal::read(found, file_.path());
    require_same(journal_.header(), header, file_.path());
    if (journal_.size() != found.size()) file_.truncate(journal_.size());
  }

  JournalFile(JournalFile const&) = delete;
  JournalFile& operator=(JournalFile const&) = delete;

  [[nodiscard]] std::string const& path() const noexcept { return file_.path(); }
  [[nodiscard]] Journal const& journal() const noexcept { return journal_; }

  /// Adds what the next step did, or an evaluation after the last one.
  /// @throws InvalidFile if it cannot be written, as on a full disk; the file then ends with the record before
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

  /// Forgets all but the first `count` entries.
  void truncate(std::size_t count) {
    journal_.truncate(count);
    file_.truncate(journal_.size());
  }

  /// Puts all records on disk.
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
  std::chrono::milliseconds sync_every_;
  Clock::time_point synchronized_ = Clock::now();
};

}  // namespace zeroth

// SPDX-License-Identifier: MIT
#include "output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <zeroth/error.hpp>

#include "descriptors.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(fs::path const& path, std::string const& what, int error) {
  throw InvalidFile(path.string() + ": " + what + ": " + std::strerror(error));
}

bool is_device(fs::path const& path) {
  std::error_code ignored;
  fs::file_status const status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

/// Whether a descriptor belongs to that regular file.
bool is_regular_file_of(int descriptor, struct ::stat const& file) {
  struct ::stat status {};
  return S_ISREG(file.st_mode) && ::fstat(descriptor, &status) == 0 && status.st_dev == file.st_dev &&
         status.st_ino == file.st_ino;
}

/// @throws InvalidFile if nothing can be written to the descriptor.
void check_writable(int descriptor, fs::path const& path) {
  int const flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0) fail(path, "expected an open descriptor to write to, found", errno);
  if ((flags & O_ACCMODE) == O_RDONLY)
    throw InvalidFile(path.string() + ": expected a descriptor that is open for writing, found one for reading");
}

/// A separate stream to what a descriptor leads to, at the descriptor's position.
std::FILE* stream_to(int descriptor, fs::path const& path) {
  check_writable(descriptor, path);
  // What was printed earlier must come first.
  if (std::fflush(stdout) != 0) fail(path, "cannot write", errno);
  int const copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  std::FILE* const file = copy < 0 ? nullptr : ::fdopen(copy, "w");
  if (file == nullptr) fail(path, "cannot write", errno);
  return file;
}

std::FILE* open_for_writing(Destination const& to, char const* mode = "wbe") {
  if (to.descriptor) return stream_to(*to.descriptor, to.path);
  check_not_standard_stream(to.path);
  std::FILE* const file = std::fopen(to.path.c_str(), mode);
  if (file == nullptr) fail(to.path, "cannot write", errno);
  return file;
}

}  // namespace

OutputFile::OutputFile(fs::path const& path) : path_(path) {
  Destination const to = destination_of(path);
  if (to.descriptor || is_device(to.path)) {
    stream_.reset(open_for_writing(to));
  } else {
    check_not_standard_stream(to.path);
    file_.emplace(to.path.string());
  }
}

void OutputFile::write(std::string_view text) {
  if (file_) return file_->write(text);
  if (std::fwrite(text.data(), 1, text.size(), stream_.get()) != text.size()) fail(path_, "cannot write", errno);
}

void OutputFile::finish() {
  if (file_) return file_->commit();
  // Some file systems report a full disk only at the end.
  bool const flushed = std::fflush(stream_.get()) == 0;
  if (!flushed || std::fclose(stream_.release()) != 0) fail(path_, "cannot write", errno);
}

AppendedFile::AppendedFile(fs::path const& path) : path_(path), file_(open_for_writing(destination_of(path))) {}

AppendedFile::AppendedFile(fs::path const& path, std::uint64_t bytes)
    : path_(path), file_(open_for_writing(destination_of(path), "abe")) {
  std::error_code error;
  fs::resize_file(path, bytes, error);
  if (error) fail(path_, "cannot cut", error.value());
}

void AppendedFile::append(std::string_view line) {
  bool const written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() &&
                       std::fputc('\n', file_.get()) != EOF && std::fflush(file_.get()) == 0;
  if (!written) fail(path_, "cannot write", errno);
  constexpr std::chrono::seconds between{1};
  if (Clock::now() - synchronized_ < between) return;
  ::fsync(fileno(file_.get()));  // best effort: the file may not be on a disk
  synchronized_ = Clock::now();
}

void check_writable(fs::path const& path, std::initializer_list<fs::path> inputs) {
  Destination const to = destination_of(path);
  if (to.descriptor) return check_writable(*to.descriptor, path);
  std::error_code ignored;
  for (fs::path const& input : inputs)
    if (fs::equivalent(path, input, ignored))
      throw InvalidFile(path.string() + ": expected a file other than the input to write, found the input itself");
  if (fs::is_directory(path, ignored)) throw InvalidFile(path.string() + ": expected a file, found a directory");
  // A pipe is opened only once: its reader would take the first close for the end.
  if (!is_device(to.path))
    OutputFile{path};
  else if (::faccessat(AT_FDCWD, to.path.c_str(), W_OK, AT_EACCESS) != 0)
    fail(path, "cannot write", errno);
}

void check_not_standard_stream(fs::path const& path) {
  struct ::stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  for (auto const& [descriptor, stream] : {std::pair{STDOUT_FILENO, "output"}, std::pair{STDERR_FILENO, "error"}})
    if (is_regular_file_of(descriptor, status))
      throw InvalidFile(path.string() + ": expected a file that standard " + stream +
                        " does not go to, found the same file; name another, or /dev/std" +
                        (descriptor == 1 ? "out" : "err"));
}

bool leads_to_standard_output(fs::path const& path) {
  Destination const to = destination_of(path);
  struct ::stat here {};
  struct ::stat there {};
  if (::fstat(STDOUT_FILENO, &here) != 0) return false;
  if ((to.descriptor ? ::fstat(*to.descriptor, &there) : ::stat(to.path.c_str(), &there)) != 0) return false;
  return here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

fs::path check_saveable(fs::path const& path, SavedAs form, bool overwrite) {
  Destination const to = destination_of(path);
  std::error_code error;
  fs::file_status const status = fs::status(to.path, error);
  if (status.type() == fs::file_type::none) fail(path, "--output: cannot be accessed", error.value());
  if (to.descriptor && !fs::is_directory(status))
    throw InvalidArgument("--output: expected the name of a file or folder, found " + path.string() +
                          ", which stands for an open descriptor");
  if (fs::exists(status) && !overwrite)
    throw InvalidArgument("--output: " + path.string() + " exists; --overwrite replaces it");
  check_not_standard_stream(to.path);
  if (form == SavedAs::file)
    model::AtomicFile{to.path.string()};
  else
    model::AtomicDirectory{to.path};
  return to.path;
}

}  // namespace zeroth::cli

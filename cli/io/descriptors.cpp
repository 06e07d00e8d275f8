// SPDX-License-Identifier: MIT
#include "descriptors.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include <zeroth/error.hpp>

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

/// The descriptor that a file's name in a folder of descriptors stands for, if it is a number.
std::optional<int> number_of(std::string_view name) {
  int number = 0;
  auto const [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size() || number < 0) return std::nullopt;
  return number;
}

/// Whether a folder, without links in its path, lists this process's descriptors, which all threads share.
bool lists_descriptors(fs::path const& folder) {
  if (folder == "/dev/fd") return true;
  if (folder.filename() != "fd") return false;
  std::error_code error;
  // The target of /proc/self, which in a container may differ from getpid().
  fs::path const self = fs::canonical("/proc/self", error);
  if (error) return false;
  fs::path const owner = folder.parent_path();
  return owner == self || owner.parent_path() == self / "task";
}

/// The descriptor that `name` in `folder` stands for, if any.
std::optional<int> descriptor_of(fs::path const& folder, std::string const& name) {
  if (folder == "/dev" && name == "stdin") return STDIN_FILENO;
  if (folder == "/dev" && name == "stdout") return STDOUT_FILENO;
  if (folder == "/dev" && name == "stderr") return STDERR_FILENO;
  return lists_descriptors(folder) ? number_of(name) : std::nullopt;
}

}  // namespace

bool open_standard_descriptors() noexcept {
  auto const is_open = [](int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF; };
  constexpr std::array<int, 3> standard{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  // open() takes the lowest free number, so each is opened in turn.
  return std::all_of(standard.begin(), standard.end(),
                     [&](int descriptor) { return is_open(descriptor) || ::open("/dev/null", O_RDWR) == descriptor; });
}

Destination destination_of(fs::path const& path) {
  fs::path at = path;
  constexpr int most_links = 40;  // as Linux allows
  for (int links = 0; links < most_links; ++links) {
    std::error_code error;
    fs::path const above = at.has_parent_path() ? at.parent_path() : fs::path(".");
    fs::path folder = fs::canonical(above, error);
    if (error) folder = above;  // opening it will report the error
    if (auto const descriptor = descriptor_of(folder, at.filename().string())) return {at, descriptor};
    if (!fs::is_symlink(at, error)) return {at, std::nullopt};
    fs::path const target = fs::read_symlink(at, error);
    if (error) return {at, std::nullopt};
    at = target.is_absolute() ? target : folder / target;
  }
  throw InvalidFile(path.string() + ": cannot write: " + std::strerror(ELOOP));
}

}  // namespace zeroth::cli

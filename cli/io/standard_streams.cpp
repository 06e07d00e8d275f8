// SPDX-License-Identifier: MIT
#include "standard_streams.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::cli {
namespace {

[[noreturn]] void fail_to_print(int error) {
  throw InvalidFile(std::string("standard output: cannot write: ") + std::strerror(error));
}

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fail_to_print(errno);
}

void print_fact(std::size_t width, std::string_view name, std::string_view value) {
  std::string line = model::replace_unprintable(name);
  line.resize(std::max(line.size() + 1, width), ' ');
  print(line + model::replace_unprintable(value) + "\n");
}

void print_now(std::string_view text) {
  print(text);
  if (std::fflush(stdout) != 0) fail_to_print(errno);
}

void print_name(std::filesystem::path const& path) {
  print((prints_on_terminal() ? model::replace_unprintable(path.string()) : path.string()) + "\n");
}

void finish_printing() {
  // A network file system, or one with quotas, may report a full disk only at the end.
  bool const failed_before = std::ferror(stdout) != 0;
  if (std::fflush(stdout) != 0 || std::fclose(stdout) != 0) fail_to_print(errno);
  if (failed_before) fail_to_print(EIO);
}

bool prints_on_terminal() noexcept {
  return ::isatty(STDOUT_FILENO) != 0;
}

void tell(std::string_view line) {
  std::string const shown = model::replace_unprintable(line) + "\n";
  std::fwrite(shown.data(), 1, shown.size(), stderr);
}

}  // namespace zeroth::cli

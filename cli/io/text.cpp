// SPDX-License-Identifier: MIT
#include "text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <zeroth/error.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/text/text_encoding.hpp>
#include <zeroth_model/text/unicode.hpp>

namespace zeroth::cli {
namespace {

constexpr std::size_t most_data = std::size_t{1} << 32;

/// A file that is read from beginning to end.
class InputFile {
 public:
  enum class Kind : std::uint8_t { regular, regular_or_pipe };

  /// Waits for the writer of a pipe only if a pipe may be read: with O_NONBLOCK, a pipe without a writer looks empty.
  InputFile(std::filesystem::path const& path, Kind kind)
      : path_(path),
        descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | (kind == Kind::regular ? O_NONBLOCK : 0))) {
    if (descriptor_ < 0) fail_to_read();
    try {
      check(kind);
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
  }

  InputFile(InputFile const&) = delete;
  InputFile& operator=(InputFile const&) = delete;
  ~InputFile() { ::close(descriptor_); }

  [[nodiscard]] std::string read(std::size_t most) const {
    std::string text;
    text.reserve(std::min(size_, most));
    std::array<char, 65536> part{};
    for (;;) {
      ssize_t const count = ::read(descriptor_, part.data(), part.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_to_read();
      if (count == 0) return text;
      if (static_cast<std::size_t>(count) > most - text.size())
        throw InvalidFile(path_.string() + ": expected at most " + human_bytes(most) + ", found more");
      text.append(part.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  void check(Kind kind) {
    struct ::stat status {};
    if (::fstat(descriptor_, &status) != 0) fail_to_read();
    bool const is_pipe = S_ISFIFO(status.st_mode);
    if (S_ISREG(status.st_mode)) {
      size_ = static_cast<std::size_t>(status.st_size);
    } else if (kind == Kind::regular || !is_pipe) {
      throw InvalidFile(path_.string() + ": expected a regular file" +
                        (kind == Kind::regular_or_pipe ? " or a pipe" : "") + ", found " +
                        (is_pipe                   ? "a pipe"
                         : S_ISDIR(status.st_mode) ? "a directory"
                                                   : "a device"));
    }
  }

  [[noreturn]] void fail_to_read() const {
    throw InvalidFile(path_.string() + ": cannot be read: " + std::strerror(errno));
  }

  std::filesystem::path const& path_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
};

}  // namespace

std::string_view strip(std::string_view text) noexcept {
  constexpr std::string_view white = " \t\n\v\f\r";
  std::size_t const first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::size_t incomplete_utf8_suffix(std::string_view text) noexcept {
  // The last byte that is not a continuation byte begins the last character.
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    auto const byte = static_cast<std::uint8_t>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    std::size_t const length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 60;
  std::string spaced(text.substr(0, longest + 1));
  for (char& c : spaced)
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  return '"' + model::detail::printable(spaced, longest) + '"';
}

std::vector<std::string> read_lines(std::filesystem::path const& path) {
  std::string const text = read_text(path);
  if (std::string_view const encoding = model::detail::wide_encoding(text); !encoding.empty())
    throw InvalidFile(path.string() + ": expected text in UTF-8, found " + std::string(encoding));
  std::vector<std::string> lines;
  std::string_view rest = model::detail::without_byte_order_mark(text);
  while (!rest.empty()) {
    std::size_t const end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

std::string read_text(std::filesystem::path const& path, std::size_t most) {
  return InputFile(path, InputFile::Kind::regular_or_pipe).read(most);
}

std::string read_data_file(std::filesystem::path const& path) {
  return InputFile(path, InputFile::Kind::regular).read(most_data);
}

std::string human_bytes(std::size_t bytes) {
  constexpr std::array<char const*, 4> units{"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < units.size(); ++unit) value /= 1000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]);
  return text.data();
}

}  // namespace zeroth::cli

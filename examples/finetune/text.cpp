// SPDX-License-Identifier: MIT
#include "text.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/model/tokenizer/unicode.hpp>

namespace zeroth::cli {
namespace {

[[noreturn]] void fail_to_read(std::filesystem::path const& path) {
  throw InvalidFile(path.string() + ": cannot be read: " + std::strerror(errno));
}

std::ifstream open(std::filesystem::path const& path) {
  if (std::filesystem::is_directory(path)) throw InvalidFile(path.string() + ": expected a file, found a directory");
  std::ifstream file(path, std::ios::binary);
  if (!file) fail_to_read(path);
  return file;
}

}  // namespace

std::string_view strip(std::string_view text) noexcept {
  constexpr std::string_view white = " \t\n\v\f\r";
  std::size_t const first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::size_t incomplete_utf8_suffix(std::string_view text) noexcept {
  // The last byte that is no continuation begins the last character.
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
  std::string out = "\"";
  std::string const valid = model::replace_invalid_utf8(text.substr(0, longest));
  for (char c : valid) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  if (text.size() > longest) out += "...";
  return out + '"';
}

std::vector<std::string> read_lines(std::filesystem::path const& path) {
  std::ifstream file = open(path);
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(file, line)) {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
  }
  if (file.bad()) fail_to_read(path);
  return lines;
}

std::string read_text(std::filesystem::path const& path, std::size_t most) {
  std::ifstream file = open(path);
  std::string text;
  std::array<char, 65536> part{};
  while (file.read(part.data(), part.size()) || file.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > most)
      throw InvalidFile(path.string() + ": expected at most " + human_bytes(most) + ", found more");
  }
  if (file.bad()) fail_to_read(path);
  return text;
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

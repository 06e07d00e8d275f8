// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <zeroth/error.hpp>
#include <zeroth_model/io/file_status.hpp>
#include <zeroth_model/text/unicode.hpp>

// Paths as text, and questions about files whose errors name the file.

namespace zeroth::cli {

using model::is_folder;
using model::path_exists;

/// `path` from the root. ".." is kept, because what comes before it may be a link.
/// @throws InvalidFile if the current folder was removed.
[[nodiscard]] inline std::filesystem::path absolute_path(std::filesystem::path const& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) throw InvalidFile(path.string() + ": the current folder cannot be found: " + error.message());
  return absolute;
}

/// A path as a JSON string: unchanged if it is UTF-8, otherwise the URI "file:///..." of the absolute path, with %XX
/// for each byte except letters, digits and "/-._~".
/// @throws InvalidFile as absolute_path() does
[[nodiscard]] inline std::string path_text(std::filesystem::path const& path) {
  std::string const& bytes = path.native();
  if (model::is_utf8(bytes) && !bytes.starts_with("file:///")) return bytes;
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string uri = "file://";
  std::filesystem::path absolute = absolute_path(path);
  for (char c : absolute.native()) {
    auto const byte = static_cast<unsigned char>(c);
    if (plain.find(c) != std::string_view::npos)
      uri += c;
    else
      uri.append({'%', digits[byte >> 4U], digits[byte & 0xFU]});
  }
  return uri;
}

/// The inverse of path_text().
/// @throws InvalidArgument if `text` is a URI that path_text() would not write
[[nodiscard]] inline std::filesystem::path path_of_text(std::string_view text) {
  if (!text.starts_with("file:///")) return text;
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string bytes;
  for (std::size_t i = std::string_view("file://").size(); i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    std::size_t const high = i + 2 < text.size() ? digits.find(text[i + 1]) : std::string_view::npos;
    std::size_t const low = i + 2 < text.size() ? digits.find(text[i + 2]) : std::string_view::npos;
    if (high == std::string_view::npos || low == std::string_view::npos || high + low == 0)
      throw InvalidArgument("expected %XX, a byte other than 0 in hexadecimal digits, found " +
                            std::string(text.substr(i, 3)));
    bytes += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return bytes;
}

}  // namespace zeroth::cli

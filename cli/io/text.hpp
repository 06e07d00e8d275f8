// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth::cli {

/// `text` without white space (ASCII) at its ends.
[[nodiscard]] std::string_view strip(std::string_view text) noexcept;

/// How many bytes at the end of `text` are an incomplete UTF-8 character: 0 to 3.
[[nodiscard]] std::size_t incomplete_utf8_suffix(std::string_view text) noexcept;

/// `text` in double quotes for an error message: shortened, on one line, with a space for each tab and newline, and
/// without unprintable characters.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The lines of a text file or a pipe, split at "\n" or "\r\n"; the last line needs no newline, and a UTF-8 byte order
/// mark is dropped. Takes the file's size in memory, and 32 bytes per line.
/// @throws InvalidFile if it cannot be read, is neither a regular file nor a pipe, has more than 4 GiB, or is UTF-16 or
///   UTF-32.
[[nodiscard]] std::vector<std::string> read_lines(std::filesystem::path const& path);

/// The whole contents of a text file or a pipe, unchanged.
/// @throws InvalidFile if it cannot be read, is neither a regular file nor a pipe, or has more than `most` bytes.
[[nodiscard]] std::string read_text(std::filesystem::path const& path, std::size_t most = std::size_t{1} << 32);

/// The whole contents of a file of a task's data, unchanged. A pipe or device is rejected, not waited for.
/// @throws InvalidFile if it cannot be read, is not a regular file, or has more than 4 GiB.
[[nodiscard]] std::string read_data_file(std::filesystem::path const& path);

/// Bytes for people: "98.4 MB".
[[nodiscard]] std::string human_bytes(std::size_t bytes);

}  // namespace zeroth::cli

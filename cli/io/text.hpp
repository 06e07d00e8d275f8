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

/// How many bytes at the end of `text` are the beginning of a UTF-8 character whose end is not there: 0 to 3.
[[nodiscard]] std::size_t incomplete_utf8_suffix(std::string_view text) noexcept;

/// `text` between double quotes, on one line and shortened, for an error message: model::replace_unprintable()
/// of it, with a space for each tab and line end.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The lines of a text file or of a pipe: split at "\n" or "\r\n", the last with or without its line end, and without
/// the byte order mark of UTF-8. They take the file's size and 32 bytes a line.
/// @throws InvalidFile if it cannot be read, is neither a regular file nor a pipe, has more than 4 GiB, or is UTF-16 or
///   UTF-32.
[[nodiscard]] std::vector<std::string> read_lines(std::filesystem::path const& path);

/// All of a text file, or of what comes through a pipe, as it is.
/// @throws InvalidFile if it cannot be read, is neither a regular file nor a pipe, or has more than `most` bytes.
[[nodiscard]] std::string read_text(std::filesystem::path const& path, std::size_t most = std::size_t{1} << 32);

/// All of a file of a task's data as it is, which takes its size. A pipe or device is refused, not waited for.
/// @throws InvalidFile if it cannot be read, is no regular file, or has more than 4 GiB.
[[nodiscard]] std::string read_data_file(std::filesystem::path const& path);

/// Bytes for people: "98.4 MB".
[[nodiscard]] std::string human_bytes(std::size_t bytes);

}  // namespace zeroth::cli

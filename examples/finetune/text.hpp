// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth::cli {

/// `text` without white space (ASCII) at its ends.
[[nodiscard]] std::string_view strip(std::string_view text) noexcept;

/// How many bytes at the end of `text` are the beginning of a UTF-8 character whose end is not there: 0 to 3.
[[nodiscard]] std::size_t incomplete_utf8_suffix(std::string_view text) noexcept;

/// `text` between double quotes, on one line and shortened, for an error message.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The lines of a text file: split at "\n" or "\r\n", the last with or without its line end.
/// @throws InvalidFile if the file cannot be read.
[[nodiscard]] std::vector<std::string> read_lines(std::filesystem::path const& path);

/// All of a text file as it is.
/// @throws InvalidFile if the file cannot be read, or has more than `most` bytes.
[[nodiscard]] std::string read_text(std::filesystem::path const& path,
                                    std::size_t most = std::numeric_limits<std::size_t>::max());

/// Bytes for people: "98.4 MB".
[[nodiscard]] std::string human_bytes(std::size_t bytes);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace zeroth::cli {

/// Writes to standard output.
/// @throws InvalidFile if it cannot be written; a short text may fail only at `finish_printing`.
void print(std::string_view text);

/// Prints a line of a table of two columns: a name, which takes `width` characters or more, and its value. Characters
/// that cannot be shown are replaced.
void print_fact(std::size_t width, std::string_view name, std::string_view value);

/// The same, and flushes what was printed so far.
void print_now(std::string_view text);

/// Prints the name of a file that was written, and a newline: its exact bytes, except that a terminal gets only what it
/// can show.
void print_name(std::filesystem::path const& path);

/// Flushes what was printed, and closes standard output.
/// @throws InvalidFile if not all of it could be written.
void finish_printing();

/// Whether standard output is a terminal.
[[nodiscard]] bool prints_on_terminal() noexcept;

/// Writes a line to standard error, for people: without characters that a terminal would not show. A failure to write
/// it is ignored.
void tell(std::string_view line);

}  // namespace zeroth::cli

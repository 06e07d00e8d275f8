// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace zeroth::cli {

/// Writes to standard output.
/// @throws InvalidFile if it cannot be written; a short text may only fail at `finish_printing`.
void print(std::string_view text);

/// The same, and passes on at once what was printed so far.
void print_now(std::string_view text);

/// Prints the name of a file that was written, and a line end: its bytes, for a program, but on a terminal what
/// can be shown.
void print_name(std::filesystem::path const& path);

/// Passes on what was printed, and closes standard output.
/// @throws InvalidFile if not all of it could be written.
void finish_printing();

/// Whether what is printed is shown as it is, on a terminal.
[[nodiscard]] bool prints_on_terminal() noexcept;

/// Writes a line to standard error, for people: without a character that a terminal would not show. That it cannot be
/// written is no error.
void tell(std::string_view line);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <string>

namespace zeroth::cli {

/// What to tell a user about an exception that ends the program: the text of this project's errors, and the meaning of
/// others, such as the standard library's, whose text names no file.
[[nodiscard]] std::string fault_text(std::exception const& error);

}  // namespace zeroth::cli

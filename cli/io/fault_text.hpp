// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <string>

namespace zeroth::cli {

/// What to tell a user of an exception that ends the program: of this project's errors what they say, of the standard
/// library's and others', which name no file, what they mean.
[[nodiscard]] std::string fault_text(std::exception const& error);

}  // namespace zeroth::cli

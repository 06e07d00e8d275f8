// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>

#include "method_options.hpp"

namespace zeroth::cli {

/// Adds the options that say how a step is taken, as a group of their own.
void add_method(CLI::App& command, MethodOptions& options);

/// @throws InvalidArgument naming the option that does not fit the others
void check_method(MethodOptions const& options);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>

#include "options.hpp"

namespace zeroth::cli {

/// Adds the option that names an adapter to use with the model.
void add_adapter(CLI::App& command, std::filesystem::path& adapter);

/// Adds the options of a new adapter, as a group of their own.
void add_lora(CLI::App& command, LoraArguments& options);

/// @throws InvalidArgument naming the option that does not fit the others
void check_lora(FinetuneOptions const& options);

}  // namespace zeroth::cli

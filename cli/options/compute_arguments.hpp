// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include <CLI/CLI.hpp>

#include "options.hpp"

namespace zeroth::cli {

/// Adds the option of how many threads compute.
void add_threads(CLI::App& command, unsigned& threads);

/// Adds the option of what holds the weights and computes: "cpu", "cuda" or "cuda:N".
void add_device(CLI::App& command, std::optional<std::uint32_t>& cuda_device);

/// Adds the options of what computes, and in which types.
void add_compute(CLI::App& command, ComputeOptions& options);

/// @throws InvalidArgument naming an option of the command that was given and that a GPU has no use for
void check_device(CLI::App const& command, std::optional<std::uint32_t> cuda_device, bool has_adapter);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/journal/header.hpp>

#include "options.hpp"

namespace zeroth::cli {

/// All options of a run by their names; null for what was left open.
[[nodiscard]] nlohmann::ordered_json to_json(FinetuneOptions const& options);

/// What options.json is to have, of which `--resume` makes the options again: paths are absolute in it.
[[nodiscard]] std::string text_of(FinetuneOptions options);

/// Writes options.json.
/// @throws InvalidFile if it cannot be written.
void write_options(std::filesystem::path const& path, std::string const& text);

/// Reads options.json.
/// @throws InvalidFile naming file and key, if one is missing, null where a run always has a value, not known or of
/// another kind.
[[nodiscard]] FinetuneOptions read_options(std::filesystem::path const& path);

/// The options that the steps of a run depend on, as notes of its journal: all but paths, threads and what is saved.
[[nodiscard]] std::vector<JournalField> option_notes(FinetuneOptions const& options);

/// The options that a journal has as notes; the others have their defaults.
/// @throws InvalidFile naming the journal and the option, if one is missing, null where a run always has a value, or of
/// another kind.
[[nodiscard]] FinetuneOptions options_of(JournalHeader const& header, std::string const& journal);

/// Whether the run of a journal went on with an adapter that it was given, which is then its base.
[[nodiscard]] bool goes_on_with_an_adapter(JournalHeader const& header);

}  // namespace zeroth::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/journal/header.hpp>

#include "options.hpp"

namespace zeroth::cli {

/// The recorded options of a run by their keys; null for what has no value.
[[nodiscard]] nlohmann::ordered_json to_json(FinetuneOptions const& options);

/// The same with null for the options that the run does not use.
[[nodiscard]] nlohmann::ordered_json used_options(FinetuneOptions const& options);

/// The text of options.json, which `--resume` reads back: paths in it are absolute.
[[nodiscard]] std::string text_of(FinetuneOptions options);

/// Writes options.json.
/// @throws InvalidFile if it cannot be written.
void write_options(std::filesystem::path const& path, std::string const& text);

/// Reads options.json.
/// @throws InvalidFile naming file and key, if a key is missing, unknown, null although every run has a value, or has a
/// value that the command line would reject.
[[nodiscard]] FinetuneOptions read_options(std::filesystem::path const& path);

/// The options that the steps of a run depend on, as notes of its journal: all but paths, speed and what is saved.
[[nodiscard]] std::vector<JournalField> option_notes(FinetuneOptions const& options);

/// The options that a journal of `finetune` has as notes; the others have their defaults. None if the journal has no
/// such note, because another program recorded it.
/// @throws InvalidFile naming the journal and the note, if one is missing, null although every run has a value, or has
/// a value that the command line would reject.
[[nodiscard]] std::optional<FinetuneOptions> options_of(JournalHeader const& header, std::string const& journal);

/// A note of a journal of `finetune`.
/// @throws InvalidFile naming the journal and the note, if it is missing
[[nodiscard]] std::string note_of(JournalHeader const& header, std::string const& journal, std::string const& name);

/// Whether the run of a journal of `finetune` tuned an adapter that it was given, which is then its base.
/// @throws InvalidFile as note_of(), and if the note is neither true nor false
[[nodiscard]] bool continues_adapter(JournalHeader const& header, std::string const& journal);

}  // namespace zeroth::cli

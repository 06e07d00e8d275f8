// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace zeroth::cli {

/// How `--help` looks: what must be given in the usage line, defaults behind the descriptions, lines of at most 80
/// columns. An App hands it on to the commands that are added after it has it.
[[nodiscard]] std::shared_ptr<CLI::FormatterBase> help_formatter();

/// `text` in lines of at most `width` columns that begin after `indent` spaces, the first but for that. Ends in a line
/// end. A word that is longer than a line stands alone in one.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 80);

}  // namespace zeroth::cli

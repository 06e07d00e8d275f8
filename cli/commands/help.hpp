// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

namespace zeroth::cli {

/// The format of `--help`: required options in the usage line, defaults after the descriptions, lines of at most 80
/// columns. Commands inherit it from the App they are added to.
[[nodiscard]] std::shared_ptr<CLI::FormatterBase> help_formatter();

/// `text` wrapped to lines of at most `width` columns, each but the first after `indent` spaces, with a final newline.
/// A word that is longer than a line gets a line of its own.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 80);

}  // namespace zeroth::cli

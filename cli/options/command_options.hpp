// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include <CLI/CLI.hpp>

#include "option_row.hpp"
#include "option_table.hpp"
#include "option_values.hpp"

namespace zeroth::cli {

/// The default of an option as its help shows it; empty if it has none of its own.
template <class Values, class Field>
[[nodiscard]] std::string shown_default(Values const& values, Field const& field) {
  if constexpr (MayBeOpen<Values, Field>)
    return "";
  else
    return values.accepts(field) ? values.text(field) : "";
}

/// Adds an option to a command; parsing then writes the field.
template <class Row, class Field>
CLI::Option& add_option(CLI::App& command, Row const& row, Field& field) {
  std::string const& help = row.details.help;
  CLI::Option* option = nullptr;
  if constexpr (std::same_as<typename Row::Values, Flag>) {
    option = command.add_flag(row.flag, field, help);
  } else if constexpr (std::same_as<typename Row::Values, Globs>) {
    option = command.add_option(row.flag, field, help)->delimiter(',')->allow_extra_args(false);
    option->check([values = row.values](std::string const& glob) {
      return values.accepts({glob}) ? "" : "expected " + values.expected() + found(glob);
    });
  } else {
    auto parse = [&field, values = row.values, flag = row.flag](std::string const& text) {
      bool good = false;
      if constexpr (MayBeOpen<typename Row::Values, Field>)
        good = values.parse(text, field.emplace());
      else
        good = values.parse(text, field);
      if (!good) throw CLI::ValidationError(flag, "expected " + values.expected() + found(text));
    };
    option = command.add_option_function<std::string>(row.flag, parse, help);
    option->default_str(shown_default(row.values, field));
  }
  if constexpr (!std::same_as<typename Row::Values, Flag>) option->type_name(row.values.type());
  return *option->group(row.details.group)->required(row.details.required);
}

/// Adds all options that these have to a command.
template <class Options>
void add_options(CLI::App& command, Options& options) {
  for_each_option(options, [&](auto const& row, auto& field) { add_option(command, row, field); });
}

}  // namespace zeroth::cli

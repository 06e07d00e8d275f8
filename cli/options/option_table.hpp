// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>

#include "option_row.hpp"
#include "other_options.hpp"
#include "run_options.hpp"

namespace zeroth::cli {

/// The table of options: a row for each field of the structs in options.hpp and method_options.hpp.
[[nodiscard]] inline auto option_table() {
  return std::tuple_cat(run_options(), other_options());
}

/// Calls `visit(row, field)` for each option that a command with these options has, in the order of the table.
template <class Options, class Visit>
void for_each_option(Options& options, Visit const& visit) {
  auto const visit_own = [&]<class Row>(Row const& row) {
    if constexpr (std::derived_from<std::remove_const_t<Options>, typename Row::Owner>) visit(row, options.*row.field);
  };
  std::apply([&](auto const&... row) { (visit_own(row), ...); }, option_table());
}

}  // namespace zeroth::cli

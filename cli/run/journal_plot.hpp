// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <zeroth/journal.hpp>

namespace zeroth::cli {

/// The run of a journal as an SVG image: the loss of each step, its running mean and the losses of evaluations and, in
/// a second panel if there are evaluations, their scores.
[[nodiscard]] std::string journal_plot(Journal const& journal);

}  // namespace zeroth::cli

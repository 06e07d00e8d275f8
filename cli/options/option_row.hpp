// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace zeroth::cli {

struct FinetuneOptions;

/// Where a run records the value of an option.
enum class Recorded : std::uint8_t {
  nowhere,     ///< it concerns this command only
  in_options,  ///< in options.json and summary.json: paths, speed, and what is saved
  in_journal,  ///< there and in the journal's notes: steps depend on it, and only the same value resumes the run
};

/// What is to be said of an option besides its field, its flag and its values.
struct OptionDetails {
  std::string help;
  char const* group = "Options";  ///< heading in the help
  Recorded recorded = Recorded::nowhere;
  std::string key = {};              ///< in options.json; default: the flag's words, with _ for -
  bool required = false;             ///< must be given, except with --resume
  bool may_follow_resume = false;    ///< may be given with --resume, as it changes no step
  bool filled_in = false;            ///< every run has a value: there is a default if none is given
  char const* not_on_gpu = nullptr;  ///< why it does not go with --device cuda; null: it does
  bool (*is_used)(FinetuneOptions const& options) = nullptr;  ///< else summary.json has null; null: it always is
};

/// A row of the table of options.
/// @tparam Owner_ the struct that has the field: commands whose options derive from it have the option
/// @tparam Values_ a kind of values, see option_values.hpp
template <class Owner_, class Field_, class Values_>
struct OptionRow {
  using Owner = Owner_;
  using Field = Field_;
  using Values = Values_;

  OptionRow(Field Owner::*its_field, std::string its_flag, Values its_values, OptionDetails its_details)
      : field(its_field), flag(std::move(its_flag)), values(std::move(its_values)), details(std::move(its_details)) {
    if (!details.key.empty()) return;
    details.key = flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
    std::replace(details.key.begin(), details.key.end(), '-', '_');
  }

  Field Owner::*field;
  std::string flag;  ///< "--steps"; of a positional argument its name
  Values values;
  OptionDetails details;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// Whether a field may have no value of its kind, as its default depends on other options. (The CPU, which Device
/// writes as an empty optional, is a value.)
template <class Values, class Field>
concept MayBeOpen = is_optional<Field> && !requires(Values const& values, Field const& field) {
  values.accepts(field);
};

}  // namespace zeroth::cli

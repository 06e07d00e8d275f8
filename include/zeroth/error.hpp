// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// Base of every exception that zeroth throws on purpose.
///
/// The message is one line that names the file, option, field or tensor, says what was expected and what was found and,
/// where possible, what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An option or argument outside its range: "epsilon must be > 0 and finite, got -1".
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

/// A file that is missing, truncated, damaged, of an unknown format or not writable.
class InvalidFile : public Error {
 public:
  using Error::Error;
};

namespace detail {

/// Rejects an enum value that has no name, such as one made by a cast.
/// @param choices number of named values, counted from 0
/// @param field for the message: "parameter 'w': role"
template <class Enum>
void require_choice(Enum value, unsigned choices, std::string const& field) {
  if (static_cast<unsigned>(value) >= choices)
    throw InvalidArgument(field + " must be one of the " + std::to_string(choices) +
                          " choices of its enum, got number " + std::to_string(static_cast<unsigned>(value)));
}

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA

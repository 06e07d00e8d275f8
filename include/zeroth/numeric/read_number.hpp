// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <string>
#include <string_view>
#include <system_error>

#include <zeroth/config.hpp>

#if !defined(__cpp_lib_to_chars)
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#include <locale.h>
#include <stdlib.h>
#endif

namespace zeroth::ZEROTH_ISA {

#if !defined(__cpp_lib_to_chars)
namespace detail {

/// What std::from_chars reads, where the standard library has it only for integers (libc++ before 20, so Apple's).
template <std::floating_point Number>
[[nodiscard]] bool read_floating(std::string const& text, Number& value) {
  // Of what strtod also takes: white space, a plus sign, and hexadecimal digits.
  if (text.find_first_of("-.0123456789inIN") != 0 || text.find_first_of("xX") != text.npos) return false;
  ::locale_t const locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
  char* end = nullptr;
  if constexpr (std::same_as<Number, float>)
    value = ::strtof_l(text.c_str(), &end, locale);
  else
    value = ::strtod_l(text.c_str(), &end, locale);
  ::freelocale(locale);
  bool const overflows = std::isinf(value) && text.find_first_of("0123456789") != text.npos;
  return end == text.c_str() + text.size() && !overflows;
}

}  // namespace detail
#endif

/// Reads the number that all of `text` is, as std::from_chars does. False if it is anything else; `value` may then have
/// changed.
template <class Number>
requires std::integral<Number> || std::floating_point<Number>
[[nodiscard]] bool read_number(std::string_view text, Number& value) {
#if !defined(__cpp_lib_to_chars)
  if constexpr (std::floating_point<Number>)
    return detail::read_floating(std::string(text), value);
  else
#endif
  {
    auto const [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && rest == text.data() + text.size();
  }
}

}  // namespace zeroth::ZEROTH_ISA

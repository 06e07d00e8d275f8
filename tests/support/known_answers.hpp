// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <zeroth/numeric/float_bits.hpp>

#include "paths.hpp"

namespace zeroth_test {

/// The fields of one line of a known-answer file, read one after the other.
class KnownAnswer {
 public:
  explicit KnownAnswer(std::string line) : line_(std::move(line)) {}

  std::string_view word() {
    std::size_t const begin = line_.find_first_not_of(' ', at_);
    if (begin == std::string::npos) throw std::runtime_error("a field is missing: " + line_);
    at_ = std::min(line_.find(' ', begin), line_.size());
    return std::string_view(line_).substr(begin, at_ - begin);
  }
  template <class T>
  T hex() {
    return number<T>(word(), 16);
  }
  std::int32_t decimal() {
    std::string_view text = word();
    if (text.front() == '+') text.remove_prefix(1);
    return number<std::int32_t>(text, 10);
  }
  float float_bits() { return zeroth::float_of(hex<std::uint32_t>()); }

  [[nodiscard]] std::string const& text() const { return line_; }

 private:
  template <class T>
  T number(std::string_view text, int base) const {
    T value{};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size())
      throw std::runtime_error("'" + std::string(text) + "' is no number: " + line_);
    return value;
  }

  std::string line_;
  std::size_t at_ = 0;
};

/// The lines of a file of tests/known_answers, without comments.
inline std::vector<KnownAnswer> known_answers(std::string const& name) {
  std::ifstream file(tests_directory() / "known_answers" / name);
  if (!file) throw std::runtime_error("tests/known_answers/" + name + " cannot be read");
  std::vector<KnownAnswer> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line.front() != '#') lines.emplace_back(line);
  return lines;
}

}  // namespace zeroth_test

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth::cli {

/// What is done to a field before it goes into a text; letters are those of ASCII.
enum class TextFilter : std::uint8_t {
  strip,             ///< takes white space from both ends
  lower,             ///< lower-cases all of it
  upper_first,       ///< upper-cases its first letter
  lower_first_word,  ///< lower-cases it up to the first space, unless that is "I"
  drop_period,       ///< takes one "." from the end
  add_question_mark  ///< puts "?" at the end unless it ends in one
};

/// `text` after the filter.
[[nodiscard]] std::string apply_filter(TextFilter filter, std::string_view text);

/// A text with fields left open: "{premise|strip} because". "{{" and "}}" are braces.
///
/// A task file of a few kilobytes could ask for gigabytes of text an example: hence the bounds.
class TextTemplate {
 public:
  static constexpr std::size_t most_fields = 1000;                  ///< in a text; one that comes twice counts twice
  static constexpr std::size_t most_filters = 16;                   ///< of a field
  static constexpr std::size_t most_bytes = std::size_t{16} << 20;  ///< of text and fields, filled in

  TextTemplate() = default;

  /// @param index_of the index of the field of that name; may throw
  /// @throws InvalidArgument "expected ..., found ..." if a brace has no partner, a name is empty, a filter unknown, or
  /// if
  ///   there are too many fields or filters.
  TextTemplate(std::string_view text, std::function<std::size_t(std::string const& field)> const& index_of);

  /// Whether it has no field, so that it is the same for every example.
  [[nodiscard]] bool is_fixed() const;

  /// The text with the fields put in.
  /// @param on_blank called for a field of which its filters leave nothing but white space; may throw
  /// @throws InvalidArgument "expected ..., found ..." if text and fields have more than most_bytes
  [[nodiscard]] std::string fill(std::span<std::string_view const> values,
                                 std::function<void(std::size_t field)> const& on_blank) const;

 private:
  static constexpr std::size_t no_field = static_cast<std::size_t>(-1);
  struct Part {
    std::string text;  ///< what stands before the field
    std::size_t field = no_field;
    std::vector<TextFilter> filters = {};
  };

  std::vector<Part> parts_;
};

}  // namespace zeroth::cli
